"""A published classifier's features, and the distance of images by them: LPIPS, or without heads.

Zhang, Isola, Efros, Shechtman & Wang 2018 (arXiv 1801.03924).

    d(x, y) = sum_l mean_hw || w_l * (u_l(x) - u_l(y)) ||^2                              eq. 1

u_l is the map of layer l, each position scaled to length 1; w_l^2 are LPIPS's heads, or 1. Nothing
is trained: it is a stage (`stages.features`) of systems that compare features, which say whose they
are by the name of the distance.
"""

from typing import Annotated

import jax
import jax.numpy as jnp

from gm_jax import games, networks
from gm_jax.errors import UserError
from gm_jax.losses.perceptual import feature_distance, feature_error
from gm_jax.model import Phase, Variables
from gm_jax.networks import Network
from gm_jax.nn import backbones
from gm_jax.nn.backbones import Backbone
from gm_jax.settings import Recipe, Restartable, at_least, one_of, schema
from gm_jax.settings.reports import Show
from gm_jax.weights.backbones import lpips_heads, open_backbone

POWERS = {"squares": 2, "absolute": 1}  # Of distances of maps as they are.
DISTANCES = ("lpips", "plain", *POWERS)
SCALES = {"imagenet": backbones.normalized, "none": backbones.rgb}
RANDOM = "random"


@schema
class Settings(Recipe):
    """A published classifier without its last layers.

    steps     0: it is not trained
    network   which
    layers    whose maps are its features; () for those that LPIPS compares
    distance  lpips: by LPIPS's heads (version 0.1); plain: all channels alike; squares
              and absolute: the mean error of the maps as they are, not scaled to length 1
    importance  the layers' weights in squares and absolute; () for ones
    scale     of what it sees: imagenet, as it was trained, or none for images in [-1, 1]
    narrow    how many times fewer channels it has, with weights=random alone
    pool      what a pool takes of a window; style transfer takes the average
    padding   what convolutions see beyond the border
    weights   torchvision's file; "" for where GM_JAX_VGG16 and its like say, or the cache; random
              for He's initial weights by the seed
    sha256    of a file that is not the published one, as you state it
    """

    steps: Annotated[int, Restartable(trains=True)]
    network: Annotated[str, one_of(backbones.NETWORKS)] = "vgg16"
    layers: tuple[str, ...] = ()
    distance: Annotated[str, one_of(DISTANCES)] = "lpips"
    importance: tuple[float, ...] = ()
    scale: Annotated[str, one_of(SCALES)] = "imagenet"
    narrow: Annotated[int, at_least(1)] = 1
    pool: Annotated[str, one_of(backbones.POOLS)] = "max"
    padding: Annotated[str, one_of(backbones.PADDINGS)] = "zeros"
    weights: Annotated[str, Restartable(trains=True)] = ""
    sha256: str = ""
    show: Annotated[Show, Restartable()] = Show(every=0, counts={})

    def wrong(self):
        """Choices that do not go together, a line for each."""
        yield from super().wrong()
        if self.steps:
            yield f"steps is {self.steps}: a backbone is not trained, steps=0"
        known = backbones.names(backbones.NETWORKS[self.network])
        for name in self.layers:
            if name not in known:
                yield f"{self.network} has no layer {name}: it has {', '.join(known)}"
        if not self.layers and self.network not in backbones.LPIPS:
            yield f"LPIPS does not know {self.network}: say which layers, such as relu1_1"
        if self.distance == "lpips" and (self.layers or self.network not in backbones.LPIPS):
            yield (
                "distance lpips compares the layers that its heads were learned on: set"
                " distance=plain for others"
            )
        if self.distance == "lpips" and (self.pool, self.padding) != ("max", "zeros"):
            yield "LPIPS is of maxima and zeros beyond the border: set another distance"
        if self.narrow > 1 and self.weights != RANDOM:
            yield "narrow is of networks with weights=random: set it to 1 for trained weights"
        if self.narrow > 1 and self.distance == "lpips":
            yield "LPIPS's heads are of all channels: set distance=plain, or narrow=1"
        if self.importance and (
            self.distance not in POWERS or len(self.importance) != len(self.compared)
        ):
            yield (
                f"importance weighs the {len(self.compared)} layers of distance"
                f" {' or '.join(POWERS)}: give as many numbers, or ()"
            )

    @property
    def compared(self) -> tuple[str, ...]:
        """The layers."""
        return self.layers or backbones.LPIPS[self.network]


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """A network that is read and not trained; configs/lpips.py."""
    if "image" in spec and spec["image"].shape[-1] not in (1, 3):
        raise UserError(f"{settings.network} sees grey or RGB images, not {spec['image'].shape}")
    layers = backbones.narrowed(backbones.NETWORKS[settings.network], settings.narrow)
    dtype = jnp.dtype(settings.dtype)
    example = jnp.zeros((1, 64, 64, 3))
    own = {"pool": settings.pool, "padding": settings.padding}
    network = Network("backbone", Backbone(layers, settings.compared, dtype, **own))
    scaled = SCALES[settings.scale]
    heads = lpips_heads(settings.network) if settings.distance == "lpips" else None
    start, name = None, f"{RANDOM}_{settings.network}_{settings.seed}"
    name += f"_narrow_{settings.narrow}" if settings.narrow > 1 else ""
    if settings.weights != RANDOM:
        whole = Backbone(layers, backbones.names(layers)[-1:])
        shapes = jax.eval_shape(whole.init, jax.random.key(0), example)["params"]
        opened = open_backbone(settings.network, shapes, settings.weights, settings.sha256)
        start, name = (lambda stages: Variables({"backbone": opened.read()})), opened.name

    def init(key, batch, previous):
        if previous is not None:
            return Variables(previous.params)
        return networks.init(key[None], (network, example))

    def features(variables, batch, key):
        """{layer: its map [B, h, w, C]} of the images."""
        return network(variables, scaled(batch["image"]))

    def distance(variables, batch, key):
        """d(image, image_b), [B], named after the weights."""
        maps = (network(variables, scaled(batch[x])) for x in ("image", "image_b"))
        x, y = ([found[layer] for layer in settings.compared] for found in maps)
        if settings.distance in POWERS:
            far = feature_error(x, y, POWERS[settings.distance], settings.importance)
        else:
            far = feature_distance(x, y, heads)
        return {f"{settings.distance}_{name}": far}

    fields = {"image": spec["image"], "image_b": spec["image"]} if "image" in spec else {}
    functions = {"features": features, "distance": distance}
    players = (games.untrained("backbone"),)
    phase = games.phase(settings, init, players, functions, fields)
    return (phase._replace(start=start),)
