"""Parts of transformers in float64 NumPy, of their parameters as flax names them."""

import numpy as np
from scipy.special import ndtr
from test_gates import dense, sigma


def swish(x):
    return x * sigma(x)


def gelu(x):
    """x times the Gaussian distribution function, exactly."""
    return x * ndtr(x)


def norm(params, x, epsilon=1e-6):
    centred = x - x.mean(-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + epsilon)
    return scaled * params["scale"] + params["bias"]


def read(q, k, v, heads, seen=None):
    """softmax(q k' / sqrt d) v, head by head; seen [N, M] are the positions that are read."""
    outputs = []
    for query, key, value in zip(*(np.split(x, heads, axis=-1) for x in (q, k, v)), strict=True):
        scores = query @ np.swapaxes(key, 1, 2) / np.sqrt(query.shape[-1])
        scores = scores if seen is None else np.where(seen, scores, -np.inf)
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        outputs.append(weights / weights.sum(-1, keepdims=True) @ value)
    return np.concatenate(outputs, axis=-1)


def before(x):
    """Which positions of x [B, N, D] each reads: itself and those before it."""
    return np.tri(x.shape[1], dtype=bool)


def gpt_block(params, x, heads, seen, context=None):
    """Norms before the branches, of which a second reads the context. Radford et al. 2019."""
    own = np.split(dense(params["query_key_value"], norm(params["attention_norm"], x)), 3, axis=-1)
    x = x + dense(params["mix"], read(*own, heads, seen))
    if context is not None:
        query = dense(params["read_query"], norm(params["read_norm"], x))
        memory = np.split(dense(params["read_key_value"], context), 2, axis=-1)
        x = x + dense(params["read_mix"], read(query, *memory, heads))
    return x + dense(params["down"], gelu(dense(params["up"], norm(params["mlp_norm"], x))))


def quick_gelu(x):
    return x * sigma(1.702 * x)


def clip_blocks(params, x, heads, seen=None, activation=gelu):
    """Norms before the branches, with CLIP's epsilon. Radford et al. 2021."""
    for number in range(len(params)):
        own = params[f"layers_{number}"]
        h, parts = norm(own["layer_norm1"], x, 1e-5), own["self_attn"]
        three = (dense(parts[name], h) for name in ("q_proj", "k_proj", "v_proj"))
        x = x + dense(parts["out_proj"], read(*three, heads, seen))
        h = activation(dense(own["mlp"]["fc1"], norm(own["layer_norm2"], x, 1e-5)))
        x = x + dense(own["mlp"]["fc2"], h)
    return x


def bert_block(params, x, heads):
    """Norms after the branches are added. Devlin et al. 2019."""
    own = np.split(dense(params["query_key_value"], x), 3, axis=-1)
    x = norm(params["attention_norm"], x + dense(params["mix"], read(*own, heads)), 1e-12)
    h = dense(params["down"], gelu(dense(params["up"], x)))
    return norm(params["mlp_norm"], x + h, 1e-12)
