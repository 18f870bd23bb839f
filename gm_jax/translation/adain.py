"""Arbitrary style transfer by adaptive instance normalisation: any picture is a style.

Huang & Belongie 2017 (arXiv 1703.06868), with a content c, a style s, and f, phi_i the maps of an
encoder that is not trained (VGG19 to relu4_1 in the paper, `stages.features` here):

    AdaIN(x, y) = sigma(y) (x - mu(x)) / sigma(x) + mu(y)                        eq. 8
    t   = AdaIN(f(c), f(s))                                                      eq. 9
    L_c = mean (f(g(t)) - t)^2                                                   eq. 12
    L_s = sum over i of mean (mu(phi_i(g(t))) - mu(phi_i(s)))^2
          + mean (sigma(phi_i(g(t))) - sigma(phi_i(s)))^2                        eq. 13
    L   = L_c + lambda L_s                                                       eq. 11
    T(c, s, alpha) = g((1 - alpha) f(c) + alpha AdaIN(f(c), f(s)))               eq. 14

c is `image`, s `image_b`; g, the decoder, mirrors the encoder and is all that learns. The squares
of eqs. 12 and 13 are means, as in the authors' code.
"""

from typing import Annotated

import jax.numpy as jnp

from gm_jax import games, networks
from gm_jax.errors import UserError
from gm_jax.losses.perceptual import feature_error
from gm_jax.losses.style import moment_error
from gm_jax.model import Aux, Phase, example_keys, field_of
from gm_jax.networks import Network
from gm_jax.nn.layers import uniform
from gm_jax.optimizers import Optimizer, adam
from gm_jax.settings import Recipe, Restartable, arguments, at_least, at_most, part_of, schema
from gm_jax.translation.shared.style import Decoder, adain, feature_maps

Weight = Annotated[float, at_least(0.0)]
DecoderSettings = part_of(Decoder, "features", "dtype")
BLENDS = 5  # pictures from no style to all of it


@schema
class Settings(Recipe):
    """AdaIN.

    style      lambda, weight of the style
    layers     of stages.features, whose means and deviations are the style; the last is f
    alpha      in use, how much of the style a picture takes on, from 0 to 1
    decoder    g
    optimizer  one of optax's
    """

    style: Weight = 10.0
    layers: tuple[str, ...] = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
    alpha: Annotated[float, at_least(0.0), at_most(1.0), Restartable()] = 1.0
    decoder: DecoderSettings = DecoderSettings()
    optimizer: Optimizer = adam(1e-4)

    def wrong(self):
        """Choices that do not go together, a line for each."""
        yield from super().wrong()
        if "features" not in self.stages:
            yield (
                "the encoder is a network that is not trained: say which with stages.features, a"
                " workdir or a recipe (system backbone or classifier)"
            )
        if not self.layers:
            yield "layers must name a layer or more"
        if len(self.decoder.widths) != len(self.decoder.convolutions):
            yield "decoder.widths and decoder.convolutions must be of one length"


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """One player, the decoder, in one phase; configs/style_adain.py."""
    shape, code = field_of(spec, "image").shape, settings.layers[-1]
    field_of(spec, "image_b")
    maps, shapes = feature_maps(stages, shape, settings.layers)
    _check(settings, shape, shapes[code])
    own = arguments(settings.decoder)
    decoder = Network("decoder", Decoder(shape[-1], **own, dtype=jnp.dtype(settings.dtype)))

    def init(key, batch, previous):
        return networks.init(key[None], (decoder, jnp.zeros((1, *shapes[code]))))

    def encoded(variables, batch, key):
        """f(c), t, and all maps of the style."""
        c, s = (maps(variables, batch[name], key) for name in ("image", "image_b"))
        return c[code], adain(c[code], s[code]), s

    def restyled(variables, batch, key, alpha):
        content, target, _ = encoded(variables, batch, key)
        return decoder(variables, alpha * target + (1.0 - alpha) * content)

    def distances(y, target, style):
        """L_c and L_s of a picture's maps, [B]."""
        of_style = sum(moment_error(y[name], style[name]) for name in settings.layers)
        return feature_error([y[code]], [target]), of_style

    def error(variables, batch, key, step):
        _, target, style = encoded(variables, batch, key)
        y = maps(variables, decoder(variables, target), key)
        content, of_style = distances(y, target, style)
        metrics = {"content": jnp.mean(content), "style": jnp.mean(of_style)}
        return metrics["content"] + settings.style * metrics["style"], Aux(metrics)

    def translate(variables, batch, key):
        """The picture with `alpha` of the style of image_b."""
        return {"image": restyled(variables, batch, key, settings.alpha)}

    def blend(variables, batch, key):
        """The picture with none of the style, with more and more, and with all: [B, 5, H, W, C]."""
        shares = jnp.linspace(0.0, 1.0, BLENDS)
        pictures = [restyled(variables, batch, key, share) for share in shares]
        return {"image": jnp.stack(pictures, axis=1)}

    def compare(variables, batch, key):
        """Content, style's picture and the content in that style, [B, 3, H, W, C]."""
        made = restyled(variables, batch, key, settings.alpha)
        return {"image": jnp.stack([batch["image"], batch["image_b"], made], axis=1)}

    def restyling(variables, batch, key):
        """The mean of (f - f(c))^2 and L_s of the restyled picture, [B]; and of the content, the
        style's picture and noise in its stead."""
        content, _, style = encoded(variables, batch, key)
        noise = 2.0 * uniform(example_keys(key, batch), shape) - 1.0
        pictures = {
            "": translate(variables, batch, key)["image"], "_of_content": batch["image"],
            "_of_painting": batch["image_b"], "_of_noise": noise,
        }  # fmt: skip
        results = {}
        for name, picture in pictures.items():
            y = maps(variables, picture, key)
            results[f"content{name}"], results[f"style{name}"] = distances(y, content, style)
        return results

    players = (games.player("decoder", ("decoder",), {"error": error}, settings, settings.average),)
    functions = {f.__name__: f for f in (translate, blend, compare, restyling)}
    return (games.phase(settings, init, players, functions, stages=stages),)


def _check(settings: Settings, shape, code) -> None:
    """Raises UserError if the decoder does not lead back to the image's sides."""
    doublings = len(settings.decoder.widths)
    if any(side != small * 2**doublings for side, small in zip(shape[:2], code[:2], strict=True)):
        raise UserError(
            f"layer {settings.layers[-1]} of images of {shape[0]}x{shape[1]} is"
            f" {code[0]}x{code[1]}, which {doublings} doublings (decoder.widths) do not lead back:"
            " give as many widths as there are pools before that layer, or another data.size"
        )
