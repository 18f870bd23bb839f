"""The classifier that guides a diffusion model, `stages.classifier`.

It was trained by itself (diffusion/classifier.py) on images noised as the model's are, and is read
in sampling alone: it may be given to a model that is trained already.
"""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp

from gm_jax.diffusion.shared.choices import Choices
from gm_jax.diffusion.shared.schedules import time_field
from gm_jax.errors import UserError
from gm_jax.model import Spec, Stage


def guide(
    settings: Choices, spec: Spec, shape: tuple[int, ...], stages: Mapping[str, Stage]
) -> Callable | None:
    """(variables, batch) -> log_prob(x_t [B, *shape], its level): log p(label | x_t), [B].

    None without `stages.classifier`. Raises UserError unless that has learned the data's labels
    from images of this shape, noised by the model's schedule.
    """
    if "classifier" not in stages:
        return None
    model = stages["classifier"].model
    if wrong := _wrong(settings, spec, shape, model.spec):
        raise UserError(f"stages.classifier {wrong}")

    def log_prob_of(variables, batch):
        def log_prob(x, at):
            noised = {
                "image": x, "time": jnp.broadcast_to(at.time, x.shape[:1]), "label": batch["label"]
            }  # fmt: skip
            given = variables.frozen["classifier"], noised, jax.random.key(0)
            return model.functions["log_prob"](*given)["log_prob"]

        return log_prob

    return log_prob_of


def _wrong(settings: Choices, spec: Spec, shape: tuple[int, ...], seen: Spec) -> str:
    """Why a classifier that has seen `seen` cannot guide; "" if it can."""
    times = time_field(settings.schedule, settings.times)
    if not {"image", "label"} <= set(seen):
        return "is no classifier: give the workdir of one, such as configs/classifier_digits.py"
    if "time" not in seen:
        return "has seen images as they are only: train one with noised=True"
    if seen["time"] != times:
        return (
            f"has seen noise of the schedule {seen['time'].domain} of"
            f" {seen['time'].cardinality - 1} times, and this model's is {times.domain} of"
            f" {settings.times}: train one with this model's schedule and times"
        )
    if seen["image"].shape != shape:
        return f"has seen images of {seen['image'].shape}, and this model's are of {shape}"
    if "label" not in spec or seen["label"].cardinality != spec["label"].cardinality:
        own = spec["label"].cardinality if "label" in spec else "no"
        return f"knows {seen['label'].cardinality} classes, and the data has {own}"
    return ""
