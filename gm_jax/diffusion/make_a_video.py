"""Make-A-Video: films by a model of images that is extended along time, from films without texts.

Singer et al. 2022, Make-A-Video: Text-to-Video Generation without Text-Video Data (arXiv
2209.14792):

    y = SR_h(SR_l(F(D(P(x), fps))))     text to embedding, film, more frames, more pixels     eq. 1
    Conv_P3D(h) = Conv_1D(Conv_2D(h)),  Conv_1D the identity at first                     eq. 2
    Attn_P3D(h) = Attn_1D(Attn_2D(h)),  whose last layer is zero at first                 eq. 3
    L = E || eps - eps_theta(x_t, t, z_i, fps) ||^2,  x a film, z_i of its first frame

D is `stages.image`, an unclip, with these layers added; all of it is trained further. No film has a
text here: motion is learned, and the words for it are not. F is a second run, in which every n-th
frame is given (`given_frames`); it and an upsampler may come after training.
"""

import dataclasses
from typing import Annotated, Any

import jax
import jax.numpy as jnp
from flax import traverse_util

from gm_jax import clip_stage, conditions, games, networks
from gm_jax.diffusion.shared import core, films
from gm_jax.diffusion.shared.choices import Choices, Share
from gm_jax.diffusion.shared.sampling import Sampler
from gm_jax.errors import UserError
from gm_jax.model import Field, Phase, example_keys, field_of
from gm_jax.networks import Network
from gm_jax.nn.embedding_transformer import EmbeddingReader
from gm_jax.nn.layers import Size
from gm_jax.nn.unet import UNet, UNetSettings
from gm_jax.nn.upsampling import enlarged, small_shape
from gm_jax.optimizers import Optimizer, adam
from gm_jax.settings import Recipes, Restartable, arguments, at_least, one_of, schema

EMBEDDINGS = ("prior", "text")
STRIDE = 6  # Number of the key of a film's stride, beside those of `core`.


@schema
class FilmSampler(Sampler):
    """From an embedding and noise to a film.

    embedding  which one: prior, the one from which stages.image draws; text, the caption's own
    prompt     what all samples show; "" for the captions of the data
    """

    embedding: Annotated[str, one_of(EMBEDDINGS)] = "prior"
    prompt: str = ""


@schema
class Settings(Choices):
    """A film model on top of an unclip.

    factor        how many times smaller its frames are than those of the data, as of stages.image
    words         of context that an embedding becomes, as of stages.image
    frames        of a film
    strides       from one of its frames to the next, in frames of the data; each film has one of
                  them, and samples have the last
    given_frames  every n-th frame is given, and the others are made; 0 for films of an embedding
    network       that of stages.image
    optimizer     one of optax's
    stages        {name: workdir of an earlier run, or a recipe to train first}; image; frames, a
                  run with given_frames, and upsampler, of images, may come after training
    """

    label_dropout: Share = 0.1
    factor: Size = 1
    words: Size = 4
    frames: Annotated[int, at_least(2)] = 16
    strides: tuple[Size, ...] = (1,)
    given_frames: Annotated[int, at_least(0)] = 0
    network: UNetSettings = UNetSettings()
    optimizer: Optimizer = adam(1e-4)
    sampler: Annotated[FilmSampler, Restartable()] = FilmSampler()
    stages: Annotated[dict[str, Any], Recipes(late=("frames", "upsampler"))] = dataclasses.field(
        default_factory=dict
    )

    def wrong(self):
        """Choices that do not go together, a line for each."""
        yield from super().wrong()
        if self.weights:
            yield "weights are of networks of images: give stages.image, the workdir of an unclip"
        if self.objective != "simple" or self.sampler.classifier:
            yield "films have objective=simple and no classifier"
        if self.sampler.guidance and not self.label_dropout:
            yield "sampler.guidance needs a model trained with label_dropout > 0"
        if not self.strides:
            yield "strides is empty: say (1,)"
        if self.given_frames and (self.frames - 1) % self.given_frames:
            yield (
                f"given_frames {self.given_frames} must divide frames - 1, {self.frames - 1}: the"
                " first and the last frame are given"
            )


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """One player learns films, in one phase; configs/make_a_video_shapes.py."""
    sampler, dtype, strides = settings.sampler, jnp.dtype(settings.dtype), settings.strides
    count, *frame = field_of(spec, "video").shape
    films.check_length(count, settings.frames, strides)
    image = Field(tuple(frame), 256)
    shape = (settings.frames, *small_shape(image.shape, settings.factor))
    check_image(stages, shape[1:])
    clip = clip_stage.clip_of(stages, field_of(spec, "caption"), image, "image")
    asked = conditions.prompted(sampler.prompt, spec)
    own = arguments(settings.network)
    network = Network(
        "network", UNet(**own, out_channels=shape[-1], frames=settings.frames, dtype=dtype)
    )
    reader = Network("reader", EmbeddingReader(settings.words, clip.width, dtype))
    rates = Network("rates", films.Rates(len(strides), clip.width, dtype))
    known = films.known_frames(settings.frames, settings.given_frames)

    def read(variables, embedding, hidden, rate):
        seen, context = reader(variables, embedding, hidden)
        return seen + rates(variables, rate), context

    def init(key, batch, previous):
        n, (*keys, network_key) = len(batch["index"]), jax.random.split(key, 3)
        embedding, rate = jnp.zeros((n, clip.width)), jnp.zeros(n, jnp.int32)
        readers = networks.init(keys, (reader, embedding, rate > 0), (rates, rate))
        seen, context = read(readers, embedding, rate > 0, rate)
        x = films.beside(jnp.zeros((n, *shape)), jnp.zeros((n, *shape)), known)
        inputs = films.each_frame(settings.frames, x, jnp.zeros(n), seen, None, context)
        fresh = networks.init(network_key[None], (network, *inputs)).params | readers.params
        return readers._replace(params=begun(fresh, previous))

    def predict(variables, batch, drop, keys):
        hidden = jnp.broadcast_to(drop, (len(batch["embedding"]),))
        seen, context = read(variables, batch["embedding"], hidden, batch["rate"])

        def network_of(x, level):
            x = films.beside(x, batch.get("known"), known)
            inputs = films.each_frame(settings.frames, x, level, seen, keys, context)
            output = network(variables, *inputs)
            return output.reshape(-1, *shape)

        return network_of

    def film(variables, batch, key):
        return batch["film"]

    def drawn_embedding(variables, batch, key):
        if sampler.embedding == "text":
            return clip.text(variables, batch, key)
        function = stages["image"].model.functions["embed"]
        return function(variables.frozen["image"], batch, key)["embedding"] * clip.width**0.5

    def of_frame(variables, batch, key, frame):
        """The embeddings of frames, of the data or as small as those drawn."""
        whole = frame if frame.shape[1:] == image.shape else enlarged(frame, image.shape)
        return clip.image(variables, {**batch, "image": whole}, key)

    def given(variables, batch, key, training):
        """The batch with its embeddings, in training those of the first frames, and its rate."""
        batch = {"rate": jnp.full(len(batch["index"]), len(strides) - 1), **batch}
        if "embedding" in batch:
            return batch
        if training:
            return {**batch, "embedding": of_frame(variables, batch, key, batch["video"][:, 0])}
        return {**batch, "embedding": drawn_embedding(variables, asked(batch), key)}

    def chosen(objective):
        """The objective of films at strides of their own."""

        def of_films(variables, batch, key, step):
            keys = example_keys(jax.random.fold_in(key, STRIDE), batch)
            rate = jax.vmap(lambda k: jax.random.randint(k, (), 0, len(strides)))(keys)
            video = films.strided(batch["video"], jnp.array(strides)[rate], settings.frames)
            x = films.shrunk_frames(video, shape)
            own = {"video": video, "film": x, "known": x, "rate": rate}
            return objective(variables, {**batch, **own}, key, step)

        return of_films

    model = core.Core(settings, settings.process(), shape, film, predict, given=given)
    moves = {name: chosen(objective) for name, objective in core.objective(model).items()}
    owns = ("network", "reader", "rates")
    players = (games.player("make_a_video", owns, moves, settings, settings.average),)
    functions = films.functions(model, settings, stages, known, of_frame)
    drawn = {"video": Field(shape, 256), "caption": spec["caption"]}
    phase = games.phase(settings, init, players, functions, drawn, stages)
    return (phase._replace(start=lambda stages: stages["image"].variables),)


def check_image(stages, shape: tuple[int, ...]) -> None:
    """Raises UserError unless `stages.image` is an unclip of frames of this shape."""
    if "image" not in stages:
        raise UserError(
            "Make-A-Video is built on a model of images: give stages.image, the workdir of an"
            " unclip such as configs/unclip_shapes.py, or its recipe"
        )
    model = stages["image"].model
    if not {"embed", "variations"} <= set(model.functions):
        known = ", ".join(model.functions)
        raise UserError(f"stages.image is no unclip (it has the functions {known})")
    if model.spec["image"].shape != shape:
        raise UserError(
            f"stages.image draws images of {model.spec['image'].shape}, and these frames are of"
            f" {shape}: use its factor and the same data.size"
        )


def begun(fresh: dict, previous) -> dict:
    """Fresh parameters with those of the model of images in their places.

    Channels that its first convolution did not have begin at zero. Raises UserError if its network
    is another.
    """
    if previous is None:
        return fresh
    own, first = traverse_util.flatten_dict(fresh), ("network", "Conv_0", "kernel")
    theirs = {name: previous.params[name] for name in ("network", "reader")}
    for path, leaf in traverse_util.flatten_dict(theirs).items():
        if path == first and path in own:
            more = own[path].shape[2] - leaf.shape[2]
            leaf = jnp.pad(leaf, ((0, 0), (0, 0), (0, max(more, 0)), (0, 0)))
        if path not in own or own[path].shape != leaf.shape:
            raise UserError(
                f"stages.image has another network (its {'/'.join(path)} is {leaf.shape}): give"
                " `network` and `words` as in its recipe"
            )
        own[path] = leaf
    return traverse_util.unflatten_dict(own)
