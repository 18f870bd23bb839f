"""The adversarial autoencoder: a critic of codes in place of a KL.

Makhzani et al. 2016 (arXiv 1511.05644), sections 2 and 2.3.

    min_{q,p} max_D  -E log p(x | z) + E log D(z') + E log(1 - D(z)),  z ~ q(z | x), z' ~ p(z)

the encoder's part of the game non-saturating. q is deterministic, Gaussian, or f(x, noise). With
`labels` D also sees whose code it is, as one of the classes and "unlabelled": codes of a class
are compared with draws of its part of the prior, codes without a label with all of it.
"""

import jax
import jax.numpy as jnp

from gm_jax import games
from gm_jax.autoencoders.shared import code_game
from gm_jax.autoencoders.shared.code_game import FRAMES, PARTS, critic, open_codes
from gm_jax.autoencoders.shared.code_priors import any_part
from gm_jax.losses.adversarial import log_loss, non_saturating
from gm_jax.model import Aux, Phase, classes_of, example_keys, field_of
from gm_jax.settings import schema


@schema
class Settings(code_game.Settings):
    """An adversarial autoencoder.

    labels  whether D sees the labels that there are: all of the data's, or half_labelled's few
    """

    labels: bool = False

    def wrong(self):
        """Choices that do not go together, a line for each."""
        yield from super().wrong()
        if self.labels and self.prior == "normal":
            yield "labels need a prior in parts: set prior to star or swiss_roll"


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """An autoencoder against a critic of codes; configs/aae_mnist.py."""
    shape = field_of(spec, "image").shape
    parts = classes_of(spec) if settings.labels else PARTS
    unlabelled = parts  # The number of the class that stands for none.
    codes = open_codes(settings, shape, parts)
    discriminator, weight = critic(settings, "discriminator"), settings.adversarial

    def init(key, batch, previous):
        seen = settings.latents + (parts + 1 if settings.labels else 0)
        return codes.init(key, settings.latents, (discriminator, seen))

    def with_class(z, number):
        """What D sees of codes [B, D], and of the class of each if there are labels."""
        if not settings.labels:
            return z
        return jnp.concatenate([z, jax.nn.one_hot(number, parts + 1)], axis=-1)

    def rows(batch):
        """Images and their classes, a pair of arrays for all and one for the labelled."""
        x, none = batch["image"], jnp.full(len(batch["image"]), unlabelled)
        if not settings.labels:
            return [(x, none)]
        if "image_labelled" in spec:
            return [(x, none), (batch["image_labelled"], batch["label_labelled"])]
        return [(x, batch["label"])]

    def own_keys(key, batch, groups):
        """Keys [B] of each of the groups of rows."""
        return [example_keys(jax.random.fold_in(key, n), batch) for n in range(len(groups))]

    def coded(variables, batch, key):
        """Images, their codes, and what D says of these, of all groups of rows."""
        groups = rows(batch)
        keys = jnp.concatenate(own_keys(key, batch, groups))
        x, number = (jnp.concatenate(part) for part in zip(*groups, strict=True))
        z, _ = codes.encode(variables, x, keys)
        return x, z, discriminator(variables, with_class(z, number))[:, 0]

    def judged_reals(variables, batch, key):
        """What D says of draws of the prior: of any part, or with the part as the class."""
        groups = rows(batch)
        real = []
        for keys, (_, number) in zip(own_keys(key, batch, groups), groups, strict=True):
            of_part, of_z = jnp.moveaxis(jax.vmap(jax.random.split)(keys), 1, 0)
            part = any_part(of_part, parts)
            seen = jnp.where(number == unlabelled, unlabelled, part)
            z = codes.prior.draw(of_z, part)
            real.append(discriminator(variables, with_class(z, seen))[:, 0])
        return jnp.concatenate(real)

    def discriminator_loss(variables, batch, key, step):
        own, other = jax.random.split(key)
        _, _, fake = coded(variables, batch, own)
        return jnp.mean(log_loss(judged_reals(variables, batch, other), fake)), Aux()

    def autoencoder_loss(variables, batch, key, step):
        x, z, fake = coded(variables, batch, key)
        reconstruction = jnp.mean(codes.log_prob(variables, x, z))
        judged = jnp.mean(non_saturating(fake))
        metrics = {"reconstruction": reconstruction, "adversarial": judged}
        return weight * judged - reconstruction, Aux(metrics)

    def sample(variables, batch, key):
        """Means of p(x|z), z of the prior, with `labels` of the requested part of it."""
        keys = example_keys(key, batch)
        if not settings.labels:
            return {"image": codes.images(variables, codes.draw(keys))}
        z = codes.prior.draw(keys, batch["label"])
        return {"image": codes.images(variables, z), "label": batch["label"]}

    def reconstruct(variables, batch, key):
        """The image beside the mean of p(x|z), [B, 2, H, W, C]."""
        z, _ = codes.encode(variables, batch["image"], example_keys(key, batch))
        return {"image": jnp.stack([batch["image"], codes.images(variables, z)], axis=1)}

    def manifold(variables, batch, key):
        """Along the parts of the prior in turn, [B, FRAMES, H, W, C]; of a normal one, a grid."""
        part = batch["index"] % parts
        steps = (jnp.arange(FRAMES) + 0.5) / FRAMES

        def at(t):
            return codes.images(variables, codes.prior.along(part, jnp.full(len(part), t)))

        return {"image": jax.vmap(at, out_axes=1)(steps)}

    def own_part(variables, batch, key):
        """Whether the code lies in the part of the prior that is its label's, [B]."""
        z, _ = codes.encode(variables, batch["image"], example_keys(key, batch))
        return {"own_part": (codes.prior.part_of(z) == batch["label"]).astype(z.dtype)}

    losses = discriminator_loss, autoencoder_loss
    players = code_game.players(settings, codes, ("discriminator",), losses)
    functions = {f.__name__: f for f in (sample, reconstruct, manifold)}
    functions |= code_game.functions(codes)
    if codes.prior.part_of and settings.labels:
        functions["own_part"] = own_part
    return (games.phase(settings, init, players, functions),)
