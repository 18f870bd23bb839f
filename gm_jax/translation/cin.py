"""A learned representation for artistic style: one network, many styles, and blends of them.

Dumoulin, Shlens & Kudlur 2017 (arXiv 1610.07629), with a content c, a style s, its picture and
phi_j, the maps of a network that is not trained (VGG16 in the paper, `stages.features` here):

    z       = gamma_s (x - mu) / sigma + beta_s                                  eq. 5
    L_c(p)  = sum over j in C of mean (phi_j(p) - phi_j(c))^2                    eq. 2
    L_s(p)  = sum over i in S of mean (G(phi_i(p)) - G(phi_i(s)))^2              eq. 3
    L       = lambda_c L_c(T(c, s)) + lambda_s L_s(T(c, s))                      eq. 4
    T(c, a s + (1 - a) s')  has  gamma = a gamma_s + (1 - a) gamma_s', and beta  section 3.3

G is the Gram matrix over the number of positions. A style is a row of gamma and of beta in each
layer, nothing else: c is `image`, s is `label_b`, whose picture `image_b` only the loss sees.
"""

from typing import Annotated

import jax
import jax.numpy as jnp

from gm_jax import games, networks
from gm_jax.errors import UserError
from gm_jax.losses.perceptual import feature_error
from gm_jax.losses.style import gram_error
from gm_jax.model import Aux, Phase, example_keys, field_of
from gm_jax.networks import Network
from gm_jax.nn.layers import uniform
from gm_jax.optimizers import Optimizer, adam
from gm_jax.settings import Recipe, arguments, at_least, part_of, schema
from gm_jax.translation.shared.resnet import check_sides
from gm_jax.translation.shared.style import StyleNet, feature_maps

Weight = Annotated[float, at_least(0.0)]
NetworkSettings = part_of(StyleNet, "features", "styles", "dtype")
BLENDS = 5  # pictures from one style to the next


@schema
class Settings(Recipe):
    """Conditional instance normalisation.

    content         lambda_c, weight of what a picture shows
    style           lambda_s, weight of how it is painted
    content_layers  of stages.features, whose maps are the content
    style_layers    of stages.features, whose Gram matrices are the style
    network         what restyles
    optimizer       one of optax's
    """

    content: Weight = 1.0
    style: Weight = 1.0
    content_layers: tuple[str, ...] = ("relu3_3",)
    style_layers: tuple[str, ...] = ("relu1_2", "relu2_2", "relu3_3", "relu4_3")
    network: NetworkSettings = NetworkSettings()
    optimizer: Optimizer = adam(1e-3)

    def wrong(self):
        """Choices that do not go together, a line for each."""
        yield from super().wrong()
        if "features" not in self.stages:
            yield (
                "a style is told by the maps of a network: say which with stages.features, a"
                " workdir or a recipe (system backbone or classifier)"
            )
        if not (self.content_layers and self.style_layers):
            yield "content_layers and style_layers must each name a layer or more"


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """One player in one phase; configs/style_cin.py."""
    shape, count = field_of(spec, "image").shape, field_of(spec, "label_b").cardinality
    _check(spec)
    layers = (*settings.content_layers, *settings.style_layers)
    maps, _ = feature_maps(stages, shape, layers)
    dtype = jnp.dtype(settings.dtype)
    module = StyleNet(shape[-1], count, **arguments(settings.network), dtype=dtype)
    net = Network("net", module)

    def init(key, batch, previous):
        x = batch["image"]
        return networks.init(key[None], (net, x, jnp.zeros((len(x), count))))

    def rows(label):
        return jax.nn.one_hot(label % count, count)

    def restyled(variables, batch):
        return net(variables, batch["image"], rows(batch["label_b"]))

    def distances(variables, batch, pictures, key):
        """L_c and L_s, [B] each, of each of the `pictures`."""
        c, s = (maps(variables, batch[name], key) for name in ("image", "image_b"))
        found = [maps(variables, y, key) for y in pictures]
        content = [
            feature_error(*([m[name] for name in settings.content_layers] for m in (y, c)))
            for y in found
        ]
        style = [sum(gram_error(y[name], s[name]) for name in settings.style_layers) for y in found]
        return content, style

    def error(variables, batch, key, step):
        picture = restyled(variables, batch)
        (content,), (style,) = distances(variables, batch, (picture,), key)
        metrics = {"content": jnp.mean(content), "style": jnp.mean(style)}
        loss = settings.content * metrics["content"] + settings.style * metrics["style"]
        return loss, Aux(metrics)

    def translate(variables, batch, key):
        """The picture in the style that label_b names."""
        return {"image": restyled(variables, batch)}

    def blend(variables, batch, key):
        """The picture in its style, on the way to the next style, and in that: [B, 5, H, W, C]."""
        label, pictures = batch["label_b"], []
        for share in jnp.linspace(0.0, 1.0, BLENDS):
            weights = (1.0 - share) * rows(label) + share * rows(label + 1)
            pictures.append(net(variables, batch["image"], weights))
        return {"image": jnp.stack(pictures, axis=1)}

    def compare(variables, batch, key):
        """Content, style's picture and the content in that style, [B, 3, H, W, C]."""
        made = restyled(variables, batch)
        return {"image": jnp.stack([batch["image"], batch["image_b"], made], axis=1)}

    def restyling(variables, batch, key):
        """L_c and L_s of the restyled picture, [B]; and of the content, the style's picture and
        noise in its stead."""
        noise = 2.0 * uniform(example_keys(key, batch), shape) - 1.0
        pictures = {
            "": restyled(variables, batch), "_of_content": batch["image"],
            "_of_painting": batch["image_b"], "_of_noise": noise,
        }  # fmt: skip
        content, style = distances(variables, batch, pictures.values(), key)
        of_content = {f"content{name}": x for name, x in zip(pictures, content, strict=True)}
        return of_content | {f"style{name}": x for name, x in zip(pictures, style, strict=True)}

    players = (games.player("net", ("net",), {"error": error}, settings, settings.average),)
    functions = {f.__name__: f for f in (translate, blend, compare, restyling)}
    return (games.phase(settings, init, players, functions, stages=stages),)


def _check(spec) -> None:
    """Raises UserError if pictures do not fit the network, or are not of one shape."""
    shape, other = spec["image"].shape, field_of(spec, "image_b").shape
    check_sides(shape)
    if shape != other:
        raise UserError(f"image is {shape} and image_b {other}: both must be of one shape")
