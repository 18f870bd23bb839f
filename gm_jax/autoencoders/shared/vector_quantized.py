"""What every autoencoder with one grid of vector-quantised codes shares, of images or of films.

van den Oord, Vinyals & Kavukcuoglu 2017 (arXiv 1711.00937):

    z_q = e_k,  k = argmin_j |z_e(x) - e_j|                                     eq. 1, 2
    L = -log p(x|z_q) + |sg[z_e] - e|^2 + beta |z_e - sg[e]|^2                  eq. 3
"""

from typing import Annotated

import jax
import jax.numpy as jnp

from gm_jax import games, networks
from gm_jax.autoencoders.shared import codes, quantizers
from gm_jax.losses.likelihoods import LIKELIHOODS
from gm_jax.model import Aux, Field, Phase, Spec
from gm_jax.networks import Network
from gm_jax.optimizers import Optimizer, adam
from gm_jax.settings import Recipe, one_of, schema


@schema
class Settings(Recipe):
    """A vector-quantised autoencoder.

    quantizer   how vectors become codes
    likelihood  p(x|z)
    optimizer   one of optax's
    """

    quantizer: quantizers.Settings = quantizers.Settings()
    likelihood: Annotated[str, one_of(LIKELIHOODS)] = "bernoulli"
    optimizer: Optimizer = adam(1e-3)


def phase(
    player: str, settings: Settings, spec: Spec, name: str, grid: tuple[int, ...],
    encoder: Network, decoder: Network,
) -> tuple[Phase, ...]:  # fmt: skip
    """One player learns encoder, codes and decoder, in one phase.

    name     image or video, what is encoded
    grid     shape of an example's codes
    encoder  examples to z_e [B, *grid, D]
    decoder  z_q to the parameters of p(x|z)
    """
    quantizer, likelihood = quantizers.make(settings.quantizer), LIKELIHOODS[settings.likelihood]

    def init(key, batch, previous):
        *keys, codebook_key = jax.random.split(key, 3)
        z = jnp.zeros((1, *grid, quantizer.width))
        variables = networks.init(keys, (encoder, batch[name]), (decoder, z))
        learned, carried = quantizer.init(codebook_key)
        own = {"codebook": learned, **{own: jnp.zeros(()) for own in likelihood.learned}}
        return variables._replace(params=variables.params | own, state={"codebook": carried})

    def codebook(variables):
        return variables.params["codebook"], variables.state["codebook"]

    def quantize(variables, x):
        """z_e(x) [B, *grid, D], its codes, and the last two terms of eq. 3 [B]."""
        z = encoder(variables, x)
        return z, *quantizer.quantize(*codebook(variables), z)

    def log_prob(variables, x, output, keys=None):
        return likelihood.log_prob(x, output, variables.params)

    def negative_bound(variables, batch, key, step):
        """Eq. 3, and the codebook after this batch."""
        x = batch[name]
        z, quantized, loss = quantize(variables, x)
        reconstruction = log_prob(variables, x, decoder(variables, quantized.code))
        carried, metrics = quantizer.update(variables.state["codebook"], z, quantized.indices, key)
        metrics |= {"reconstruction": jnp.mean(reconstruction), "quantization": jnp.mean(loss)}
        return jnp.mean(loss - reconstruction), Aux(metrics, {"codebook": carried})

    def indices(variables, x):
        """The codes of examples, [B, *grid]."""
        return quantize(variables, x)[1].indices

    def output(variables, indices):
        """What the decoder makes of codes [B, *grid]."""
        return decoder(variables, quantizer.look_up(*codebook(variables), indices))

    owns = ("encoder", "decoder", "codebook", *likelihood.learned)
    moves, average = {"negative_bound": negative_bound}, settings.average
    players = (games.player(player, owns, moves, settings, average),)
    code = Field(grid, quantizer.count)
    functions = codes.functions(name, code, indices, output, likelihood.mean, log_prob)
    encoded = {name: spec[name], "code": code}
    return (games.phase(settings, init, players, functions, encoded),)
