"""The discrete VAE of DALL-E.

Ramesh et al. 2021 (arXiv 2102.12092), section 2.1 and appendix A; Jang et al. 2017
(arXiv 1611.01144) for the Gumbel-softmax.

    x' = 0.8 x + 0.1,  x in [0, 1]                                                 appendix A.3
    L = -log p(x'|z) + beta(step) KL(q(z|x) || uniform)                            section 2.1
    p(x'|z) is logit-Laplace; z is drawn by Gumbel-softmax at temperature tau(step)

Temperature and beta are functions of the step. Grey values are dequantised with uniform noise, so
that the density of flat areas stays bounded; log-likelihoods are of the 256 grey values.
"""

from typing import Annotated

import jax
import jax.numpy as jnp
import optax

from gm_jax import games, networks
from gm_jax.autoencoders.shared import codes
from gm_jax.autoencoders.shared.quantizers import used
from gm_jax.losses.likelihoods import elbo, grey_logit_laplace, unmap_pixels
from gm_jax.losses.quantization import gumbel_softmax
from gm_jax.model import Aux, Field, Phase, example_keys, field_of
from gm_jax.networks import Network
from gm_jax.nn.grid import GridDecoder, GridEncoder, GridSettings, halved
from gm_jax.nn.layers import gumbel, uniform
from gm_jax.optimizers import Optimizer, adam
from gm_jax.settings import Recipe, at_least, schema


@schema
class Codes:
    """The codebook.

    count  K, the number of codes
    width  numbers of a code
    """

    count: Annotated[int, at_least(1)] = 128
    width: Annotated[int, at_least(1)] = 64


@schema
class Ramp:
    """Half a cosine over the first rounds; its start is the paper's.

    end    the last value
    steps  rounds until it is reached
    """

    end: Annotated[float, at_least(0.0)]
    steps: Annotated[int, at_least(1)]


@schema
class Settings(Recipe):
    """A dVAE.

    codes        the codebook
    temperature  of the Gumbel-softmax, from 1
    beta         weight of the KL, from 0
    network      encoder and decoder
    optimizer    one of optax's
    """

    codes: Codes = Codes()
    temperature: Ramp = Ramp(end=1 / 16, steps=150_000)
    beta: Ramp = Ramp(end=6.6, steps=5000)
    network: GridSettings = GridSettings()
    optimizer: Optimizer = adam(1e-3)

    def wrong(self):
        """Choices that do not go together, a line for each."""
        yield from super().wrong()
        if not self.temperature.end:
            yield "temperature.end is 0: it must be above 0, the logits are divided by it"


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """Encoder, codebook and decoder; configs/dvae_fashion_mnist.py."""
    shape, network, count = field_of(spec, "image").shape, settings.network, settings.codes.count
    grid, channels = halved(shape, len(network.widths)), shape[-1]
    architecture = (network.widths, network.blocks, jnp.dtype(settings.dtype))
    # Logits of q(z|x), [B, h, w, K].
    encoder = Network("encoder", GridEncoder(count, *architecture))
    # Codes as vectors [B, h, w, D] to mu and ln b, [B, H, W, 2 C].
    decoder = Network("decoder", GridDecoder((*shape[:2], 2 * channels), *architecture))
    temperature = ramp(1.0, settings.temperature.end, settings.temperature.steps)
    beta = ramp(0.0, settings.beta.end, settings.beta.steps)

    def init(key, batch, previous):
        *keys, codebook_key = jax.random.split(key, 3)
        width = settings.codes.width
        calls = (encoder, batch["image"]), (decoder, jnp.zeros((1, *grid, width)))
        variables = networks.init(keys, *calls)
        codebook = jax.random.normal(codebook_key, (count, width))
        return variables._replace(params=variables.params | {"codebook": codebook})

    def log_prob(variables, x, output, keys):
        """log p(x|z) of 256 grey values, [B]: a bound by one draw of the dequantising noise."""
        return grey_logit_laplace(x, uniform(keys, shape), *jnp.split(output, 2, axis=-1))

    def mean(output):
        """The median image: unmap(sigmoid(mu)), in [-1, 1]."""
        return 2.0 * unmap_pixels(jax.nn.sigmoid(output[..., :channels])) - 1.0

    def draw(variables, batch, key, temperature):
        """One z of q(z|x), relaxed, and a key an example [B] for the dequantising noise."""
        keys = example_keys(key, batch)
        noise_keys, pixel_keys = jax.vmap(jax.random.split, out_axes=1)(keys)
        logits = encoder(variables, batch["image"])
        noise = gumbel(noise_keys, logits.shape[1:])
        codebook = variables.params["codebook"]
        return gumbel_softmax(codebook, logits, noise, temperature), pixel_keys

    def negative_bound(variables, batch, key, step):
        relaxed, keys = draw(variables, batch, key, temperature(step))
        output = decoder(variables, relaxed.code)
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
        """The bound with z drawn from q itself, not relaxed, and its KL, in nats, [B]."""
        hard, keys = draw(variables, batch, key, 1.0)
        output = decoder(variables, variables.params["codebook"][hard.indices])
        reconstruction = log_prob(variables, batch["image"], output, keys)
        return {"elbo": elbo(reconstruction, hard.losses["kl"]), "kl": hard.losses["kl"]}

    def indices(variables, x):
        """The likeliest codes of images, [B, h, w]."""
        return jnp.argmax(encoder(variables, x), axis=-1).astype(jnp.int32)

    def output(variables, indices):
        """What the decoder makes of codes [B, h, w]."""
        return decoder(variables, variables.params["codebook"][indices])

    owns = ("encoder", "decoder", "codebook")
    moves, average = {"negative_bound": negative_bound}, settings.average
    players = (games.player("dvae", owns, moves, settings, average),)
    code = Field(grid, count)
    functions = codes.functions("image", code, indices, output, mean, log_prob) | {"bound": bound}
    encoded = {"image": spec["image"], "code": code}
    return (games.phase(settings, init, players, functions, encoded),)


def ramp(start: float, end: float, steps: int):
    """step -> value: half a cosine from start to end over `steps`, then end."""
    fall = optax.cosine_decay_schedule(1.0, steps)
    return lambda step: end + (start - end) * fall(step)
