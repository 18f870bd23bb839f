"""Published checkpoints of denoisers: guided-diffusion's U-Nets (ADM) and DiTs.

A recipe with `weights` begins with them; with steps=0 it samples them as they are. All names and
shapes are checked before anything is read.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import jax
import numpy as np

from gm_jax.errors import UserError
from gm_jax.model import PyTree, Stage, Variables
from gm_jax.nn.dit import positions
from gm_jax.settings import arguments
from gm_jax.weights import assign, dit, guided_diffusion, open_weights
from gm_jax.weights.assigning import Table, check
from gm_jax.weights.stored import Tensors

ORDERS = ("heads", "parts")
LABELS = "label_emb.weight"


def start(settings, module, *inputs) -> Callable[[Mapping[str, Stage]], Variables] | None:
    """What a phase begins with: reads settings.weights as `network`'s parameters; None if "".

    inputs  of the module, to know its shapes
    Raises UserError if the file is not there, or of another network.
    """
    if not settings.weights:
        return None
    path = Path(settings.weights).expanduser()
    if not path.is_file():
        raise UserError(f"{path} is not there: give --config.weights=, a checkpoint")
    shapes = jax.eval_shape(module.init, jax.random.key(0), *inputs)["params"]
    table, tensors, ignored = OPEN[settings.network.name](settings, module, inputs, path)
    what = f"{settings.network.name} of {path}"
    check(table, tensors, shapes, what, ignored)

    def read(stages: Mapping[str, Stage]) -> Variables:
        return Variables({"network": assign(table, tensors, shapes, what, ignored)})

    return read


Opened = tuple[Table, Tensors, tuple[str, ...]]


def _unet(settings, module, inputs, path) -> Opened:
    unet = arguments(settings.network, "name", "dit") | {"classes": module.classes}
    tensors = open_weights(path)
    if settings.attention_order == "parts":
        tensors = guided_diffusion.by_heads(tensors, unet)
    if module.classes and module.null_label and LABELS in tensors:
        tensors = {**tensors, LABELS: _with_null(tensors[LABELS])}
    return guided_diffusion.table(unet), tensors, ()


def _with_null(tensor):
    """Labels [classes, D] and a null label of zeros: that network was trained without one."""
    count, features = tensor.shape
    return tensor._replace(
        shape=(count + 1, features), load=lambda: np.pad(tensor.load(), ((0, 1), (0, 0)))
    )


def _dit(settings, module, inputs, path) -> Opened:
    own = arguments(settings.network.dit) | {"classes": module.classes}
    tensors = open_weights(path)
    _check_positions(tensors, module, inputs[0].shape[1:3], path)
    return dit.table(own), dit.as_dense(tensors), (dit.POSITIONS,)


def _check_positions(tensors: Tensors, module, sides: tuple[int, int], path: Path) -> None:
    """Raises UserError unless the file's positions, which are not trained, are ours."""
    if dit.POSITIONS not in tensors:
        return
    stored, grid = tensors[dit.POSITIONS], tuple(side // module.patch for side in sides)
    ours = positions(grid, module.width)[None]
    if stored.shape != ours.shape or not np.allclose(stored.load(), ours, atol=1e-5):
        raise UserError(
            f"dit of {path} is for another size: its {dit.POSITIONS} is {list(stored.shape)}, and"
            f" latents of {sides[0]}x{sides[1]} in patches of {module.patch} have"
            f" {list(ours.shape)}; or its positions are not fixed ones"
        )


OPEN: dict[str, Callable[..., Opened]] = {"unet": _unet, "dit": _dit}


def begun(variables: Variables, previous: Variables | None) -> Variables:
    """The variables with the parameters that were read in place of fresh ones."""
    read: PyTree = {} if previous is None else previous.params
    return variables._replace(params={**variables.params, **read})
