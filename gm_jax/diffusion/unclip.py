"""unCLIP's decoder: an image from a CLIP embedding, or from a caption by way of one.

Ramesh et al. 2022, Hierarchical Text-Conditional Image Generation with CLIP Latents (DALL-E 2,
arXiv 2204.06125):

    P(x | y) = P(x | z_i) P(z_i | y)                                            eq. 1
    L = E || eps - eps_theta(x_t, t, z_i) ||^2,  z_i hidden in a tenth          section 2.1
    z_i is added to the time's embedding, and makes four words of context       section 2.1
    z = slerp(z_i, z_i'),  z = slerp(z_i, (z_t - z_t0) / |z_t - z_t0|)          sections 3.2, 3.3

`stages.clip` is a CLIP, or a prior that is built on one; `stages.prior`, if given, is another
prior, and may come before or after training. Images are drawn `factor` times smaller than CLIP sees
them: configs/dalle2_shapes.py enlarges them.
"""

import dataclasses
from collections.abc import Callable
from typing import Annotated, Any

import jax
import jax.numpy as jnp
from jax import lax

from gm_jax import clip_stage, conditions, games, networks
from gm_jax.diffusion.shared import classifiers, core, denoisers, uses
from gm_jax.diffusion.shared.choices import Choices, Share
from gm_jax.diffusion.shared.sampling import Sampler
from gm_jax.errors import UserError
from gm_jax.model import Phase, example_keys, field_of
from gm_jax.networks import Network
from gm_jax.nn.embedding_transformer import EmbeddingReader
from gm_jax.nn.layers import Size, normalised
from gm_jax.nn.upsampling import shrunk, small_shape
from gm_jax.optimizers import Optimizer, adam
from gm_jax.settings import Recipes, Restartable, one_of, schema

EMBEDDINGS = ("prior", "text")
VARIATIONS = 4
FRAMES = 7  # from one image to another
# Bits are of images of which nothing is known; an embedding is made from the image itself.
OF_PIXELS = ("bound", "ode_bits")


@schema
class UnclipSampler(Sampler):
    """From an embedding and noise to an image.

    embedding  which one: prior, drawn for the caption by stages.prior (or by stages.clip, if that
               is a prior); text, the caption's own, as if it were an image's
    prompt     what all samples show; "" for the captions of the data
    target     the caption towards which blend and text_difference move; "" for neither function
    """

    embedding: Annotated[str, one_of(EMBEDDINGS)] = "prior"
    prompt: str = ""
    target: str = ""


@schema
class Settings(Choices):
    """unCLIP's decoder.

    factor     how many times smaller than the data's the sides of the drawn images are
    words      number of context words that an embedding becomes, if the network reads a context
    network    the network, a U-Net or a DiT
    optimizer  one of optax's
    stages     {name: workdir of an earlier run, or a recipe to train first}; clip; prior and
               classifier may come after training
    """

    label_dropout: Share = 0.1
    factor: Size = 1
    words: Size = 4
    network: denoisers.NetworkSettings = denoisers.NetworkSettings()
    optimizer: Optimizer = adam(1e-4)
    sampler: Annotated[UnclipSampler, Restartable()] = UnclipSampler()
    stages: Annotated[dict[str, Any], Recipes(late=("prior", "classifier"))] = dataclasses.field(
        default_factory=dict
    )

    def wrong(self):
        """Choices that do not go together, a line for each."""
        yield from super().wrong()
        if self.weights:
            yield "weights are of networks that see no embedding: leave them out of unclip"
        if self.sampler.guidance and not self.guidable:
            yield "sampler.guidance needs a model trained with label_dropout > 0"
        if self.network.name == "unet" and not self.network.transformer_blocks:
            yield (
                "an embedding's words are read by cross-attention: set network.transformer_blocks"
                " to 1 or more"
            )

    @property
    def guidable(self) -> bool:
        """Whether the network also learned without an embedding."""
        return self.label_dropout > 0


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """One player learns to draw embeddings, in one phase; configs/unclip_shapes.py."""
    field, dtype, sampler = field_of(spec, "image"), jnp.dtype(settings.dtype), settings.sampler
    shape = small_shape(field.shape, settings.factor)
    clip = clip_stage.clip_of(stages, field_of(spec, "caption"), field)
    drawn_embedding = embeddings(sampler.embedding, clip, stages)
    asked = conditions.prompted(sampler.prompt, spec)
    channels = 2 * shape[-1] if settings.learned else shape[-1]
    network = Network("network", denoisers.module_of(settings.network, 0, channels, dtype))
    reader = Network("reader", EmbeddingReader(settings.words, clip.width, dtype))

    def image(variables, batch, key):
        return shrunk(batch["image"], shape) if settings.factor > 1 else batch["image"]

    def init(key, batch, previous):
        reader_key, network_key = jax.random.split(key)
        count = len(batch["index"])
        embedding = jnp.zeros((count, clip.width))
        own = networks.init(reader_key[None], (reader, embedding, jnp.zeros(count, bool)))
        seen, context = reader(own, embedding, jnp.zeros(count, bool))
        inputs = jnp.zeros((count, *shape)), jnp.zeros(count), seen, None, context
        variables = networks.init(network_key[None], (network, *inputs))
        return variables._replace(params=own.params | variables.params, state=core.state(settings))

    def given(variables, batch, key, training):
        """The batch with its embeddings: in training those of its images."""
        if "embedding" in batch:
            return batch
        if training:
            return dict(batch, embedding=clip.image(variables, batch, key))
        return dict(batch, embedding=drawn_embedding(variables, asked(batch), key))

    def predict(variables, batch, drop, keys):
        embedding = batch["embedding"]
        hidden = jnp.broadcast_to(drop, (len(embedding),))
        seen, context = reader(variables, embedding, hidden)
        return lambda x, level: network(variables, x, level, seen, keys, context)

    def embed(variables, batch, key):
        """The embeddings from which samples are drawn, scaled to length 1."""
        return {"embedding": normalised(drawn_embedding(variables, asked(batch), key))}

    guide = classifiers.guide(settings, spec, shape, stages)
    model = core.Core(settings, settings.process(), shape, image, predict, guide=guide, given=given)
    functions = {n: f for n, f in core.functions(model).items() if n not in OF_PIXELS}
    functions |= _of_images(model, clip) | clip_stage.passed_on(stages) | {"embed": embed}
    if sampler.target:
        aimed = conditions.prompted(sampler.target, spec)
        functions |= _towards(model, clip, drawn_embedding, aimed)
    owns, average = ("network", "reader"), settings.average
    players = (games.player("unclip", owns, core.objective(model), settings, average),)
    drawn = core.spec_of(model, spec) | {"image": field._replace(shape=shape)}
    drawn |= {name: stages["clip"].model.spec[name] for name in ("caption", "embedding")}
    drawn["image_whole"] = field  # Which its encoders see.
    return (games.phase(settings, init, players, functions, drawn, stages),)


def embeddings(name: str, clip: clip_stage.Clip, stages) -> Callable:
    """(variables, batch, key) -> the embeddings from which samples are drawn, [B, width].

    Raises UserError if a prior is asked for and there is none.
    """
    if name == "text":
        return clip.text
    stage = "prior" if "prior" in stages else "clip"
    model = stages[stage].model
    if "embed" not in model.functions:
        raise UserError(
            f"stages.{stage} draws no embeddings: set stages.prior to the workdir of a prior such"
            " as configs/unclip_prior_shapes.py, or sampler.embedding=text"
        )
    if model.spec["embedding"].shape != (clip.width,):
        raise UserError(
            f"stages.prior draws embeddings of {model.spec['embedding'].shape[0]} numbers, and"
            f" stages.clip has {clip.width}: take a prior of the same CLIP"
        )

    def draw(variables, batch, key):
        drawn = model.functions["embed"](variables.frozen[stage], batch, key)
        return drawn["embedding"] * clip.width**0.5

    return draw


def _own(clip: clip_stage.Clip, variables, batch, key):
    """The batch with the embeddings of its images."""
    return dict(batch, embedding=clip.image(variables, batch, key))


def _of_images(model: core.Core, clip: clip_stage.Clip) -> dict:
    """The functions that start from an image's own embedding."""

    def variations(variables, batch, key):
        """The image, and images drawn from its embedding, [B, 1 + VARIATIONS, H, W, C]."""
        batch = _own(clip, variables, batch, key)

        def one(key):
            return core.chain(model, variables, batch, key)[0]

        made = lax.map(one, jax.random.split(key, VARIATIONS))
        x = model.data(variables, batch, key)
        return {"image": jnp.concatenate([x[:, None], jnp.moveaxis(made, 0, 1)], axis=1)}

    def reconstruct(variables, batch, key):
        """The image beside itself after DDIM's inversion and DDIM, [B, 2, H, W, C]."""
        own = _own(clip, variables, batch, key)
        return core.functions(model)["reconstruct"](variables, own, key)

    return {"variations": variations, "reconstruct": reconstruct}


def _towards(
    model: core.Core, clip: clip_stage.Clip, drawn_embedding: Callable, aimed: Callable
) -> dict:
    """The functions that lead from an image to a caption through embeddings in between.

    aimed  batch -> the batch with that caption
    """

    def of_path(variables, batch, key, start, path):
        """DDIM's images from one noise and each embedding [B, k, D], [B, k, H, W, C]."""

        def one(embedding):
            denoise = model.denoiser(variables, dict(batch, embedding=embedding), key)
            return uses.from_noise(model.grid, denoise, start)

        images = lax.map(one, jnp.moveaxis(path, 1, 0))
        return {"image": jnp.moveaxis(images, 0, 1)}

    def blend(variables, batch, key):
        """From the image's embedding to one drawn for the target, [B, FRAMES, H, W, C]."""
        own = _own(clip, variables, batch, key)
        end = drawn_embedding(variables, aimed(batch), key)
        path = uses.great_circle(own["embedding"], end, FRAMES)
        return of_path(variables, batch, key, model.start(example_keys(key, batch)), path)

    def text_difference(variables, batch, key):
        """The image changed as its caption changes into the target, [B, FRAMES, H, W, C].

        Half of the way, which is as far as the authors go; it starts from the image's noise by
        DDIM's inversion.
        """
        own = _own(clip, variables, batch, key)
        texts = (clip.text(variables, given, key) for given in (aimed(batch), batch))
        difference = jnp.subtract(*texts)
        same = jnp.all(difference == 0.0, axis=-1, keepdims=True)
        towards = jnp.where(same, own["embedding"], difference)
        towards = normalised(towards) * clip.width**0.5
        path = uses.great_circle(own["embedding"], towards, 2 * FRAMES - 1)[:, :FRAMES]
        x = model.data(variables, batch, key)
        start = uses.invert(model.grid, model.denoiser(variables, own, key), x)
        return of_path(variables, batch, key, start, path)

    return {"blend": blend, "text_difference": text_difference}
