"""The semi-supervised adversarial autoencoder: a code of a class and a style.

Makhzani et al. 2016 (arXiv 1511.05644), section 5.

    (y, z) = q(x),  y a softmax over classes
    reconstruction     -E log p(x | y, z); of labelled images, given their true y
    adversarial        a critic of y, whose reals are one-hot, and one of z, whose reals are the
                       prior's, both of unlabelled images
    classification     -log y of labelled images

The encoder's three parts are one loss of one optimizer. In training it may be given corrupted
images, and the decoder then denoises.
"""

from typing import Annotated

import jax
import jax.numpy as jnp

from gm_jax import games
from gm_jax.autoencoders.shared import code_game
from gm_jax.autoencoders.shared.code_game import critic, open_codes
from gm_jax.autoencoders.shared.code_priors import PRIORS, any_part
from gm_jax.autoencoders.shared.corruption import CORRUPTIONS, Corruption
from gm_jax.losses.adversarial import log_loss, non_saturating
from gm_jax.losses.likelihoods import categorical
from gm_jax.model import Aux, Phase, example_keys, field_of
from gm_jax.settings import at_least, one_of, schema


@schema
class Settings(code_game.Settings):
    """A semi-supervised adversarial autoencoder.

    latents         numbers of z, the style
    prior           of z
    adversarial     weight of what y's critic says, beside the reconstruction
    style           weight of what z's critic says
    classification  weight of -log y of labelled images
    corruption      of the images that are encoded in training
    """

    latents: Annotated[int, at_least(1)] = 10
    prior: Annotated[str, one_of(PRIORS)] = "normal"
    adversarial: Annotated[float, at_least(0.0)] = 1.0
    style: Annotated[float, at_least(0.0)] = 1.0
    classification: Annotated[float, at_least(0.0)] = 1.0
    corruption: Corruption = Corruption()


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """An autoencoder against two critics; configs/aae_mnist_semi.py."""
    shape = field_of(spec, "image").shape
    field_of(spec, "image_labelled")
    classes = field_of(spec, "label_labelled").cardinality
    codes = open_codes(settings, shape, classes, others=classes)
    corrupted_by = CORRUPTIONS[settings.corruption.name]
    of_class, of_style = (critic(settings, f"critic_{name}") for name in ("class", "style"))

    def init(key, batch, previous):
        size = classes + settings.latents
        return codes.init(key, size, (of_class, classes), (of_style, settings.latents))

    def joined(y, z):
        """The decoder's input of probabilities y [B, classes] and styles z."""
        return jnp.concatenate([y, z], axis=-1)

    def coded(variables, x, keys):
        """The logits of y, [B, classes], and z."""
        z, logits = codes.encode(variables, x, keys)
        return logits, z

    def trained(variables, x, keys):
        """As `coded`, of corrupted images."""
        of_noise, own = jnp.moveaxis(jax.vmap(jax.random.split)(keys), 1, 0)
        return coded(variables, corrupted_by(x, of_noise, settings.corruption.amount), own)

    def judged(variables, y, z):
        """What the critics say of classes and styles, [B] each."""
        return of_class(variables, y)[:, 0], of_style(variables, z)[:, 0]

    def discriminator_loss(variables, batch, key, step):
        own, draw_y, draw_z = (example_keys(k, batch) for k in jax.random.split(key, 3))
        logits, z = trained(variables, batch["image"], own)
        fakes = judged(variables, jax.nn.softmax(logits), z)
        hot = jax.nn.one_hot(any_part(draw_y, classes), classes)
        reals = judged(variables, hot, codes.draw(draw_z))
        losses = [jnp.mean(log_loss(*pair)) for pair in zip(reals, fakes, strict=True)]
        return sum(losses), Aux({"class": losses[0], "style": losses[1]})

    def autoencoder_loss(variables, batch, key, step):
        keys = [example_keys(k, batch) for k in jax.random.split(key)]
        x, known, label = (batch[n] for n in ("image", "image_labelled", "label_labelled"))
        logits, z = trained(variables, x, keys[0])
        own_logits, own_z = trained(variables, known, keys[1])
        y = jax.nn.softmax(logits)
        hot = jax.nn.one_hot(label, classes)
        log_p = codes.log_prob(
            variables, jnp.concatenate([x, known]),
            jnp.concatenate([joined(y, z), joined(hot, own_z)]),
        )  # fmt: skip
        of_y, of_z = (jnp.mean(non_saturating(fake)) for fake in judged(variables, y, z))
        classification = -jnp.mean(categorical(label, own_logits))
        metrics = {
            "reconstruction": jnp.mean(log_p), "class": of_y, "style": of_z,
            "classification": classification,
        }  # fmt: skip
        weighted = settings.adversarial * of_y + settings.style * of_z
        weighted += settings.classification * classification
        return weighted - jnp.mean(log_p), Aux(metrics)

    def sample(variables, batch, key):
        """Means of p(x | y, z) of the requested class and z ~ p(z)."""
        z = codes.draw(example_keys(key, batch))
        y = jax.nn.one_hot(batch["label"], classes)
        return {"image": codes.images(variables, joined(y, z)), "label": batch["label"]}

    def styles(variables, batch, key):
        """Each class in the same style, drawn from the prior: [B, classes, H, W, C]."""
        z = codes.draw(example_keys(key, batch))

        def of(number):
            hot = jnp.broadcast_to(jax.nn.one_hot(number, classes), (len(z), classes))
            return codes.images(variables, joined(hot, z))

        return {"image": jax.vmap(of, out_axes=1)(jnp.arange(classes))}

    def reconstruct(variables, batch, key):
        """The image beside the mean of p(x | y, z), [B, 2, H, W, C]."""
        logits, z = coded(variables, batch["image"], example_keys(key, batch))
        image = codes.images(variables, joined(jax.nn.softmax(logits), z))
        return {"image": jnp.stack([batch["image"], image], axis=1)}

    def classify(variables, batch, key):
        """The most probable class, [B]."""
        logits, _ = coded(variables, batch["image"], example_keys(key, batch))
        return {"label": jnp.argmax(logits, axis=-1)}

    def error(variables, batch, key):
        """Whether the most probable class is wrong, and log y of the label, [B]."""
        logits, _ = coded(variables, batch["image"], example_keys(key, batch))
        wrong = jnp.argmax(logits, axis=-1) != batch["label"]
        log_p = categorical(batch["label"], logits)
        return {"error": wrong.astype(logits.dtype), "log_likelihood": log_p}

    losses = discriminator_loss, autoencoder_loss
    critics = of_class.name, of_style.name
    players = code_game.players(settings, codes, critics, losses)
    functions = {f.__name__: f for f in (sample, styles, reconstruct, classify, error)}
    functions |= code_game.functions(codes)
    return (games.phase(settings, init, players, functions),)
