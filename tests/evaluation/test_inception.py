import os
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from flax import traverse_util

from gm_jax.evaluation import inception, protocols, weights

sys.path.insert(0, os.path.dirname(__file__))
import inception_oracle as oracle

SHARED = Path(os.environ.get("GM_JAX_SHARED", Path(__file__).parents[3] / "shared"))
FOLDED = SHARED / "data/inception-fid-2015/inception_fid_folded_to_mixed_6e.npz"


def random_params(shapes, seed=0):
    """He-normal kernels and biases that are not zero, for every layer."""
    rng = np.random.default_rng(seed)

    def leaf(path, shape):
        scale = 0.2 if path[-1] == "bias" else np.sqrt(2 / np.prod(shape[:-1]))
        return (scale * rng.normal(size=shape)).astype(np.float32)

    return {path: leaf(path, shape) for path, shape in shapes.items()}


def by_name(flat, block=""):
    """Flat parameters as the oracle takes them."""
    names = {path[:-1] for path in flat}
    prefix = f"{block}." if block else ""
    return {prefix + ".".join(n): (flat[(*n, "kernel")], flat[(*n, "bias")]) for n in names}


def run_block(module, x):
    shapes = jax.tree.map(np.shape, jax.eval_shape(module.init, jax.random.key(0), x)["params"])
    shapes = traverse_util.flatten_dict(shapes, is_leaf=lambda _, v: isinstance(v, tuple))
    flat = random_params(shapes)
    params = {"params": traverse_util.unflatten_dict(flat)}
    result = jax.jit(module.apply)(params, x)
    return (result[0] if isinstance(result, tuple) else result), flat


def relative(a, b):
    return np.abs(np.asarray(a) - b).max() / np.abs(b).max()


BLOCKS = {
    "Mixed_5b": (inception.Mixed5(pool=32), oracle.block5, 192),
    "Mixed_5c": (inception.Mixed5(pool=64), oracle.block5, 256),
    "Mixed_6a": (inception.Mixed6a(), oracle.block6a, 288),
    "Mixed_6b": (inception.Mixed6(c=128), oracle.block6, 768),
    "Mixed_6e": (inception.Mixed6(c=192), oracle.block6, 768),
    "Mixed_7a": (inception.Mixed7a(), oracle.block7a, 768),
    "Mixed_7b": (inception.Mixed7(maximum=False), oracle.block7, 1280),
    "Mixed_7c": (inception.Mixed7(maximum=True), oracle.block7, 2048),
}
MISTAKES = {
    "padding counts in the averages": lambda name: {"count_padding": (name,)},
    "the last pool is an average": lambda name: {"last_pool": "average"},
    "reductions are padded": lambda name: {"reduction": "same"},
}
CAN_MAKE = {
    "padding counts in the averages": ("Mixed_5b", "Mixed_5c", "Mixed_6b", "Mixed_6e", "Mixed_7b"),
    "the last pool is an average": ("Mixed_7c",),
    "reductions are padded": ("Mixed_6a", "Mixed_7a"),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_each_block_against_the_oracle_and_its_mutants(name):
    module, twin, channels = BLOCKS[name]
    x = np.random.default_rng(1).normal(size=(2, 9, 11, channels)).astype(np.float32)
    result, flat = run_block(module, x)
    p = by_name(flat, name)
    assert relative(result, twin(x.astype(np.float64), p, name, oracle.RULES)) < 1e-5
    for mistake, names in CAN_MAKE.items():
        if name in names:
            rules = {**oracle.RULES, **MISTAKES[mistake](name)}
            assert relative(result, twin(x.astype(np.float64), p, name, rules)) > 1e-3, mistake


@pytest.fixture(scope="module")
def whole():
    """The whole network with random parameters on one image, and the oracle's answer."""
    shapes = weights.parameter_shapes("logits")
    flat = random_params(shapes)
    image = np.random.default_rng(2).uniform(-1, 1, (1, 299, 299, 3)).astype(np.float32)
    net = inception.InceptionV3(layers=tuple(inception.LAYERS))
    params = {"params": traverse_util.unflatten_dict(flat)}
    return image, by_name(flat), jax.jit(net.apply)(params, image)


def test_the_whole_network_against_the_oracle(whole):
    image, p, result = whole
    expected = oracle.network(image, p, inception.LAYERS)
    assert set(result) == set(expected) == set(inception.LAYERS)
    for layer, dimension in inception.LAYERS.items():
        assert result[layer].shape == (1, dimension)
        assert relative(result[layer], expected[layer]) < 1e-5, layer


@pytest.mark.parametrize("mistake", ["reduction", "count"])
def test_a_pooling_mistake_in_the_stem_or_one_block_shows(whole, mistake):
    image, p, result = whole
    rules = {"reduction": {"reduction": "same"}, "count": {"count_padding": ("Mixed_5d",)}}[mistake]
    layer = {"reduction": "64", "count": "sfid"}[mistake]
    wrong = oracle.network(image, p, ["768"], {**oracle.RULES, **rules})
    assert relative(result[layer], wrong[layer]) > 1e-4


def test_it_has_the_size_it_should():
    shapes = weights.parameter_shapes("logits")
    kernels = [s for path, s in shapes.items() if path[-1] == "kernel" and path[0] != "fc"]
    assert len(kernels) == 94
    assert sum(map(np.prod, shapes.values())) == 23_833_744
    assert shapes["fc", "kernel"] == (1, 1, 2048, 1008)


@pytest.mark.skipif(not FOLDED.exists(), reason="no true weights beside the checkout")
def test_true_weights_against_the_oracle():
    loaded = weights.load_inception(FOLDED)
    assert loaded.name == "inception"
    assert loaded.layers == {"64": 64, "192": 192, "sfid": 2023, "768": 768}
    features = protocols.inception_features(loaded, protocols.PROTOCOLS["pytorch_fid"])
    y, x = np.mgrid[:40, :50]
    image = np.stack([127 + 100 * np.sin(x / 5), 5 * x, 6 * y], axis=-1).astype(np.uint8)[None]
    result = jax.jit(features.apply)(features.params, image)
    ready = protocols.preprocess(image, protocols.PROTOCOLS["pytorch_fid"])
    expected = oracle.network(ready, by_name(traverse_util.flatten_dict(loaded.params)), ["768"])
    for layer in loaded.layers:
        assert relative(result[layer], expected[layer]) < 1e-5, layer
