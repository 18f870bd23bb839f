"""Films as a diffusion model of images sees them: their frames, those that are given, their rate.

Singer et al. 2022 (Make-A-Video, arXiv 2209.14792), sections 3.2 and 3.3.
"""

from collections.abc import Callable

import flax.linen as nn
import jax.numpy as jnp
import numpy as np

from gm_jax.diffusion.shared import core
from gm_jax.errors import UserError
from gm_jax.model import Array
from gm_jax.nn.upsampling import shrunk


class Rates(nn.Module):
    """Numbers of frame rates [B] to vectors [B, width], which begin at zero."""

    count: int
    width: int
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, rate: Array) -> Array:
        zero = nn.initializers.zeros
        return nn.Embed(self.count, self.width, embedding_init=zero, dtype=self.dtype)(rate)


def check_length(length: int, frames: int, strides: tuple[int, ...]) -> None:
    """Raises UserError unless a film of that length has `frames` frames at each stride."""
    most = (frames - 1) * max(strides) + 1
    if length < most:
        raise UserError(
            f"{frames} frames at a stride of {max(strides)} take films of {most} frames, and these"
            f" have {length}: set data.frames={most}, or other frames or strides"
        )


def strided(video: Array, stride: Array, frames: int) -> Array:
    """Every stride-th frame of films [B, F, H, W, C] from the first on, [B, frames, H, W, C]."""
    at = stride[:, None] * jnp.arange(frames)
    return jnp.take_along_axis(video, at[..., None, None, None], axis=1)


def shrunk_frames(video: Array, shape: tuple[int, ...]) -> Array:
    """Films [B, T, H, W, C] at the sides of `shape` [T, h, w, C]."""
    if video.shape[2:] == shape[1:]:
        return video
    return shrunk(video.reshape(-1, *video.shape[2:]), shape[1:]).reshape(-1, *shape)


def known_frames(frames: int, every: int) -> np.ndarray | None:
    """1 for frames that are given, 0 for the others, [frames, 1, 1, 1]; None if none are."""
    if not every:
        return None
    return np.float32(np.arange(frames) % every == 0).reshape(-1, 1, 1, 1)


def beside(x: Array, given: Array | None, known: np.ndarray | None) -> Array:
    """x_t, the given frames, zero where there is none, and which they are: [B, T, H, W, 2C + 1]."""
    if known is None:
        return x
    mask = jnp.broadcast_to(jnp.asarray(known, x.dtype), (*x.shape[:-1], 1))
    return jnp.concatenate([x, known * given, mask], axis=-1)


def each_frame(frames: int, x: Array, *told: Array | None) -> tuple:
    """Films x [B, T, H, W, C] as images [B T, H, W, C], and what each film is told, B T times."""
    return x.reshape(-1, *x.shape[2:]), *(
        None if value is None else jnp.repeat(value, frames, axis=0) for value in told
    )


def between(given: Array, frames: int) -> Array:
    """Frames on the line between those given, [B, k, H, W, C] to [B, frames, H, W, C]."""
    at = np.linspace(0.0, given.shape[1] - 1.0, frames)
    low = np.minimum(at.astype(int), given.shape[1] - 2)
    share = jnp.asarray(at - low, given.dtype).reshape(-1, 1, 1, 1)
    return (1.0 - share) * given[:, low] + share * given[:, low + 1]


def functions(model: core.Core, settings, stages, known, of_frame: Callable) -> dict[str, Callable]:
    """What a model of films does: sample and animate; or if frames are given, fill and
    interpolation.

    known     frames that are given, see `known_frames`
    of_frame  (variables, batch, key, frames [B, h, w, C]) -> their embeddings
    """
    frames, every = settings.frames, settings.given_frames

    def drawn(variables, batch, key):
        return jnp.clip(core.chain(model, variables, batch, key)[0], -1.0, 1.0)

    def small(batch):
        stride = jnp.full(len(batch["video"]), settings.strides[-1])
        return shrunk_frames(strided(batch["video"], stride, frames), model.shape)

    def sample(variables, batch, key):
        """A film of each caption, or of the prompt, with what `stages` add to it."""
        film = drawn(variables, batch, key)
        if "frames" in stages:
            fill = stages["frames"].model.functions["fill"]
            film = fill(variables.frozen["frames"], {**batch, "video_known": film}, key)["video"]
        if "upsampler" in stages:
            film = enlarged(stages["upsampler"], variables.frozen["upsampler"], batch, key, film)
        return {"video": film}

    def animate(variables, batch, key):
        """A film of the embedding of the first frame of the data's film."""
        embedding = of_frame(variables, batch, key, batch["video"][:, 0])
        return sample(variables, {**batch, "embedding": embedding}, key)

    def fill(variables, batch, key):
        """The frames between those given: `video_known` [B, k, h, w, C], or of the data's film."""
        given = batch["video_known"] if "video_known" in batch else small(batch)[:, ::every]
        film = jnp.zeros((len(given), *model.shape), given.dtype).at[:, ::every].set(given)
        embedding = of_frame(variables, batch, key, given[:, 0])
        own = {**batch, "known": film, "embedding": embedding}
        return {"video": jnp.where(known > 0, film, drawn(variables, own, key))}

    def interpolation(variables, batch, key):
        """Of frames that are made between the data's, mean squared errors, [B]: by the model, and
        on the line between the two that are given."""
        truth = small(batch)
        hidden = np.flatnonzero(known[:, 0, 0, 0] == 0)

        def error(film):
            return jnp.mean((film - truth)[:, hidden] ** 2, axis=(1, 2, 3, 4))

        made, line = fill(variables, batch, key)["video"], between(truth[:, ::every], frames)
        return {"squared_error": error(made), "squared_error_line": error(line)}

    if every:
        return {"fill": fill, "interpolation": interpolation}
    return {"sample": sample, "animate": animate}


def enlarged(stage, variables, batch, key, film):
    """Frame by frame with the same noise in all, so that what is added does not flicker."""
    count = film.shape[1]
    images = film.reshape(-1, *film.shape[2:])
    each = {name: jnp.repeat(batch[name], count, axis=0) for name in ("index", "caption")}
    large = stage.model.functions["enlarge"](variables, {**each, "image_low": images}, key)["image"]
    return large.reshape(-1, count, *large.shape[1:])
