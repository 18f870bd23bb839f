"""GPT: a causal transformer over the characters of a text.

Radford et al. 2018 and 2019; the sizes for a laptop are nanoGPT's.

    log p(x) = sum_t log p(x_t | x_<t)                                        2019, eq. 1

Weights begin as N(0, 0.02), those that end a residual branch as N(0, 0.02 / sqrt(2 layers)); weight
decay holds for matrices alone.
"""

import jax.numpy as jnp

from gm_jax.autoregressive import language
from gm_jax.model import Phase, field_of
from gm_jax.nn.transformer import Transformer


def build(config, spec, stages) -> tuple[Phase, ...]:
    """A transformer with a place for each character of a window; see configs/gpt_*.py."""
    text = field_of(spec, "text")
    (places,) = text.shape
    network = Transformer(text.cardinality, places, **config.network, dtype=jnp.dtype(config.dtype))

    def logits(params, text, keys):
        return network.apply({"params": params}, text, None, keys)

    return language.phases(config, spec, network, logits, places)
