"""Stable Diffusion 1.5 at full size and random weights: seconds a step and peak memory.

    python benchmarks/stable_diffusion.py [--dtype=bfloat16] [--steps=2] [--side=64] [--guidance=0]

No file is needed: parameters are drawn by shape. Prints one line of JSON; on two cores, two guided
steps in float32 took a minute with everything and 5.8 GB.
"""

import argparse
import json
import resource
import time

import jax
import jax.numpy as jnp
import numpy as np

from gm_jax.diffusion.shared import published
from gm_jax.diffusion.stable_diffusion import generate, networks
from gm_jax.diffusion.stable_diffusion.files import SCHEDULER
from gm_jax.model import Variables

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
parser.add_argument("--steps", type=int, default=2)
parser.add_argument("--side", type=int, default=64, help="of the latents")
parser.add_argument("--guidance", type=float, default=6.5)
CONFIGS = {"text_encoder": networks.SD1_TEXT, "unet": networks.SD1_UNET, "vae": networks.VAE}


def drawn(shapes, dtype, rng):
    """Parameters of deviation 1 / sqrt(inputs), one tensor at a time."""

    def draw(x):
        values = rng.standard_normal(x.shape, np.float32)
        values /= np.sqrt(max(1, np.prod(x.shape[:-1])))
        return jnp.asarray(values, dtype)

    return jax.tree.map(draw, shapes)


def timed(function, *inputs):
    """A function's outputs, and the seconds they took."""
    began = time.perf_counter()
    outputs = jax.block_until_ready(function(*inputs))
    return outputs, time.perf_counter() - began


def main(steps, side, guidance, dtype):
    """Measures text encoder, sampler and decoder, compilation apart."""
    made = {n: networks.NETWORKS[n](c, jnp.dtype(dtype)) for n, c in CONFIGS.items()}
    nets, rng = generate.Networks(**made), np.random.default_rng(0)
    variables = Variables({n: drawn(c.shapes, dtype, rng) for n, c in made.items()})
    chain = published.chain(SCHEDULER | {"_class_name": "DDIMScheduler"}, steps)
    ids = jnp.asarray(rng.integers(0, 49406, (1, 77)))
    start = jnp.asarray(rng.standard_normal((1, side, side, 4)), jnp.float32)

    def sample(variables, context, start):
        prompt = generate.Prompt(context, context)
        noise = generate.Noise(start, None, None, None)
        return generate.generate(nets, variables, chain, prompt, noise, guidance)

    encode = jax.jit(lambda variables, ids: generate.encode_text(nets, variables, ids))
    decode = jax.jit(lambda variables, z: generate.decode(nets, variables, z))
    context, text = timed(encode, variables, ids)
    program, compiled = timed(lambda: jax.jit(sample).lower(variables, context, start).compile())
    latents, sampled = timed(program, variables, context, start)
    _, decoded = timed(decode, variables, latents)
    row = {
        "dtype": dtype, "latents": side, "steps": steps, "guidance": guidance,
        "seconds_a_step": round(sampled / steps, 2), "compilation": round(compiled, 1),
        "text_with_compilation": round(text, 1), "decoder_with_compilation": round(decoded, 1),
        "peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
    }  # fmt: skip
    print(json.dumps(row))


if __name__ == "__main__":
    main(**vars(parser.parse_args()))
