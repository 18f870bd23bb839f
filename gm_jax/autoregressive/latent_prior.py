"""A prior over the codes of a frozen first stage, such as a VQ-VAE: models in two stages.

van den Oord et al. 2017 (arXiv 1711.00937), section 3.3; a class where the recipe is conditional.

    log p(z | h) = sum_t log p(z_t | z_<t, h),  z = codes of x by the first stage
    log p(x | h) >= log p(x | z) + log p(z | h)                       section 3.2, as z depends on x

The first stage is `stages.codes`, a workdir or a recipe. It needs the functions encode (image to
code), decode (code to image) and distortion (log p(x|z)).
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp

from gm_jax.autoregressive import pixels
from gm_jax.autoregressive.causal import Causal, check_sampler, log_prob, of_module, sample
from gm_jax.errors import UserError, choose_part
from gm_jax.losses.likelihoods import categorical
from gm_jax.model import (
    Aux,
    Field,
    GenerativeModel,
    Move,
    Phase,
    Player,
    Stage,
    Variables,
    example_keys,
    field_of,
)  # fmt: skip
from gm_jax.nn.gated_pixelcnn import GatedPixelCNN
from gm_jax.nn.transformer import Transformer
from gm_jax.optimizers import optimizer, warmed_up


class Network(NamedTuple):
    """A causal network, its parameters' beginning, and its logits in training.

    init    (key, codes [B, T], label) -> params
    logits  (params, codes [B, T], label, keys [B] for dropout) -> [B, T, K]
    """

    causal: Causal
    init: Callable
    logits: Callable


def build(config, spec, stages) -> tuple[Phase, ...]:
    """One player learns the codes; configs/vqvae_prior_mnist.py shows the keys."""
    check_sampler(**config.sampler)
    first = first_stage(spec, stages)
    code = first.model.spec["code"]
    places = math.prod(code.shape)
    network = network_of(config, code, pixels.classes(config, spec))

    def label_of(batch):
        return batch["label"] if config.conditional else None

    def sequence(codes):
        return codes.reshape(-1, places)

    def encode(variables, batch, key):
        """The first stage's codes of the images, [B, T]."""
        return sequence(first.model.functions["encode"](variables.frozen, batch, key)["code"])

    def init(key, batch, previous):
        empty = jnp.zeros((len(batch["index"]), places), jnp.int32)
        return Variables({"prior": network.init(key, empty, label_of(batch))})

    def negative_log_prob(variables, batch, key, step):
        x, keys = encode(variables, batch, key), example_keys(key, batch)
        logits = network.logits(variables.params["prior"], x, label_of(batch), keys)
        loss = -jnp.mean(categorical(x, logits))
        return loss, Aux({"nats_per_code": loss / places})

    def sample_images(variables, batch, key):
        """Codes drawn one by one and decoded; where conditional, beside the label they obey."""
        codes = sample(
            network.causal, variables.params["prior"], example_keys(key, batch), places,
            label_of(batch), **config.sampler,
        )  # fmt: skip
        codes = {**batch, "code": codes.reshape(-1, *code.shape)}
        images = first.model.functions["decode"](variables.frozen, codes, key)
        return images | ({"label": label_of(batch)} if config.conditional else {})

    def bound(variables, batch, key):
        """log p(x|z) + log p(z|h), a bound on log p(x|h), and its two terms, in nats [B]."""
        judged = first.model.functions["distortion"](variables.frozen, batch, key)
        x, params = sequence(judged["code"]), variables.params["prior"]
        prior = log_prob(network.causal, params, x, label_of(batch))
        reconstruction = judged["reconstruction"]
        return {"bound": reconstruction + prior, "prior": prior, "reconstruction": reconstruction}

    player = Player(
        "prior",
        owns=("prior",),
        optimizer=optimizer(config.optimizer),
        moves=(Move("negative_log_prob", negative_log_prob),),
        average=warmed_up(config.average),
    )
    model = GenerativeModel(init, (player,), {"sample": sample_images, "bound": bound})
    return (Phase("train", model, config.data, config.steps, first.variables),)


def first_stage(spec, stages) -> Stage:
    """The stage `codes`. Raises UserError where there is none, or none for images like these."""
    if set(stages) != {"codes"}:
        raise UserError(
            "a prior over codes needs one first stage: configs/vqvae_prior_mnist.py:frozen with"
            " --config.stages.codes=WORKDIR of a run with codes, such as one of"
            " configs/vqvae_mnist.py"
        )
    first = stages["codes"]
    if "code" not in first.model.spec:
        known = ", ".join(first.model.functions)
        raise UserError(
            f"stages.codes is a model without codes (it has the functions {known}): give the"
            " workdir of a vqvae, vqvae2 or dvae"
        )
    theirs, ours = first.model.spec["image"], field_of(spec, "image")
    if theirs != ours:
        raise UserError(
            f"stages.codes was trained on images {theirs.shape} of {theirs.cardinality} values, the"
            f" data of this recipe has {ours.shape} of {ours.cardinality}: use the same `data`"
        )
    return first


def gated_pixelcnn(settings: dict, code: Field, classes: int, dtype) -> Network:
    """A gated PixelCNN over a grid of codes [h, w]."""
    if len(code.shape) != 2:
        raise UserError(
            f"network gated_pixelcnn needs codes in a grid, and stages.codes has a sequence of"
            f" {math.prod(code.shape)}: set network.name=gpt"
        )
    net = GatedPixelCNN(code.cardinality, classes=classes, dtype=dtype, **settings)
    shape = (*code.shape, 1)
    causal = pixels.causal(net, shape)

    def init(key, x, label):
        return net.init(key, x.reshape(-1, *shape), label)["params"]

    return Network(causal, init, lambda params, x, label, keys: causal.apply(params, x, label))


def gpt(settings: dict, code: Field, classes: int, dtype) -> Network:
    """A transformer over codes as a sequence."""
    places = math.prod(code.shape)
    net = Transformer(code.cardinality, places, classes=classes, dtype=dtype, **settings)

    def init(key, x, label):
        return net.init(key, x, label)["params"]

    def logits(params, x, label, keys):
        return net.apply({"params": params}, x, label, keys)

    return Network(of_module(net), init, logits)


NETWORKS = {"gated_pixelcnn": gated_pixelcnn, "gpt": gpt}


def network_of(config, code: Field, classes: int) -> Network:
    """The network of a recipe's `network` part."""
    make, settings = choose_part("network", config.network, NETWORKS)
    return make(settings, code, classes, jnp.dtype(config.dtype))
