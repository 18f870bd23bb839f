"""The first-order motion model: a picture moved as another film moves, by keypoints of its own.

Siarohin et al. 2019 (arXiv 2003.00196). A source S (`image`) and a driving frame D (`image_b`) of
one film; a detector gives keypoints p and linear maps J of each:

    T_k(z) = p_S + J_S J_D^-1 (z - p_D)                     section 3.1, eq. 4
    G      of S, moved by sum_k M_k T_k and hidden by O     section 3.2
    L      = sum over scales d(D, G)                        section 3.3
             + 10 E |p_D - T(p_T)| + 10 E |1 - J_D^-1 T'(p_T) J_T|

Masks M, the ground's with the identity for T_0, and the occlusion O are the dense motion network's.
p_T and J_T are found in D(T(z)), T a random smooth deformation; |.| is a mean over keypoints and
coordinates. d is a distance of features (`stages.features`; VGG19's in the paper), of pixels, or of
both. Images are seen in [0, 1]. The detector sees source, driving and deformed frame in one batch.
"""

from typing import Annotated

import jax
import jax.numpy as jnp

from gm_jax import games, networks
from gm_jax.losses.translation import l1
from gm_jax.model import Aux, Phase, example_keys, field_of
from gm_jax.networks import Network
from gm_jax.optimizers import Optimizer, adam
from gm_jax.settings import Recipe, arguments, at_least, part_of, schema
from gm_jax.translation.shared import motion
from gm_jax.translation.shared.motion import Keypoints
from gm_jax.translation.shared.warping import Deformation, grid, random_deformation, reduced, warp

Weight = Annotated[float, at_least(0.0)]
Detector = part_of(motion.Detector, "dtype")
DenseMotion = part_of(motion.DenseMotion, "dtype")
Generator = part_of(motion.Generator, "features", "dtype")


@schema
class Settings(Recipe):
    """The first-order motion model.

    perceptual    weight of the distance of features; stages.features says whose. 0 for none
    pixels        weight of the mean absolute error of pixels; the paper has none
    scales        of images that are compared, each half as large as the one before
    equivariance  weight of the keypoints' error under a random deformation, and of their maps'
    detector      of keypoints
    dense_motion  from keypoints to the motion of each pixel
    generator     from the source and its motion to the driving frame
    optimizer     of all three, one of optax's
    """

    perceptual: Weight = 0.0
    pixels: Weight = 10.0
    scales: Annotated[int, at_least(1)] = 4
    equivariance: Weight = 10.0
    detector: Detector = Detector()
    dense_motion: DenseMotion = DenseMotion()
    generator: Generator = Generator()
    optimizer: Optimizer = adam(2e-4, b1=0.5)

    def wrong(self):
        """Choices that do not go together, a line for each."""
        yield from super().wrong()
        yield from games.without_features(self)
        if not self.perceptual and not self.pixels:
            yield "perceptual and pixels are both 0: set one of them"


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """One player of three networks; configs/first_order_motion_dancers.py."""
    field, dtype = field_of(spec, "image"), jnp.dtype(settings.dtype)
    field_of(spec, "image_b")
    motion.check_sides(field.shape, settings)
    modules = {
        "detector": motion.Detector(**arguments(settings.detector), dtype=dtype),
        "dense_motion": motion.DenseMotion(**arguments(settings.dense_motion), dtype=dtype),
        "generator": motion.Generator(
            field.shape[-1], **arguments(settings.generator), dtype=dtype
        ),
    }
    detector, dense, generator = (Network(name, module) for name, module in modules.items())
    distances = games.feature_distances(stages) if settings.perceptual else lambda *_: {}
    wide = jnp.promote_types(dtype, jnp.float32)

    def unit(image):
        """[-1, 1] to [0, 1], as precise as blurs and warps shall be."""
        return (image.astype(wide) + 1.0) / 2.0

    def init(key, batch, previous):
        x = unit(batch["image"])
        points = motion.resting(len(x), settings.detector.keypoints)
        calls = (detector, x), (dense, x, points, points), (generator, x, motion.stillness(x))
        return networks.split_init(key, *calls)

    def compared(variables, x, y, key):
        """{name: distance [B]} of images in [0, 1], summed over the scales."""
        sums = {}
        for level in range(settings.scales):
            small = [reduced(image, 2**level) for image in (x, y)]
            seen = (2.0 * image - 1.0 for image in small)
            far = {"pixels": l1(*small)} | distances(variables, *seen, key)
            sums = {name: sums.get(name, 0.0) + value for name, value in far.items()}
        return sums

    def loss(variables, batch, key, step):
        source, driving = unit(batch["image"]), unit(batch["image_b"])
        deformation = jax.vmap(random_deformation)(example_keys(key, batch))
        images = jnp.concatenate([source, driving, deformed(driving, deformation)])
        found, of_detector = detector.train(variables, images)
        of_source, of_driving, of_deformed = (
            jax.tree.map(lambda x, part=part: jnp.split(x, 3)[part], found) for part in range(3)
        )
        moves, of_dense = dense.train(variables, source, of_source, of_driving)
        made, of_generator = generator.train(variables, source, moves)
        terms = compared(variables, driving, made, key)
        weights = dict.fromkeys(terms, settings.perceptual) | {"pixels": settings.pixels}
        terms["points"], terms["maps"] = equivariance(of_driving, of_deformed, deformation)
        weights |= dict.fromkeys(("points", "maps"), settings.equivariance)
        metrics = {name: jnp.mean(term) for name, term in terms.items()}
        state = {"detector": of_detector, "dense_motion": of_dense, "generator": of_generator}
        return sum(weights[name] * value for name, value in metrics.items()), Aux(metrics, state)

    def remade(variables, image, of_source, of_driving):
        """An image in [-1, 1] moved by keypoints."""
        x = unit(image)
        return 2.0 * generator(variables, x, dense(variables, x, of_source, of_driving)) - 1.0

    def keypoints(variables, batch, name):
        return detector(variables, unit(batch[name]))

    def translate(variables, batch, key):
        """`image_b`, the driving frame, made of `image` moved by the keypoints of both."""
        points = (keypoints(variables, batch, name) for name in ("image", "image_b"))
        return {"image_b": remade(variables, batch["image"], *points)}

    def animate(variables, batch, key):
        """`image_b`: `image` moved as another film moved from `image_driver`, its first frame, to
        `image_b_driver`. Section 3.4, relative motion: p_S + p_D - p_D0, J_D J_D0^-1 J_S."""
        own, first, now = (
            keypoints(variables, batch, name)
            for name in ("image", "image_driver", "image_b_driver")
        )
        points = motion.relative(own, first, now)
        return {"image_b": remade(variables, batch["image"], own, points)}

    def animate_absolute(variables, batch, key):
        """`image_b`: `image` moved to where the keypoints of `image_b_driver` are."""
        points = (keypoints(variables, batch, name) for name in ("image", "image_b_driver"))
        return {"image_b": remade(variables, batch["image"], *points)}

    def compare(variables, batch, key):
        """The source, the driving frame, and what is made of the source, [B, 3, H, W, C]."""
        shown = batch["image"], batch["image_b"], translate(variables, batch, key)["image_b"]
        return {"image": jnp.stack(shown, axis=1)}

    def transfer(variables, batch, key):
        """The source, another film's first and later frame, and the source moved relatively and
        absolutely, [B, 5, H, W, C]."""
        moved = (f(variables, batch, key)["image_b"] for f in (animate, animate_absolute))
        shown = (batch[name] for name in ("image", "image_driver", "image_b_driver"))
        return {"image": jnp.stack([*shown, *moved], axis=1)}

    functions = {f.__name__: f for f in (translate, animate, animate_absolute, compare, transfer)}
    fields = dict.fromkeys(("image", "image_b", "image_driver", "image_b_driver"), field)
    player = games.player("model", tuple(modules), {"value": loss}, settings, settings.average)
    return (games.phase(settings, init, (player,), functions, fields, stages),)


def deformed(image, deformation: Deformation):
    """D(T(z)) for each image [B, H, W, C] and its T; beyond the border images are mirrored."""
    at = grid(*image.shape[1:3])
    points = jax.vmap(lambda move: move(at.reshape(-1, 2)).reshape(at.shape))(deformation)
    return warp(image, points, "mirror")


def equivariance(driving: Keypoints, found: Keypoints, deformation: Deformation):
    """Mean |p_D - T(p_T)| [B], and mean |1 - J_D^-1 T'(p_T) J_T| [B].

    driving, found  keypoints of a frame, and of that frame deformed by T
    """
    moved = jax.vmap(lambda move, points: move(points))(deformation, found.at)
    slopes = jax.vmap(lambda move, points: move.jacobian(points))(deformation, found.at)
    maps = motion.inverse(driving.jacobian) @ slopes @ found.jacobian
    return (
        jnp.mean(jnp.abs(driving.at - moved), axis=(1, 2)),
        jnp.mean(jnp.abs(jnp.eye(2) - maps), axis=(1, 2, 3)),
    )
