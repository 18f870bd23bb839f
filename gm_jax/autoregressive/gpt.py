"""GPT: a causal transformer over the characters of a text.

Radford et al. 2018 and 2019; the sizes for a laptop are nanoGPT's.

    log p(x) = sum_t log p(x_t | x_<t)                                        2019, eq. 1

Weights begin as N(0, 0.02), those that end a residual branch as N(0, 0.02 / sqrt(2 layers)); weight
decay applies to matrices alone. The network is in `nn.transformer`: latent_prior.py has the same
over codes.
"""

import jax.numpy as jnp

from gm_jax.autoregressive.shared import language
from gm_jax.model import Phase, field_of
from gm_jax.networks import Network
from gm_jax.nn.transformer import Transformer, TransformerSettings
from gm_jax.optimizers import Optimizer
from gm_jax.settings import arguments, schema

ADAMW = Optimizer(name="adamw", learning_rate=1e-3, arguments={"weight_decay": 0.1})


@schema
class Settings(language.Settings):
    """A GPT.

    network    the transformer
    optimizer  one of optax's
    """

    network: TransformerSettings = TransformerSettings()
    optimizer: Optimizer = ADAMW


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """A transformer with a position for each character of a window; configs/gpt_*.py."""
    text = field_of(spec, "text")
    (length,) = text.shape
    module = Transformer(
        text.cardinality,
        length,
        **arguments(settings.network),
        dtype=jnp.dtype(settings.dtype),
    )
    network = Network("network", module)

    def logits(variables, text, keys):
        return network(variables, text, keys=keys)

    return (language.phase(settings, text, network, logits, length),)
