"""Everybody Dance Now: films of one person, made of poses, each frame after the one before.

Chan, Ginosar, Zhou & Efros 2019 (arXiv 1808.07371), after pix2pixHD, with poses s_t, frames x_t:

    I_0 = G(s_0, 0),  I_1 = G(s_1, I_0)                                      temporal smoothing
    L_smooth = E log D(s_0, s_1, x_0, x_1) + E log(1 - D(s_0, s_1, I_0, I_1))
    I_t <- I_t + R(s_t, I_t) in the square of the face                       face GAN
    L_face = E log D_f(s_t, x_t) + E log(1 - D_f(s_t, I_t)), in that square
    L = sum over scales of L_smooth + lambda_FM L_FM + lambda_P L_P          full objective

All values are least squares in the authors' code. The gradient of I_1 goes through I_0. First G is
trained, against critics at several scales; then R, against those and D_f, with G as it is. Poses
are in [0, 1], frames in [-1, 1]. Without `smooth` each frame is made and judged by itself.
"""

from typing import Annotated

import jax
import jax.numpy as jnp
from jax import lax

from gm_jax import games, networks
from gm_jax.errors import UserError
from gm_jax.losses.adversarial import VALUE_FUNCTIONS
from gm_jax.losses.translation import l1
from gm_jax.model import Aux, Phase, field_of
from gm_jax.networks import Network
from gm_jax.nn.patchgan import PatchGAN
from gm_jax.optimizers import Optimizer, adam
from gm_jax.settings import Recipe, Restartable, arguments, at_least, one_of, part_of, schema
from gm_jax.translation.shared import multiscale
from gm_jax.translation.shared.film import cropped, cuts, in_turn, pasted
from gm_jax.translation.shared.resnet import ResNet, check_sides

Weight = Annotated[float, at_least(0.0)]
FRAMES = 2  # made in a step


@schema
class Generator(part_of(ResNet, "features", "dtype", levels=4)):
    """The player that makes frames.

    optimizer  one of optax's
    """

    optimizer: Optimizer = adam(2e-4, b1=0.5)


@schema
class Discriminator(part_of(multiscale.MultiScale, "dtype")):
    """The player that tells films from those made of poses, at several scales.

    optimizer  one of optax's
    """

    optimizer: Optimizer = adam(2e-4, b1=0.5)


@schema
class FaceDiscriminator(part_of(PatchGAN, "padding", "dtype")):
    """The player that tells faces from those made of poses.

    optimizer  one of optax's
    """

    optimizer: Optimizer = adam(2e-4, b1=0.5)


@schema
class Face(part_of(ResNet, "features", "dtype", levels=3, blocks=5)):
    """The second phase: what is added to a face.

    steps          rounds; 0 for no second phase
    size           side of the square around a face, in pixels
    adversarial    weight of its value by D_f
    optimizer      one of optax's
    discriminator  the player that tells faces from those made of poses
    """

    steps: Annotated[int, at_least(0), Restartable(trains=True)] = 1
    size: Annotated[int, at_least(4)] = 128
    adversarial: Weight = 2.0
    optimizer: Optimizer = adam(2e-4, b1=0.5)
    discriminator: FaceDiscriminator = FaceDiscriminator()


@schema
class Settings(Recipe):
    """Everybody Dance Now, in two phases.

    steps           rounds of the first phase
    value_function  what D maximises and G minimises
    adversarial     weight of G's value: 2 makes (D - 1)^2, as the authors have it, of the half that
                    least_squares is
    matching        weight of the distance of D's maps
    perceptual      weight of the distance of features; stages.features says whose. 0 for none
    distance        weight of the L1 distance, the authors' choice in place of features
    smooth          whether G sees its frame before, and D two frames at once
    generator       the player that makes frames
    discriminator   the player that tells films from those made of poses
    face            the second phase
    """

    value_function: Annotated[str, one_of(VALUE_FUNCTIONS)] = "least_squares"
    adversarial: Weight = 2.0
    matching: Weight = 10.0
    perceptual: Weight = 0.0
    distance: Weight = 0.0
    smooth: bool = True
    generator: Generator = Generator()
    discriminator: Discriminator = Discriminator()
    face: Face = Face()

    def wrong(self):
        """Choices that do not go together, a line for each."""
        yield from super().wrong()
        yield from games.without_features(self)


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """A generator of frames against critics of films; configs/dance_dancers.py."""
    shape, face = field_of(spec, "video").shape, settings.face
    _check(settings, spec)
    dtype, value = jnp.dtype(settings.dtype), VALUE_FUNCTIONS[settings.value_function]

    def resnet(part, *without):
        own = arguments(part, "optimizer", *without)
        return ResNet(shape[-1], **own, dtype=dtype)

    generator = Network("generator", resnet(settings.generator))
    residual = Network("face", resnet(face, "steps", "size", "adversarial", "discriminator"))
    other, of_face = (arguments(p.discriminator, "optimizer") for p in (settings, face))
    discriminator = Network("discriminator", multiscale.MultiScale(**other, dtype=dtype))
    critic = PatchGAN(**of_face, padding=2, dtype=dtype)
    face_discriminator = Network("face_discriminator", critic)
    distances = games.feature_distances(stages) if settings.perceptual else lambda *_: {}

    def given(batch):
        """Poses [T, B, H, W, C] in [0, 1] and the corners of faces [T, B, 2], frame by frame."""
        corner = cuts(batch["box"], shape[1:3], face.size)
        return jnp.moveaxis((batch["video_pose"] + 1.0) / 2.0, 1, 0), jnp.moveaxis(corner, 1, 0)

    def frame(variables, pose, corner, before, with_face):
        """I_t of s_t and the frame before, both [B, H, W, C]."""
        seen = [pose, before] if settings.smooth else [pose]
        made = generator(variables, jnp.concatenate(seen, axis=-1))
        if with_face:
            parts = [cropped(x, corner, face.size) for x in (pose, made)]
            made = pasted(made, corner, residual(variables, jnp.concatenate(parts, axis=-1)))
        return made

    def made_of(variables, batch, with_face):
        """I_0 and I_1, [2, B, H, W, C]."""
        poses, corners = given(batch)
        made = [jnp.zeros_like(batch["video"][:, 0])]
        for pose, corner in zip(poses, corners, strict=True):
            made.append(frame(variables, pose, corner, made[-1], with_face))
        return jnp.stack(made[1:])

    def shown(batch, frames):
        """What D sees of frames [2, B, ...]: two poses and two frames at once, or one of each."""
        poses, _ = given(batch)
        if settings.smooth:
            return jnp.concatenate([*poses, *frames], axis=-1)
        return in_turn(jnp.concatenate([poses, frames], axis=-1))

    def faces(batch, frames):
        """The squares of poses and frames [2, B, ...], each of its own frame, in one batch."""
        poses, corners = given(batch)
        both, corners = in_turn(jnp.concatenate([poses, frames], axis=-1)), in_turn(corners)
        return cropped(both, corners, face.size)

    def films(batch):
        return jnp.moveaxis(batch["video"], 1, 0)

    def init_body(key, batch, previous):
        pose, x = given(batch)[0][0], batch["video"][:, 0]
        seen = jnp.concatenate([pose, x], axis=-1) if settings.smooth else pose
        calls = (generator, seen), (discriminator, shown(batch, films(batch)))
        return networks.split_init(key, *calls)

    def init_face(key, batch, previous):
        keys, seen = jax.random.split(key), faces(batch, films(batch))
        begun = init_body(keys[0], batch, None) if previous is None else previous
        fresh = networks.split_init(keys[1], (residual, seen), (face_discriminator, seen))
        return fresh._replace(params=begun.params | fresh.params, state=begun.state | fresh.state)

    def realism(variables, batch, made, key):
        """What frames must be in both phases: a value and the terms it is made of."""
        x, y = films(batch), made
        seen = shown(batch, x), shown(batch, y)
        reals, fakes, _ = multiscale.judged(discriminator, variables, *seen)
        terms = {
            "adversarial": sum(multiscale.values(value.generator, reals, fakes)),
            "matching": multiscale.matching(reals, fakes),
        }
        if settings.distance:
            terms["distance"] = jnp.mean(l1(in_turn(x), in_turn(y)))
        loss = sum(getattr(settings, name) * term for name, term in terms.items())
        for name, far in distances(variables, in_turn(x), in_turn(y), key).items():
            terms[name] = jnp.mean(far)
            loss += settings.perceptual * terms[name]
        return loss, terms

    def generator_loss(variables, batch, key, step):
        loss, terms = realism(variables, batch, made_of(variables, batch, False), key)
        return loss, Aux(terms)

    def discriminator_terms(variables, batch, made):
        seen = shown(batch, films(batch)), shown(batch, made)
        reals, fakes, state = multiscale.judged(discriminator, variables, *seen)
        return sum(multiscale.values(value.discriminator, reals, fakes)), {"discriminator": state}

    def discriminator_loss(variables, batch, key, step):
        loss, state = discriminator_terms(variables, batch, made_of(variables, batch, False))
        return loss, Aux(state=state)

    def judged_faces(variables, batch, made):
        """D_f's logits of real and made faces, and its new state."""
        real, state = face_discriminator.train(variables, faces(batch, films(batch)))
        return real, face_discriminator.train(variables, faces(batch, made))[0], state

    def face_loss(variables, batch, key, step):
        made = made_of(variables, batch, True)
        loss, terms = realism(variables, batch, made, key)
        real, fake, _ = judged_faces(variables, batch, made)
        terms["face"] = jnp.mean(value.generator(real, fake))
        x, y = (faces(batch, frames)[..., -shape[-1] :] for frames in (films(batch), made))
        for name, far in distances(variables, x, y, key).items():
            terms[f"face_{name}"] = jnp.mean(far)
            loss += settings.perceptual * terms[f"face_{name}"]
        return loss + face.adversarial * terms["face"], Aux(terms)

    def discriminators_loss(variables, batch, key, step):
        made = made_of(variables, batch, True)
        whole, state = discriminator_terms(variables, batch, made)
        real, fake, state["face_discriminator"] = judged_faces(variables, batch, made)
        of_faces = jnp.mean(value.discriminator(real, fake))
        return whole + of_faces, Aux({"whole": whole, "face": of_faces}, state)

    def functions(with_face):
        def film(variables, batch, key):
            """A film [B, T, H, W, C] of poses: each frame after the one before."""

            def following(before, seen):
                now = frame(variables, *seen, before, with_face)
                return now, now

            poses, corners = given(batch)
            kind = jnp.promote_types(poses.dtype, dtype)
            first = jnp.zeros((poses.shape[1], *shape[1:]), kind)
            return {"video": jnp.moveaxis(lax.scan(following, first, (poses, corners))[1], 0, 1)}

        def compare(variables, batch, key):
            """Poses, the film made of them and the true one beside one another."""
            own = film(variables, batch, key)["video"]
            return {"video": jnp.concatenate([batch["video_pose"], own, batch["video"]], axis=3)}

        return {"film": film, "compare": compare}

    def phase(name, init, players, steps):
        made = games.phase(settings, init, players, functions(name == "face"), stages=stages)
        return made._replace(name=name, steps=steps)

    def judge(loss, part, *owns):
        return games.player("discriminator", owns, {"value": loss}, part)

    def maker(name, loss, part):
        return games.player(name, (name,), {"value": loss}, part, settings.average)

    body = (
        maker("generator", generator_loss, settings.generator),
        judge(discriminator_loss, settings.discriminator, "discriminator"),
    )
    judges = judge(discriminators_loss, face.discriminator, "discriminator", "face_discriminator")
    kept = games.player("generator", ("generator",), {}, settings.generator, settings.average)
    second = (kept, maker("face", face_loss, face), judges)
    phases = (
        phase("body", init_body, body, settings.steps),
        phase("face", init_face, second, face.steps),
    )
    return phases if face.steps else phases[:1]


def _check(settings: Settings, spec) -> None:
    """Raises UserError if the films do not fit the networks."""
    shape, size = spec["video"].shape, settings.face.size
    field_of(spec, "video_pose"), field_of(spec, "box")
    if shape[0] != FRAMES:
        raise UserError(f"two frames are made in a step: set data.frames to 2, not {shape[0]}")
    check_sides(shape[1:3], settings.generator.levels)
    if settings.face.steps:
        check_sides((size, size), settings.face.levels, "face.size")
        if size > min(shape[1:3]):
            raise UserError(f"face.size {size} is larger than the frames of {shape[1]}x{shape[2]}")
