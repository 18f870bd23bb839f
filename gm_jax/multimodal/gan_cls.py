"""GAN-INT-CLS: pictures of texts by a GAN whose discriminator knows when a text does not fit.

Reed et al. 2016, Generative Adversarial Text to Image Synthesis (arXiv 1605.05396):

    s_r = D(x, t),  s_w = D(x', t),  s_f = D(G(z, t), t)                       algorithm 1
    L_D = -log s_r - (1 - m) log(1 - s_f) - m log(1 - s_w),  m = 1/2           4.2, GAN-CLS
    L_G = -log s_f, of the batch's texts and of means of two of them           4.3, GAN-INT, eq. 5

t is the text's embedding by the frozen `stages.clip`; x' is a real picture of another text: to make
a pair that does not fit, the authors' code exchanges the picture.
"""

from typing import Annotated

import jax
import jax.numpy as jnp

from gm_jax import conditions, games, networks, replicas
from gm_jax.clip_stage import clip_of
from gm_jax.losses.adversarial import log_loss, non_saturating
from gm_jax.model import Aux, Phase, example_keys, field_of
from gm_jax.multimodal.shared.text_gan import Discriminator, Generator, check_side
from gm_jax.networks import Network
from gm_jax.nn.layers import Size, normal
from gm_jax.optimizers import Optimizer, adam
from gm_jax.settings import Recipe, Restartable, arguments, at_least, below, part_of, schema


@schema
class GeneratorPlayer(part_of(Generator, "shape", "dtype")):
    """The player that draws.

    optimizer  one of optax's
    """

    optimizer: Optimizer = adam(2e-4, b1=0.5)


@schema
class DiscriminatorPlayer(part_of(Discriminator, "dtype")):
    """The player that tells real pictures of their own texts from all others.

    optimizer  one of optax's
    """

    optimizer: Optimizer = adam(2e-4, b1=0.5)


@schema
class Sampler:
    """How pictures are drawn.

    prompt  what all samples show; "" for the captions of the data
    """

    prompt: str = ""


@schema
class Settings(Recipe):
    """GAN-INT-CLS, and without its two ideas a conditional GAN.

    latent         numbers of z, standard normal
    mismatch       m, share of real pictures of other texts in what D takes for false; 0 for none
    interpolation  whether G also learns from means of two texts
    generator      the player that draws
    discriminator  the player that tells real pictures of their own texts from all others
    sampler        how pictures are drawn
    """

    latent: Size = 100
    mismatch: Annotated[float, at_least(0.0), below(1.0)] = 0.5
    interpolation: bool = True
    generator: GeneratorPlayer = GeneratorPlayer()
    discriminator: DiscriminatorPlayer = DiscriminatorPlayer()
    sampler: Annotated[Sampler, Restartable()] = Sampler()

    def wrong(self):
        """Choices that do not go together, a line for each."""
        yield from super().wrong()
        if self.interpolation and self.batch_size % 2:
            yield f"interpolation pairs the texts of a batch: batch_size {self.batch_size} is odd"


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """A generator against a discriminator of pictures and texts; configs/gan_cls_shapes.py."""
    field, dtype = field_of(spec, "caption"), jnp.dtype(settings.dtype)
    shape, clip = field_of(spec, "image").shape, clip_of(stages, field)
    check_side(shape)
    own, other = (arguments(p, "optimizer") for p in (settings.generator, settings.discriminator))
    generator = Network("generator", Generator(shape, **own, dtype=dtype))
    discriminator = Network("discriminator", Discriminator(**other, dtype=dtype))
    asked = conditions.prompted(settings.sampler.prompt, spec)

    def latent(key, batch):
        return normal(example_keys(key, batch), (settings.latent,))

    def init(key, batch, previous):
        t = jnp.zeros((len(batch["index"]), clip.width))
        calls = (generator, latent(key, batch), t), (discriminator, batch["image"], t)
        return networks.split_init(key, *calls)

    def discriminator_loss(variables, batch, key, step):
        t = clip.text(variables, batch, key)
        fakes, _ = generator.train(variables, latent(key, batch), t)
        real, state = discriminator.train(variables, batch["image"], t)
        wrong, _ = discriminator.train(variables, others(batch), t)
        fake, _ = discriminator.train(variables, fakes, t)
        m = settings.mismatch
        loss = (1.0 - m) * log_loss(real, fake) + m * log_loss(real, wrong)
        outputs = {"real_output": real, "wrong_output": wrong, "fake_output": fake}
        metrics = {name: jnp.mean(output) for name, output in outputs.items()}
        return jnp.mean(loss), Aux(metrics, {"discriminator": state})

    def generator_loss(variables, batch, key, step):
        t, z = clip.text(variables, batch, key), latent(key, batch)
        if settings.interpolation:
            own, means = halfway(t, batch)
            t = jnp.concatenate([t, means])
            z = jnp.concatenate([z, latent(jax.random.fold_in(key, 1), own)])
        fakes, state = generator.train(variables, z, t)
        fake, _ = discriminator.train(variables, fakes, t)
        return jnp.mean(non_saturating(fake)), Aux(state={"generator": state})

    def sample(variables, batch, key):
        """A picture of each caption, or of the prompt."""
        t = clip.text(variables, asked(batch), key)
        return {"image": generator(variables, latent(key, batch), t)}

    players = (
        games.player(
            "discriminator", ("discriminator",), {"value": discriminator_loss},
            settings.discriminator,
        ),
        games.player(
            "generator", ("generator",), {"value": generator_loss}, settings.generator,
            settings.average,
        ),
    )  # fmt: skip
    return (games.phase(settings, init, players, {"sample": sample}, stages=stages),)


def others(batch):
    """For each caption the picture of the next one in the global batch that differs, [B, H, W, C].

    Of equal captions all round the next picture: it fits, but there is no other.
    """
    captions, images = replicas.gather((batch["caption"], batch["image"]))
    count = len(captions)
    following = (batch["index"][:, None] + jnp.arange(1, count)) % count
    differs = jnp.any(captions[following] != batch["caption"][:, None], axis=-1)
    chosen = jnp.take_along_axis(following, jnp.argmax(differs, axis=1)[:, None], axis=1)
    return images[chosen[:, 0]]


def halfway(t, batch):
    """The means of text i and text i + B/2 of the global batch, and their numbers i as a batch.

    Each device has its share: half as many as it has texts.
    """
    every = replicas.gather(t)
    half, own = len(every) // 2, batch["index"][::2] // 2
    return {"index": own}, 0.5 * (every[own] + every[own + half])
