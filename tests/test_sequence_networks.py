"""Networks that predict what follows, each whole by hand: PixelCNN, PixelRNN, GPT."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from by_hand import close, dense, filled, in_order, masked, output, relu
from scipy.special import erf

from gm_jax.autoregressive.pixelcnn import PixelCNN
from gm_jax.autoregressive.pixelrnn import LSTMS, PixelRNN
from gm_jax.nn.transformer import Transformer

RNG = np.random.default_rng(1)
X = RNG.integers(0, 3, (2, 5, 6, 1))


def head(y, p):
    """Two layers and the logits, each after a ReLU."""
    for _ in range(3):
        y = masked(relu(y), p("MaskedConv"))
    return y


def test_pixelcnn():
    """Blocks of half the features, rectified before each convolution, add to what they see."""
    module = PixelCNN(3, layers=2, width=2, head=4, first_size=5)
    variables = filled(module, X)
    p = in_order(variables["params"])
    y = masked(X - 1.0, p("MaskedConv"), "A")
    for _ in range(2):
        h = y
        for _ in range(3):
            h = masked(relu(h), p("MaskedConv"))
        y = y + h
    close(output(module, variables, X), head(y, p).reshape(2, 5, 6, 1, 3))


@pytest.mark.parametrize("lstm", LSTMS)
def test_pixelrnn(lstm):
    """Each recurrent layer, as other tests have it, adds to a map of twice its features."""
    module = PixelRNN(3, lstm=lstm, layers=2, width=2, head=4, first_size=5)
    variables = filled(module, X)
    params, margin = variables["params"], lstm == "diagonal"
    p = in_order(params)
    y = masked(np.pad(X - 1.0, [(0, 0), (0, 0), (0, margin), (0, 0)]), p("MaskedConv"), "A")
    kind = LSTMS[lstm]
    for number in range(2):
        own = {"params": params[f"{kind.__name__}_{number}"]}
        y = y + masked(np.float64(kind(2).apply(own, jnp.float32(y))), p("MaskedConv"))
    close(output(module, variables, X), head(y, p)[:, :, :6].reshape(2, 5, 6, 1, 3))


@pytest.mark.parametrize("classes", [0, 3])
def test_gpt(classes):
    """Norms before each branch and the logits, the softmax over what is before, GELU by erf."""
    module = Transformer(5, 7, width=8, layers=2, heads=2, classes=classes)
    x, label = RNG.integers(0, 5, (3, 6)), np.array([2, 0, 1]) if classes else None
    variables = filled(module, x, label)
    p = jax.tree.map(np.float64, variables["params"])

    def norm(h, own):
        h = h - h.mean(-1, keepdims=True)
        return h / np.sqrt((h**2).mean(-1, keepdims=True) + 1e-6) * own["scale"] + own["bias"]

    start = p["starts"]["embedding"][label if classes else np.zeros(3, int)][:, None]
    h = np.concatenate([start, p["tokens"]["embedding"][x[:, :-1]]], axis=1) + p["positions"][:6]
    for number in range(2):
        own = p[f"blocks_{number}"]
        joint = dense(norm(h, own["attention_norm"]), own["query_key_value"])
        q, k, v = np.split(joint.reshape(3, 6, 6, 4), 3, axis=2)
        scores = np.einsum("bqhd,bkhd->bhqk", q, k) / 2.0
        weights = np.exp(scores) * np.tri(6)
        weights = weights / weights.sum(-1, keepdims=True)
        read = np.einsum("bhqk,bkhd->bqhd", weights, v).reshape(3, 6, 8)
        h = h + dense(read, own["mix"])
        hidden = dense(norm(h, own["mlp_norm"]), own["up"])
        h = h + dense(0.5 * hidden * (1 + erf(hidden / 2**0.5)), own["down"])
    close(output(module, variables, x, label), norm(h, p["norm"]) @ p["tokens"]["embedding"].T)
