"""CLIP: images and texts in one space, where those that belong together are near.

Radford et al. 2021, Learning Transferable Visual Models From Natural Language Supervision, arXiv
2103.00020, section 2.3 and figure 3:

    I_e = normalise(f_I(image)),  T_e = normalise(f_T(text))
    logits = exp(t) I_e T_e^T                                of the whole batch, on all devices
    L = (cross-entropy of rows + cross-entropy of columns) / 2,  pairs on the diagonal

exp(t) starts at 1 / 0.07 and is kept at most 100, after each step. Texts that are equal to the
pair's are no negatives. `weights` opens published networks, to use as they are or to go on from.
"""

import math
from typing import Annotated

import jax.numpy as jnp
import optax

from gm_jax import games, networks, replicas
from gm_jax.errors import UserError
from gm_jax.losses.contrastive import info_nce
from gm_jax.model import (
    Array,
    Aux,
    Field,
    GenerativeModel,
    Phase,
    Stage,
    Variables,
    field_of,
)
from gm_jax.multimodal.shared import clip_files
from gm_jax.multimodal.shared.clip_files import Towers
from gm_jax.networks import Network
from gm_jax.nn.clip_layers import ACTIVATIONS
from gm_jax.nn.clip_resnet import ClipResNet
from gm_jax.nn.layers import Size, normalised
from gm_jax.nn.text_tower import TextTower
from gm_jax.nn.vit import ViT
from gm_jax.optimizers import Optimizer, bounded
from gm_jax.settings import (
    Recipe,
    Restartable,
    above,
    arguments,
    at_least,
    one_of,
    part_of,
    schema,
)

MEAN, DEVIATION = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
LARGEST = math.log(100.0)  # of t
CLIPSCORE = 2.5  # Hessel et al. 2021, section 3
STAGE = "published"  # its name in `Variables.frozen`
IMAGE_TOWERS = ("vit", "resnet")
ViTSettings = part_of(ViT, "projection", "dtype")
ResNetSettings = part_of(ClipResNet, "projection", "dtype")
TextSettings = part_of(TextTower, "symbols", "end", "length", "projection", "dtype")


@schema
class ImageTower:
    """The network of images.

    name    vit or resnet
    vit     a transformer over patches
    resnet  a modified ResNet
    """

    name: Annotated[str, one_of(IMAGE_TOWERS)] = "vit"
    vit: ViTSettings = ViTSettings()
    resnet: ResNetSettings = ResNetSettings()


@schema
class Settings(Recipe):
    """CLIP.

    steps        rounds of training; 0 to use published weights as they are
    weights      a folder in transformers' layout, or a file of openai/CLIP's or OpenCLIP's names;
                 "" to train the towers below from the start
    activation   of a file of weights: quick_gelu (openai's, the default) or gelu (OpenCLIP's)
    embedding    numbers of an embedding
    temperature  1 / exp(t) at the beginning
    image        the network of images
    text         the network of texts
    optimizer    one of optax's
    """

    steps: Annotated[int, at_least(0), Restartable(trains=True)]
    weights: Annotated[str, Restartable(trains=True)] = ""
    activation: Annotated[str, one_of(("", *ACTIVATIONS))] = ""
    embedding: Size = 512
    temperature: Annotated[float, above(0.0)] = 0.07
    image: ImageTower = ImageTower()
    text: TextSettings = TextSettings(width=512, heads=8, hidden=2048)
    optimizer: Optimizer = Optimizer(
        name="adamw",
        learning_rate=5e-4,
        arguments=dict(b1=0.9, b2=0.98, eps=1e-6, weight_decay=0.2),
    )

    def wrong(self):
        """Choices that do not go together, a line for each."""
        yield from super().wrong()
        for name, tower in (("image.vit", self.image.vit), ("text", self.text)):
            if tower.width % tower.heads:
                yield f"{name}.width {tower.width} does not divide into heads {tower.heads}"
        if 1.0 / self.temperature > math.exp(LARGEST):
            yield "temperature must be at least 0.01: exp(t) is kept at most 100"


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """One player learns both towers; or published ones, as they are. configs/clip_shapes.py."""
    dtype, opened = jnp.dtype(settings.dtype), None
    if not (settings.steps or settings.weights):
        raise UserError("steps is 0: give the published weights to use, --config.weights=PATH")
    if settings.weights:
        opened = clip_files.open_clip(settings.weights, dtype, settings.activation)
    towers = opened.towers if opened else towers_of(settings, spec, dtype)
    _check(settings, towers, spec)
    image, text = Network("image", towers.image), Network("text", towers.text)
    functions = functions_of(image, text, lambda variables: variables)
    fields = {
        "image": Field((towers.side, towers.side, 3), 256),
        "caption": spec.get("caption", Field((towers.text.length,), towers.text.symbols)),
        "embedding": Field((settings.embedding if not opened else towers.embedding,)),
    }

    def init(key, batch, previous):
        if opened:
            return Variables(previous.params, previous.state)
        x, ids = pixels(batch["image"]), ended(batch["caption"], towers.text)
        variables = networks.split_init(key, (image, x), (text, ids))
        start = jnp.asarray(-math.log(settings.temperature), jnp.float32)
        return variables._replace(params=variables.params | {"scale": {"log": start}})

    if not settings.steps:
        stage = Stage(GenerativeModel(None, (), {}), lambda: clip_files.read(opened))
        functions = functions_of(image, text, lambda variables: variables.frozen[STAGE])
        nothing = games.phase(
            settings, lambda *_: Variables({}), (), functions, fields, {STAGE: stage}
        )
        return (nothing,)
    moves = {"contrastive": objective(image, text)}
    player = games.player("clip", ("image", "text", "scale"), moves, settings, settings.average)
    player = player._replace(optimizer=optax.chain(player.optimizer, temperature_bound()))
    phase = games.phase(settings, init, (player,), functions, fields)
    return (phase._replace(start=(lambda stages: clip_files.read(opened)) if opened else None),)


def towers_of(settings: Settings, spec, dtype) -> Towers:
    """The towers of a recipe, for the images and captions of its data."""
    height, width, _ = field_of(spec, "image").shape
    if height != width:
        raise UserError(f"CLIP takes square images, not {height}x{width}: set data.size")
    caption = field_of(spec, "caption")
    # Words have no end: one position more holds it. CLIP's own symbols end in the last one.
    words = bool(caption.symbols)
    text = TextTower(
        caption.cardinality, 0 if words else caption.cardinality - 1, caption.shape[0] + words,
        **arguments(settings.text), projection=settings.embedding, dtype=dtype,
    )  # fmt: skip
    kind = {"vit": ViT, "resnet": ClipResNet}[settings.image.name]
    own = arguments(getattr(settings.image, settings.image.name))
    return Towers(kind(**own, projection=settings.embedding, dtype=dtype), text, height)


def _check(settings, towers: Towers, spec) -> None:
    """Raises UserError, in one line, if the data does not fit published towers."""
    if not settings.weights:
        return
    if "image" in spec and spec["image"].shape[:2] != (towers.side, towers.side):
        raise UserError(
            f"{settings.weights} takes images of {towers.side}x{towers.side}, and the data has"
            f" {'x'.join(map(str, spec['image'].shape[:2]))}: set data.size={towers.side}"
        )
    if "caption" in spec and spec["caption"].cardinality != towers.text.symbols:
        raise UserError(
            f"{settings.weights} reads {towers.text.symbols} symbols, and the captions have"
            f" {spec['caption'].cardinality}: set data.captions=clip"
        )


def pixels(image: Array) -> Array:
    """Images [B, H, W, C] in [-1, 1] as CLIP takes them: of its mean and deviation, C = 3."""
    image = jnp.broadcast_to(image, (*image.shape[:-1], 3))
    return (0.5 * (image + 1.0) - jnp.asarray(MEAN, image.dtype)) / jnp.asarray(
        DEVIATION, image.dtype
    )


def ended(ids: Array, tower: TextTower) -> Array:
    """Captions [B, T] with an end: words are followed by their padding, once at least."""
    return jnp.pad(ids, ((0, 0), (0, tower.length - ids.shape[1])))


def temperature_bound() -> optax.GradientTransformation:
    """Keeps t in [0, ln 100] after the step; inside the loss a bound would stop its gradient."""
    return optax.masked(
        bounded(0.0, LARGEST), lambda params: {name: name == "scale" for name in params}
    )


def objective(image: Network, text: Network):
    """Figure 3, on the batch of all devices."""

    def contrastive(variables, batch, key, step):
        seen, state = image.train(variables, pixels(batch["image"]))
        ids = ended(batch["caption"], text.module)
        own = normalised(seen.pooled), normalised(text(variables, ids).pooled)
        every, all_ids = replicas.gather((own, ids))
        scale = jnp.exp(variables.params["scale"]["log"])
        equal = jnp.all(ids[:, None] == all_ids[None], axis=-1)
        rows, columns = (
            scale * mine @ others.T for mine, others in zip(own, every[::-1], strict=True)
        )
        pair = batch["index"]
        loss = 0.5 * (info_nce(rows, pair, equal) + info_nce(columns, pair, equal))
        right = jnp.argmax(rows, axis=1) == pair
        metrics = {"scale": scale, "accuracy": jnp.mean(right, dtype=loss.dtype)}
        return jnp.mean(loss), Aux(metrics, {"image": state} if state else {})

    return contrastive


def functions_of(image: Network, text: Network, of) -> dict:
    """What CLIP is used for; `of` (variables) -> those of the towers."""

    def encode_image(variables, batch, key):
        """The embedding of each image, [B, D], of length 1."""
        return {"embedding": normalised(image(of(variables), pixels(batch["image"])).pooled)}

    def encode_text(variables, batch, key):
        """The embedding of each caption, [B, D], of length 1."""
        ids = ended(batch["caption"], text.module)
        return {"embedding": normalised(text(of(variables), ids).pooled)}

    def similarity(variables, batch, key):
        """The cosine of image and caption, [B], and their CLIP score.

        2.5 max(cosine, 0): Hessel et al. 2021 (arXiv 2104.08718), section 3.
        """
        pair = (f(variables, batch, key)["embedding"] for f in (encode_image, encode_text))
        cosine = jnp.sum(jnp.prod(jnp.stack(list(pair)), axis=0), axis=-1)
        return {"cosine": cosine, "clip_score": CLIPSCORE * jnp.maximum(cosine, 0.0)}

    return {f.__name__: f for f in (encode_image, encode_text, similarity)}
