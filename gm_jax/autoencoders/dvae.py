"""The discrete VAE of DALL-E.

Ramesh et al. 2021 (arXiv 2102.12092), section 2.1 and appendix A; Jang et al. 2017
(arXiv 1611.01144) for the Gumbel-softmax.

    x' = 0.8 x + 0.1,  x in [0, 1]                                                 appendix A.3
    L = -log p(x'|z) + beta(step) KL(q(z|x) || uniform)                            section 2.1
    p(x'|z) is logit-Laplace; z is drawn by Gumbel-softmax at temperature tau(step)

Temperature and beta are functions of the step. Grey values are dequantised with uniform noise, so
that the density of flat areas stays bounded; log-likelihoods are of the 256 grey values.
"""

import jax
import jax.numpy as jnp
import optax

from gm_jax.autoencoders import codes
from gm_jax.losses.elbo import elbo
from gm_jax.losses.likelihoods import grey_logit_laplace, unmap_pixels
from gm_jax.losses.quantization import gumbel_softmax
from gm_jax.model import (
    Aux,
    Field,
    GenerativeModel,
    Move,
    Phase,
    Player,
    Variables,
    example_keys,
    field_of,
)
from gm_jax.nn.common import gumbel, uniform
from gm_jax.nn.grid import GridDecoder, GridEncoder, halved
from gm_jax.nn.quantizers import used
from gm_jax.optimizers import optimizer, warmed_up


def build(config, spec, stages) -> tuple[Phase, ...]:
    """Encoder, codebook and decoder; configs/dvae_fashion_mnist.py shows the keys."""
    shape, network, count = field_of(spec, "image").shape, config.network, config.codes.count
    grid, channels = halved(shape, len(network.widths)), shape[-1]
    architecture = (network.widths, network.blocks, jnp.dtype(config.dtype))
    encoder = GridEncoder(count, *architecture)
    decoder = GridDecoder((*shape[:2], 2 * channels), *architecture)  # mu and ln b
    temperature = ramp(1.0, config.temperature.end, config.temperature.steps)
    beta = ramp(0.0, config.beta.end, config.beta.steps)

    def init(key, batch, previous):
        keys = jax.random.split(key, 3)
        width = config.codes.width
        params = {
            "encoder": encoder.init(keys[0], batch["image"])["params"],
            "decoder": decoder.init(keys[1], jnp.zeros((1, *grid, width)))["params"],
            "codebook": jax.random.normal(keys[2], (count, width)),
        }
        return Variables(params)

    def encode(variables, x):
        """Logits of q(z|x), [B, h, w, K]."""
        return encoder.apply({"params": variables.params["encoder"]}, x)

    def decode(variables, code):
        """mu and ln b for codes as vectors [B, h, w, D], [B, H, W, 2 C]."""
        return decoder.apply({"params": variables.params["decoder"]}, code)

    def log_prob(variables, x, output, keys):
        """log p(x|z) of 256 grey values, [B]: a bound by one draw of the dequantising noise."""
        return grey_logit_laplace(x, uniform(keys, shape), *jnp.split(output, 2, axis=-1))

    def mean(output):
        """The median image: unmap(sigmoid(mu)), in [-1, 1]."""
        return 2.0 * unmap_pixels(jax.nn.sigmoid(output[..., :channels])) - 1.0

    def drawn(variables, batch, key, at):
        """One z of q(z|x) at temperature `at`, and two keys an example for what else is random."""
        keys = example_keys(key, batch)
        noise_keys, pixel_keys = jax.vmap(jax.random.split, out_axes=1)(keys)
        logits = encode(variables, batch["image"])
        noise = gumbel(noise_keys, logits.shape[1:])
        return gumbel_softmax(variables.params["codebook"], logits, noise, at), pixel_keys

    def negative_bound(variables, batch, key, step):
        relaxed, keys = drawn(variables, batch, key, temperature(step))
        output = decode(variables, relaxed.code)
        reconstruction = log_prob(variables, batch["image"], output, keys)
        kl = relaxed.losses["kl"]
        metrics = {
            "reconstruction": jnp.mean(reconstruction),
            "kl": jnp.mean(kl),
            "temperature": temperature(step),
            "beta": beta(step),
            **used(relaxed.indices, count),
        }
        return -jnp.mean(elbo(reconstruction, kl, beta(step))), Aux(metrics)

    def bound(variables, batch, key):
        """The bound with z of q itself, not relaxed, and its KL, in nats, [B]."""
        hard, keys = drawn(variables, batch, key, 1.0)
        output = decode(variables, variables.params["codebook"][hard.indices])
        reconstruction = log_prob(variables, batch["image"], output, keys)
        return {"elbo": elbo(reconstruction, hard.losses["kl"]), "kl": hard.losses["kl"]}

    player = Player(
        "dvae",
        owns=("encoder", "decoder", "codebook"),
        optimizer=optimizer(config.optimizer),
        moves=(Move("negative_bound", negative_bound),),
        average=warmed_up(config.average),
    )
    code = Field(grid, count)
    functions = codes.functions(
        code,
        indices=lambda variables, x: jnp.argmax(encode(variables, x), axis=-1).astype(jnp.int32),
        output=lambda variables, i: decode(variables, variables.params["codebook"][i]),
        mean=mean,
        log_prob=log_prob,
    )
    spec = {"image": spec["image"], "code": code}
    model = GenerativeModel(init, (player,), {**functions, "bound": bound}, spec)
    return (Phase("train", model, config.data, config.steps),)


def ramp(start: float, end: float, steps: int):
    """step -> value: half a cosine from start to end over `steps`, then end."""
    fall = optax.cosine_decay_schedule(1.0, steps)
    return lambda step: end + (start - end) * fall(step)
