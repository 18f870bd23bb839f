"""SPADE (GauGAN): photographs of label maps, by spatially adaptive normalisation.

Park et al. 2019 (arXiv 1903.07291), with a label map m, a photograph x and a style z:

    gamma(m) (h - mu) / sigma + beta(m)                      eq. 1, gamma = 1 + what is learned
    L_D  = mean over scales of E max(0, 1 - D(m, x)) + E max(0, 1 + D(m, G(m, z)))
    L_G  = mean over scales of -E D(m, G(m, z)) + 10/scales sum over layers E |D_l(x) - D_l(G)|
           + 10 d(x, G(m, z)) + .05 sum over the batch of KL(q(z|x) || N(0, I))

D_l are the maps of D before its logits, those of x without a gradient. d is a distance of features
(`stages.features`; VGG19's in the paper). q(z|x) is an encoder's, if there is a style: without it
the first map is made of m. In use, norms have their running statistics and styles are drawn.
"""

from typing import Annotated

import jax
import jax.numpy as jnp

from gm_jax import games, networks, replicas
from gm_jax.errors import UserError
from gm_jax.losses.adversarial import VALUE_FUNCTIONS
from gm_jax.losses.likelihoods import gaussian_kl
from gm_jax.model import Aux, Phase, example_keys, field_of
from gm_jax.networks import Network
from gm_jax.nn.layers import normal
from gm_jax.nn.patchgan import paired
from gm_jax.optimizers import Optimizer, adam
from gm_jax.settings import Recipe, arguments, at_least, one_of, part_of, schema
from gm_jax.translation.shared import multiscale, spade

Weight = Annotated[float, at_least(0.0)]
Encoder = part_of(spade.Encoder, "dtype")


@schema
class Generator(part_of(spade.Generator, "features", "dtype")):
    """The player that translates.

    optimizer  of it and of the encoder, one of optax's
    """

    optimizer: Optimizer = adam(1e-4, b1=0.0, b2=0.9)


@schema
class Discriminator(part_of(multiscale.MultiScale, "normalization", "dtype")):
    """The player that tells photographs of label maps from translations, at several scales.

    optimizer  one of optax's
    """

    optimizer: Optimizer = adam(4e-4, b1=0.0, b2=0.9)


@schema
class Settings(Recipe):
    """SPADE.

    value_function  what D maximises and G minimises
    matching        weight of the distance of D's maps
    perceptual      weight of the distance of features; stages.features says whose. 0 for none
    style           whether an encoder gives the photograph's style to G
    kl              weight of the styles' divergence from N(0, I), summed over the batch
    edges           whether G and D see the borders of objects (segmentation_instance), too
    generator       the player that translates
    discriminator   the player that tells photographs from translations
    encoder         of styles
    """

    value_function: Annotated[str, one_of(VALUE_FUNCTIONS)] = "hinge"
    matching: Weight = 10.0
    perceptual: Weight = 0.0
    style: bool = False
    kl: Weight = 0.05
    edges: bool = False
    generator: Generator = Generator()
    discriminator: Discriminator = Discriminator()
    encoder: Encoder = Encoder()

    def wrong(self):
        """Choices that do not go together, a line for each."""
        yield from super().wrong()
        yield from games.without_features(self)


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """A generator, with an encoder or without, against critics; configs/spade_scenes.py."""
    target = "image_b" if "image_b" in spec else "image"
    shape, classes = field_of(spec, target).shape, field_of(spec, "segmentation").cardinality
    _check(settings, spec, shape)
    dtype, value = jnp.dtype(settings.dtype), VALUE_FUNCTIONS[settings.value_function]
    own, other = (arguments(p, "optimizer") for p in (settings.generator, settings.discriminator))
    generator = Network("generator", spade.Generator(shape[-1], **own, dtype=dtype))
    critics = multiscale.MultiScale(**other, normalization="spectral_instance", dtype=dtype)
    discriminator = Network("discriminator", critics)
    encoder = Network("encoder", spade.Encoder(**arguments(settings.encoder), dtype=dtype))
    distances = games.feature_distances(stages) if settings.perceptual else lambda *_: {}

    def labels(batch):
        """The label map as one channel a class, and the borders of objects, [B, H, W, L]."""
        m = jax.nn.one_hot(batch["segmentation"], classes)
        if settings.edges:
            border = spade.edges(batch["segmentation_instance"])
            m = jnp.concatenate([m, border[..., None].astype(m.dtype)], axis=-1)
        return m

    def init(key, batch, previous):
        m, x = labels(batch), batch[target]
        z = jnp.zeros((len(x), settings.encoder.size)) if settings.style else None
        calls = [(generator, m, z), (discriminator, paired(m, x))]
        return networks.split_init(key, *calls, *([(encoder, x)] if settings.style else []))

    def encoded(variables, batch, key):
        """A style drawn from q(z|x) [B, Z], KL(q(z|x) || N(0, I)) [B] and the encoder's state."""
        (mean, log_variance), state = encoder.train(variables, batch[target])
        noise = normal(example_keys(key, batch), mean.shape[1:])
        z = mean + jnp.exp(0.5 * log_variance) * noise
        return z, gaussian_kl(mean, log_variance), {"encoder": state}

    def translated(variables, batch, key):
        """G(m, z) in training, the new states of what made it, and KL(q(z|x) || N(0, I)) [B]."""
        z, kl, state = encoded(variables, batch, key) if settings.style else (None, None, {})
        fake, state["generator"] = generator.train(variables, labels(batch), z)
        return fake, state, kl

    def judged(variables, batch, fake):
        """For each scale D's (logits, maps) of x, and those of `fake`, and D's new state."""
        m = labels(batch)
        pairs = [paired(m, image) for image in (batch[target], fake)]
        return multiscale.judged(discriminator, variables, *pairs)

    def generator_loss(variables, batch, key, step):
        fake, state, kl = translated(variables, batch, key)
        reals, fakes, _ = judged(variables, batch, fake)
        values = multiscale.values(value.generator, reals, fakes)
        metrics = {
            "adversarial": sum(values) / len(values),
            "matching": multiscale.matching(reals, fakes),
        }
        loss = metrics["adversarial"] + settings.matching * metrics["matching"]
        for name, far in distances(variables, batch[target], fake, key).items():
            metrics[name] = jnp.mean(far)
            loss += settings.perceptual * metrics[name]
        if settings.style:
            metrics["kl"] = jnp.mean(kl) * len(kl) * replicas.size()  # The sum over the batch.
            loss += settings.kl * metrics["kl"]
        return loss, Aux(metrics, state)

    def discriminator_loss(variables, batch, key, step):
        fake, _, _ = translated(variables, batch, key)
        reals, fakes, state = judged(variables, batch, fake)
        terms = multiscale.values(value.discriminator, reals, fakes)
        return sum(terms) / len(terms), Aux(state={"discriminator": state})

    def translate(variables, batch, key):
        """A photograph of the label map; if there are styles, of one that is drawn."""
        z = normal(example_keys(key, batch), (settings.encoder.size,)) if settings.style else None
        return {target: generator(variables, labels(batch), z)}

    def reconstruct(variables, batch, key):
        """The photograph beside the translation of its label map, in its own style if there are
        styles, [B, 2, H, W, C]."""
        x, z = batch[target], None
        if settings.style:
            z, _ = encoder(variables, x)
        return {"image": jnp.stack([x, generator(variables, labels(batch), z)], axis=1)}

    def compare(variables, batch, key):
        """A photograph and two translations of its label map, [B, 3, H, W, C]."""
        pair = reconstruct(variables, batch, key)["image"]
        other = translate(variables, batch, key)[target]
        return {"image": jnp.concatenate([pair, other[:, None]], axis=1)}

    owns = ("generator", *(["encoder"] if settings.style else []))
    players = (
        games.player(
            "generator", owns, {"value": generator_loss}, settings.generator, settings.average
        ),
        games.player(
            "discriminator", ("discriminator",), {"value": discriminator_loss},
            settings.discriminator,
        ),
    )  # fmt: skip
    functions = {f.__name__: f for f in (translate, reconstruct, compare)}
    return (games.phase(settings, init, players, functions, stages=stages),)


def _check(settings: Settings, spec, shape) -> None:
    """Raises UserError if the data does not fit the networks."""
    spade.check_sides(shape, settings.generator.levels, "generator")
    if settings.style:
        spade.check_sides(shape, settings.encoder.levels + 1, "encoder")
    if settings.edges and "segmentation_instance" not in spec:
        raise UserError(
            "edges=True needs segmentation_instance, the object of each pixel, which this data set"
            " does not have: set edges=False"
        )
