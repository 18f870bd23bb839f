"""This library's side of the rows that are no train step.

Each returns what `ours.of_recipe` does.
"""

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import evaluation
from benchmarks.all.subjects import Side
from gm_jax.causal import of_module, sample
from gm_jax.diffusion.shared import published
from gm_jax.diffusion.stable_diffusion import generate, networks
from gm_jax.diffusion.stable_diffusion.files import SCHEDULER
from gm_jax.evaluation import PROTOCOLS, distances, extract, inception_features
from gm_jax.model import Variables
from gm_jax.nn.transformer import Transformer

TEXT = dict(symbols=65, length=256, width=128, layers=4, heads=4)  # As gpt_tinyshakespeare's.
TEXTS, IMAGES, FEATURES = 8, 8, 768
# Stable Diffusion 1's U-Net with a quarter of its features, on latents of half the side.
UNET = networks.SD1_UNET | {"block_out_channels": [80, 160, 320, 320], "norm_num_groups": 16}
LATENTS, GUIDANCE = 32, 6.5
DDIM = SCHEDULER | {"_class_name": "DDIMScheduler"}


def sampling():
    """Texts drawn symbol by symbol by a GPT, through its cache."""
    network, keys = Transformer(**TEXT), jax.random.split(jax.random.key(1), TEXTS)
    x = jnp.zeros((TEXTS, TEXT["length"]), jnp.int32)
    params, causal = jax.jit(network.init)(jax.random.key(0), x)["params"], of_module(network)
    draw = jax.jit(lambda params: sample(causal, params, keys, TEXT["length"]))

    def play(count: int) -> None:
        for _ in range(count):
            draw(params).block_until_ready()

    parameters = sum(x.size for x in jax.tree.leaves(params))
    settings = {"network": {**TEXT, "bias": True}, "texts": TEXTS}
    return Side(play, TEXTS, parameters), {}, {"settings": settings, "values": {}}


def frechet():
    """The distance between the Gaussians of two sets of features."""
    rng = np.random.default_rng(0)
    sets = (rng.normal(size=(3 * FEATURES, FEATURES)) * np.exp(-np.arange(FEATURES) / 200)
            for _ in range(2))  # fmt: skip
    gaussians = [f(x) for x in sets for f in (lambda x: x.mean(0), lambda x: np.cov(x.T))]

    def play(count: int) -> None:
        for _ in range(count):
            distances.frechet_distance(*gaussians)

    batch = dict(zip(("mean_a", "covariance_a", "mean_b", "covariance_b"), gaussians, strict=True))
    return Side(play, 1, 0), batch, {"settings": {}, "values": {}}


def inception():
    """Features of 2048 numbers, of images of 32 x 32, resized as pytorch-fid does."""
    weights = evaluation.random_inception()
    features = inception_features(weights, PROTOCOLS["pytorch_fid"])
    image = np.random.default_rng(1).integers(0, 256, (IMAGES, 32, 32, 3), np.uint8)

    def play(count: int) -> None:
        for _ in extract(features, [image] * count, ["2048"], IMAGES):
            pass

    # The last layer, whose logits nobody reads here, does not count.
    used = {name: layer for name, layer in weights.params.items() if name != "fc"}
    parameters = sum(x.size for x in jax.tree.leaves(used))
    operations = 1e9 * evaluation.GFLOP_PER_IMAGE * IMAGES
    side = Side(play, IMAGES, parameters, operations)
    return side, {"image": image}, {"settings": {}, "values": {}}


def stable_diffusion():
    """A guided step of DDIM from noise: the U-Net on two contexts at once."""
    rng, unet = np.random.default_rng(0), networks.unet(UNET, jnp.float32)
    vae = networks.vae(networks.VAE, jnp.float32)  # Says what latents are; it does not run.
    nets, chain = generate.Networks(None, unet, vae), published.chain(DDIM, 1)
    params = jax.tree.map(lambda x: rng.normal(0, 0.02, x.shape).astype("f4"), unet.shapes)
    variables = Variables({"unet": jax.device_put(params)})
    start = rng.normal(size=(1, LATENTS, LATENTS, 4)).astype("f4")
    context = rng.normal(size=(2, 77, unet.config["cross_attention_dim"])).astype("f4")

    @jax.jit
    def step(variables, start, context):
        prompt = generate.Prompt(context[1:], context[:1])
        noise = generate.Noise(start, None, None, None)
        return generate.generate(nets, variables, chain, prompt, noise, GUIDANCE)

    def play(count: int) -> None:
        for _ in range(count):
            step(variables, start, context).block_until_ready()

    operations = step.lower(variables, start, context).cost_analysis()["flops"]
    side = Side(play, 1, sum(x.size for x in jax.tree.leaves(params)), operations)
    batch = {"latents": start, "context": context}
    return side, batch, {"settings": {**unet.config, "scale": 1 + GUIDANCE}, "values": {}}
