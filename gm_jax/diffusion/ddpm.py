"""Denoising diffusion probabilistic models, and what came of them: one choice of each kind.

Ho, Jain & Abbeel 2020 (arXiv 2006.11239), with the cosine schedule and the learned variance of
Nichol & Dhariwal 2021, the v-prediction of Salimans & Ho 2022, EDM (Karras et al. 2022), rectified
flow (Liu et al. 2022), their samplers, and guidance: by a classifier (Dhariwal & Nichol 2021,
`stages.classifier`) or without one (Ho & Salimans 2022).

    x_t = sqrt(abar_t) x_0 + sqrt(1 - abar_t) eps                              eq. 4
    L_simple = E || eps - eps_theta(x_t, t) ||^2,  t uniform on 1 .. T         eq. 14
    x_{t-1} ~ q(x_{t-1} | x_t, x0_hat)                                         eq. 6-7, algorithm 2
"""

import jax.numpy as jnp

from gm_jax import games, networks
from gm_jax.diffusion.shared import checkpoints, classifiers, core, denoisers
from gm_jax.diffusion.shared.choices import Choices
from gm_jax.model import Phase, classes_of, field_of
from gm_jax.networks import Network
from gm_jax.optimizers import Optimizer, adam
from gm_jax.settings import schema


@schema
class Settings(Choices):
    """A DDPM.

    conditional  whether the network sees the label
    network      the network, a U-Net or a DiT
    optimizer    one of optax's
    """

    conditional: bool = False
    network: denoisers.NetworkSettings = denoisers.NetworkSettings()
    optimizer: Optimizer = adam(2e-4)

    def wrong(self):
        """Choices that do not go together, a line for each."""
        yield from super().wrong()
        if self.sampler.guidance and not self.guidable:
            yield (
                "sampler.guidance needs a model trained with conditional=True and label_dropout >"
                " 0: without them there is no unconditional prediction to move away from"
            )

    @property
    def guidable(self) -> bool:
        """Whether the network also learned without its condition."""
        return self.conditional and self.label_dropout > 0


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """A network trained on one objective in one phase; configs/ddpm_digits.py."""
    shape = field_of(spec, "image").shape
    classes = classes_of(spec) if settings.conditional else 0
    channels = 2 * shape[-1] if settings.learned else shape[-1]
    dtype = jnp.dtype(settings.dtype)
    module = denoisers.module_of(settings.network, classes, channels, dtype)
    network = Network("network", module)

    def labels(batch, drop):
        """The labels [B], the null label where `drop` says so; None for an unconditional model."""
        return jnp.where(drop, classes, batch["label"]) if classes else None

    def predict(variables, batch, drop, keys):
        return lambda x, level: network(variables, x, level, labels(batch, drop), keys)

    def init(key, batch, previous):
        x = batch["image"]
        inputs = x, jnp.zeros(x.shape[0]), labels(batch, False)
        variables = networks.init(key[None], (network, *inputs))
        variables = variables._replace(state={**variables.state, **core.state(settings)})
        return checkpoints.begun(variables, previous)

    def image(variables, batch, key):
        return batch["image"]

    guide = classifiers.guide(settings, spec, shape, stages)
    model = core.Core(
        settings, settings.process(), shape, image, predict, bool(classes), guide=guide
    )
    moves, average = core.objective(model), settings.average
    trained = games.player("ddpm", ("network",), moves, settings, average)
    players = (trained if settings.steps else games.untrained("network"),)
    functions, drawn = core.functions(model), core.spec_of(model, spec)
    phase = games.phase(settings, init, players, functions, drawn, stages)
    example = jnp.zeros((1, *shape)), jnp.zeros(1), jnp.zeros(1, int) if classes else None
    return (phase._replace(start=checkpoints.start(settings, module, *example)),)
