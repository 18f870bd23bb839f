"""A prior over the codes of a frozen first stage, such as a VQ-VAE: models in two stages.

van den Oord et al. 2017 (arXiv 1711.00937), section 3.3; of a class if the recipe is conditional.

    log p(z | h) = sum_t log p(z_t | z_<t, h),  z = codes of x by the first stage
    log p(x | h) >= log p(x | z) + log p(z | h)                       section 3.2, as z depends on x

The first stage is `stages.codes`, a workdir or a recipe. It needs the functions encode (image to
code), decode (code to image) and distortion (log p(x|z)).
"""

import math
from collections.abc import Callable
from typing import Annotated, NamedTuple

import jax.numpy as jnp

from gm_jax import code_tokens, games, networks
from gm_jax.autoregressive.shared import pixels
from gm_jax.causal import Causal, Sampler, log_prob, of_module, sample
from gm_jax.errors import UserError
from gm_jax.losses.likelihoods import categorical
from gm_jax.model import Aux, Field, Phase, classes_of, example_keys
from gm_jax.networks import Network
from gm_jax.nn.gated_pixelcnn import GatedPixelCNN
from gm_jax.nn.transformer import Transformer, TransformerSettings
from gm_jax.optimizers import Optimizer, adam
from gm_jax.settings import Recipe, Restartable, arguments, one_of, part_of, schema


class Prior(NamedTuple):
    """A causal network over codes; its parameters are `Variables.params["prior"]`.

    init    (key, codes [B, T], label) -> fresh variables
    logits  (variables, codes [B, T], label, keys [B] for dropout) -> [B, T, K] in training
    """

    causal: Causal
    init: Callable
    logits: Callable


def gated_pixelcnn(settings, code: Field, classes: int, dtype) -> Prior:
    """A gated PixelCNN over a grid of codes [h, w]. Raises UserError if they are no grid."""
    if len(code.shape) != 2:
        raise UserError(
            f"network gated_pixelcnn needs codes in a grid, and stages.codes has a sequence of"
            f" {math.prod(code.shape)}: set network.name=gpt"
        )
    own, shape = arguments(settings), (*code.shape, 1)
    module = GatedPixelCNN(code.cardinality, **own, classes=classes, dtype=dtype)
    network, causal = Network("prior", module), pixels.causal(module, shape)

    def init(key, x, label):
        return networks.init(key[None], (network, x.reshape(-1, *shape), label))

    def logits(variables, x, label, keys):
        return causal.apply(variables.params["prior"], x, label)

    return Prior(causal, init, logits)


def gpt(settings, code: Field, classes: int, dtype) -> Prior:
    """A transformer over codes as a sequence."""
    own, length = arguments(settings), math.prod(code.shape)
    module = Transformer(code.cardinality, length, **own, classes=classes, dtype=dtype)
    network = Network("prior", module)

    def init(key, x, label):
        return networks.init(key[None], (network, x, label))

    return Prior(of_module(module), init, network)


NETWORKS = {"gated_pixelcnn": gated_pixelcnn, "gpt": gpt}
GatedPixelCNNSettings = part_of(GatedPixelCNN, "levels", "colors", "classes", "dtype")


@schema
class NetworkSettings:
    """The network over codes, and the settings of each that there is.

    name            which
    gated_pixelcnn  its settings, if it is the one
    gpt             its settings, if it is the one
    """

    name: Annotated[str, one_of(NETWORKS)] = "gated_pixelcnn"
    gated_pixelcnn: GatedPixelCNNSettings = GatedPixelCNNSettings()
    gpt: TransformerSettings = TransformerSettings()


@schema
class Settings(Recipe):
    """A prior over the codes of a first stage.

    conditional  whether the network knows the label
    network      the network over codes
    optimizer    one of optax's
    sampler      how a code is drawn
    """

    conditional: bool = False
    network: NetworkSettings = NetworkSettings()
    optimizer: Optimizer = adam(1e-3)
    sampler: Annotated[Sampler, Restartable()] = Sampler()


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """One player learns the codes, in one phase; configs/vqvae_prior_mnist.py."""
    tokens, sampler = code_tokens.tokens(spec, stages), arguments(settings.sampler)
    length = tokens.length
    classes = classes_of(spec) if settings.conditional else 0
    prior = prior_of(settings, tokens.code, classes)

    def label_of(batch):
        return batch["label"] if classes else None

    def init(key, batch, previous):
        empty = jnp.zeros((len(batch["index"]), length), jnp.int32)
        return prior.init(key, empty, label_of(batch))

    def negative_log_prob(variables, batch, key, step):
        x = tokens.encode(variables, batch, key)
        logits = prior.logits(variables, x, label_of(batch), example_keys(key, batch))
        loss = -jnp.mean(categorical(x, logits))
        return loss, Aux({"nats_per_code": loss / length})

    def sample_images(variables, batch, key):
        """Codes drawn one by one and decoded; if conditional, with the label of each."""
        params, keys = variables.params["prior"], example_keys(key, batch)
        codes = sample(prior.causal, params, keys, length, label_of(batch), **sampler)
        images = {tokens.name: tokens.decode(variables, batch, key, codes)}
        return images | ({"label": batch["label"]} if classes else {})

    def bound(variables, batch, key):
        """log p(x|z) + log p(z|h), a lower bound on log p(x|h), and its two terms, in nats [B]."""
        distortion = tokens.at("distortion", variables, batch, key)
        x, params = distortion["code"].reshape(-1, length), variables.params["prior"]
        log_p = log_prob(prior.causal, params, x, label_of(batch))
        reconstruction = distortion["reconstruction"]
        return {"bound": reconstruction + log_p, "prior": log_p, "reconstruction": reconstruction}

    moves, average = {"negative_log_prob": negative_log_prob}, settings.average
    players = (games.player("prior", ("prior",), moves, settings, average),)
    functions = {"sample": sample_images, "bound": bound}
    return (games.phase(settings, init, players, functions, stages=stages),)


def prior_of(settings: Settings, code: Field, classes: int) -> Prior:
    """The network that a recipe names, for codes like these."""
    own = getattr(settings.network, settings.network.name)
    return NETWORKS[settings.network.name](own, code, classes, jnp.dtype(settings.dtype))
