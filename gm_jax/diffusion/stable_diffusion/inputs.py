"""What a user states of a sample: the scheduler, an image and a mask from files, captions."""

from pathlib import Path

import jax.numpy as jnp
import numpy as np
from PIL import Image

from gm_jax.diffusion.shared import published
from gm_jax.diffusion.shared.published import Chain
from gm_jax.diffusion.stable_diffusion.generate import Networks
from gm_jax.diffusion.stable_diffusion.networks import Config
from gm_jax.errors import UserError
from gm_jax.model import Array
from gm_jax.tokenizers import Tokenizer
from gm_jax.tokenizers.clip import END

# Each: what it states of a scheduler_config.json, whatever the folder's own scheduler is.
_LAST = {"set_alpha_to_one": False, "steps_offset": 1, "clip_sample": False}
SAMPLERS = {
    "ddim": {"_class_name": "DDIMScheduler", **_LAST},
    "ancestral": {"_class_name": "DDPMScheduler", **_LAST},
    "pndm": {"_class_name": "PNDMScheduler", **_LAST, "skip_prk_steps": False},
    "plms": {"_class_name": "PNDMScheduler", **_LAST, "skip_prk_steps": True},
    "euler": {"_class_name": "EulerDiscreteScheduler", "steps_offset": 1},
    "euler_ancestral": {"_class_name": "EulerAncestralDiscreteScheduler", "steps_offset": 1},
    "heun": {"_class_name": "HeunDiscreteScheduler", "steps_offset": 1},
    "lms": {"_class_name": "LMSDiscreteScheduler", "steps_offset": 1},
    "dpmpp_2m": {"_class_name": "DPMSolverMultistepScheduler", "steps_offset": 1},
    "dpmpp_3m": {"_class_name": "DPMSolverMultistepScheduler", "solver_order": 3},
    "dpmpp_2m_sde": {
        "_class_name": "DPMSolverMultistepScheduler", "algorithm_type": "sde-dpmsolver++"
    },
    "unipc": {"_class_name": "UniPCMultistepScheduler", "steps_offset": 1},
}  # fmt: skip
SPACINGS = ("leading", "trailing", "linspace", "karras")
# What belongs to the network, not to the sampler.
KEPT = (
    "num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "trained_betas",
    "prediction_type", "rescale_betas_zero_snr",
)  # fmt: skip


def scheduler(config: Config, prediction: str | None) -> Config:
    """A scheduler_config.json, with another prediction if one is stated.

    Whatever old files say, times start at 1 and latents are not clipped, as in the reference.
    """
    if "_class_name" not in config:
        raise UserError("scheduler_config.json names no scheduler: _class_name is missing")
    config = {**config, "steps_offset": 1, "clip_sample": False}
    return config | ({"prediction_type": prediction} if prediction else {})


def chain(config: Config, sampler, edited: bool) -> Chain:
    """The sampler of the settings; `edited` leaves out the steps before `strength` of them."""
    if sampler.name:
        config = {k: config[k] for k in KEPT if k in config} | SAMPLERS[sampler.name]
    if sampler.spacing == "karras":
        config = {**config, "use_karras_sigmas": True}
    elif sampler.spacing:
        config = {**config, "timestep_spacing": sampler.spacing}
    first = 0
    if edited:
        left = int(sampler.steps * sampler.strength)
        if not left:
            raise UserError(
                f"sampler.strength {sampler.strength} of {sampler.steps} steps is none: the image"
                " would stay as it is; raise one of them"
            )
        first = sampler.steps - left
    return published.chain(config, sampler.steps, sampler.eta, first)


def pictures(sampler, nets: Networks) -> tuple[Array | None, Array | None, tuple[int, int]]:
    """The image [H, W, C] in [-1, 1] and the mask [H, W, 1] of the settings, and their sides.

    Raises UserError if a file cannot be read, or if a side is not a multiple of the latents'.
    """
    native = nets.unet.config["sample_size"] or 64
    rows, columns = (native, native) if isinstance(native, int) else native
    sides = (sampler.height, sampler.width) if sampler.height else None
    image = mask = None
    if sampler.image:
        image = _read(sampler.image, "RGB", sides, Image.Resampling.LANCZOS) / 127.5 - 1.0
        sides = image.shape[:2]
    sides = sides or (rows * nets.factor, columns * nets.factor)
    check_sides(sampler.image or "sampler", *sides, nets.factor)
    if sampler.mask:
        mask = _read(sampler.mask, "L", sides, Image.Resampling.NEAREST)[..., None] / 255.0
        mask = jnp.asarray(mask, jnp.float32)
    return None if image is None else jnp.asarray(image, jnp.float32), mask, sides


def check_sides(what: str, height: int, width: int, factor: int) -> None:
    """Raises UserError unless both are multiples of a latent pixel's side."""
    if height % factor or width % factor:
        raise UserError(
            f"{what}: {height} x {width} pixels: height and width must be multiples of {factor};"
            " set sampler.height and sampler.width, or data.size"
        )


def check_inpainting(path: Path) -> None:
    """Raises UserError: a network that sees a mask is asked for an image without one."""
    raise UserError(
        f"{path} is an inpainting model, whose U-Net also reads a mask: set sampler.image and"
        " sampler.mask"
    )


def _read(path: str, mode: str, sides: tuple[int, int] | None, how) -> np.ndarray:
    try:
        with Image.open(Path(path).expanduser()) as file:
            picture = file.convert(mode)
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as a picture: {error}") from None
    if sides and picture.size != sides[::-1]:
        picture = picture.resize(sides[::-1], how)
    return np.asarray(picture, np.float64)


def padded(ids: Array, tokenizer: Tokenizer) -> Array:
    """Symbols [B, T] with the tokenizer's padding after their first end."""
    end = tokenizer.vocabulary.numbers[END]
    first = jnp.argmax(ids == end, axis=1)[:, None]
    return jnp.where(jnp.arange(ids.shape[1]) > first, tokenizer.padding, ids)
