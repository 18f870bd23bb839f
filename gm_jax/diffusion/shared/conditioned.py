"""What all diffusion models have in common whose network may know a label or a caption."""

from typing import Annotated

from gm_jax import conditions
from gm_jax.diffusion.shared import denoisers
from gm_jax.diffusion.shared.choices import Choices, Share
from gm_jax.diffusion.shared.sampling import Sampler
from gm_jax.optimizers import Optimizer, adam
from gm_jax.settings import Restartable, schema


@schema
class PromptedSampler(Sampler):
    """From noise to image, or to a latent.

    prompt  what all samples show, for a model of captions; "" for the captions of the data
    """

    prompt: str = ""


@schema
class Conditioned(Choices):
    """A diffusion model whose network may know something.

    condition  what the network knows besides
    network    the network, a U-Net or a DiT
    optimizer  one of optax's
    """

    label_dropout: Share = 0.1
    condition: conditions.Settings = conditions.Settings()
    network: denoisers.NetworkSettings = denoisers.NetworkSettings()
    optimizer: Optimizer = adam(1e-4)
    sampler: Annotated[PromptedSampler, Restartable()] = PromptedSampler()

    def wrong(self):
        """Choices that do not go together, a line for each."""
        yield from super().wrong()
        sampler, condition = self.sampler, self.condition.name
        if sampler.guidance and not self.guidable:
            yield (
                "sampler.guidance needs a model trained with condition.name and label_dropout > 0:"
                " without them there is no unconditional prediction to move away from"
            )
        if sampler.prompt and condition != "caption":
            yield "sampler.prompt needs a model trained with condition.name=caption"
        caption, network = condition == "caption", self.network
        if network.name == "unet" and caption != bool(network.transformer_blocks):
            yield (
                "captions are read by cross-attention: condition.name=caption goes with"
                " network.transformer_blocks of 1 or more"
            )

    @property
    def guidable(self) -> bool:
        """Whether the network also learned without its condition."""
        return self.condition.name != "" and self.label_dropout > 0
