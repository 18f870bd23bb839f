"""Super-resolution by diffusion, and cascades: a small image is drawn, and then enlarged.

Ho et al. 2022, Cascaded Diffusion Models (arXiv 2106.15282); Saharia et al. 2021, SR3
(arXiv 2104.07636).

    L = E || eps - eps_theta([x_t, up(z_s)], t, s, y) ||^2        z: the image x made small
    z_s = alpha_s z + sigma_s eps',  s uniform on 0 .. S          conditioning augmentation, 4.2
    x ~ p(x | z_s, y) of z ~ p(z | y)                             a cascade, section 2

The small images are drawn by `stages.base`, a workdir or a recipe: a diffusion model of images of
that size, perhaps a cascade itself. Training does not read it, so it may come later; without it the
model enlarges those of the data (`upsample`), or others that are given as `image_low`.
"""

import dataclasses
from typing import Annotated, Any

import jax
import jax.numpy as jnp

from gm_jax import conditions, games, networks
from gm_jax.diffusion.shared import classifiers, conditioned, core, denoisers
from gm_jax.diffusion.shared import low_resolution as low
from gm_jax.diffusion.shared.choices import Share
from gm_jax.errors import UserError
from gm_jax.model import Phase, Stage, example_keys, field_of
from gm_jax.networks import Network
from gm_jax.nn import upsampling
from gm_jax.settings import Recipes, Restartable, at_least, schema


@schema
class UpSampler(conditioned.PromptedSampler):
    """From noise and a small image to an image.

    augmentation  level of the noise on the small image, as a share of `times`
    """

    augmentation: Share = 0.1


@schema
class Settings(conditioned.Conditioned):
    """An upsampler.

    factor        how many times smaller than the image's the sides of the small image are
    augmentation  largest level of the noise on the small image in training, as a share of `times`;
                  0 for no noise
    stages        {name: workdir of an earlier run, or a recipe to train first}; base, of the small
                  images, and classifier, for sampler.classifier, may come after training
    """

    factor: Annotated[int, at_least(2)] = 2
    augmentation: Share = 0.5
    sampler: Annotated[UpSampler, Restartable()] = UpSampler()
    stages: Annotated[dict[str, Any], Recipes(late=("base", "classifier"))] = dataclasses.field(
        default_factory=dict
    )

    def wrong(self):
        """Choices that do not go together, a line for each."""
        yield from super().wrong()
        if self.weights:
            yield "weights are of networks that see no small image: leave them out of an upsampler"
        if self.sampler.augmentation > self.augmentation:
            yield (
                f"sampler.augmentation {self.sampler.augmentation} is more than the network has"
                f" seen: at most {self.augmentation} (augmentation)"
            )


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """One player learns to enlarge, in one phase; configs/super_resolution_digits.py."""
    field, dtype, process = field_of(spec, "image"), jnp.dtype(settings.dtype), settings.process()
    shape, small = field.shape, upsampling.small_shape(field.shape, settings.factor)
    small_of = upsampling.small_images(small)
    condition = conditions.make(settings.condition, spec, dtype)
    asked = conditions.prompted(settings.sampler.prompt, spec)
    augmentation = low.augmentation(process.schedule, settings.augmentation)
    chosen_level = low.level_of(process.schedule, settings.sampler.augmentation)
    channels = 2 * shape[-1] if settings.learned else shape[-1]
    module = denoisers.module_of(settings.network, condition.classes, channels, dtype)
    network = Network("network", module)

    def init(key, batch, previous):
        network_key, condition_key = jax.random.split(key)
        known, x = condition.init(condition_key, batch), batch["image"]
        label, context = condition.inputs(known, batch, False)
        inputs = low.beside(x, small_of(batch)), jnp.zeros((len(x), 2)), label, None, context
        variables = networks.init(network_key[None], (network, *inputs))
        return variables._replace(
            params=variables.params | known.params, state=core.state(settings)
        )

    def given(variables, batch, key, training):
        """The batch with z_s and its level s."""
        batch = batch if training else asked(batch)
        level_keys, noise_keys = (example_keys(k, batch) for k in jax.random.split(key))
        s = augmentation.draw(level_keys) if training else jnp.full(len(level_keys), chosen_level)
        return dict(batch, noised=augmentation.noised(small_of(batch), s, noise_keys), level=s)

    def predict(variables, batch, drop, keys):
        label, context = condition.inputs(variables, batch, drop)

        def network_of(x, level):
            levels = jnp.stack([level, batch["level"].astype(level.dtype)], axis=-1)
            x = low.beside(x, batch["noised"])
            return network(variables, x, levels, label, keys, context)

        return network_of

    def image(variables, batch, key):
        return batch["image"]

    guide = classifiers.guide(settings, spec, shape, stages)
    model = core.Core(
        settings, process, shape, image, predict, bool(condition.classes), guide=guide, given=given
    )
    functions, drawn = core.functions(model), core.spec_of(model, spec)
    enlarge = functions.pop("sample")
    functions |= upsampling.functions(enlarge, shape, small) | {"enlarge": enlarge}
    small_images = {"image": field._replace(shape=small)}
    if "base" in stages:
        _check_base(stages["base"], drawn | small_images)
        functions = {"sample": _cascade(stages["base"], enlarge)} | functions
    moves, owns = core.objective(model), ("network", *condition.owns)
    players = (games.player("super_resolution", owns, moves, settings, settings.average),)
    spec = drawn | {"image_low": small_images["image"]}
    return (games.phase(settings, init, players, functions, spec, stages),)


def _cascade(base: Stage, enlarge):
    def sample(variables, batch, key):
        """Whole images: small ones of `stages.base`, enlarged; labels travel with them."""
        base_key, key = jax.random.split(key)
        drawn = base.model.functions["sample"](variables.frozen["base"], batch, base_key)
        labels = {"label": drawn["label"]} if "label" in drawn else {}
        return enlarge(variables, dict(batch, image_low=drawn["image"], **labels), key) | labels

    return sample


def _check_base(base: Stage, needed) -> None:
    """Raises UserError unless `stages.base` draws small images, with labels if they are needed."""
    drawn = base.model.spec
    if "sample" not in base.model.functions or "image" not in drawn:
        raise UserError(
            "stages.base draws no images: set it to the workdir of a ddpm of small images, or to"
            " its recipe"
        )
    if drawn["image"].shape != needed["image"].shape:
        raise UserError(
            f"stages.base draws images of {drawn['image'].shape}, and this model enlarges"
            f" {needed['image'].shape}: set factor, or the data.size that base is trained on"
        )
    if "label" in needed and "label" not in drawn:
        raise UserError(
            "stages.base draws images without labels, and this model needs them: train it with"
            " conditional=True, or this one with condition.name=''"
        )
