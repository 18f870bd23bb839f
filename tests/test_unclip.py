"""unCLIP: its networks, its published size, and what it refuses."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from games import perturb, refuses

import gm_jax
from gm_jax.clip_stage import Clip
from gm_jax.diffusion import unclip
from gm_jax.model import Field, GenerativeModel, Stage, Variables
from gm_jax.nn.dit import DiT
from gm_jax.nn.embedding_transformer import EmbeddingReader, EmbeddingTransformer
from gm_jax.nn.unet import UNet

KEY = jax.random.key(0)
SMALL = EmbeddingTransformer(width=8, layers=2, heads=2)
INPUTS = dict(
    x=jax.random.normal(KEY, (1, 6)), level=jnp.full(1, 7.0),
    embedding=jax.random.normal(jax.random.key(1), (1, 6)), keys=None,
    context=jax.random.normal(jax.random.key(2), (1, 3, 5)),
)  # fmt: skip
# What a position of the sequence is made of: three words, the text's embedding, level, x, answer.
ORDER = ("context", "context", "context", "embedding", "level", "x", None)


def hidden_states(**changes):
    """What leaves the last block, [7, 8]."""
    variables = jax.jit(SMALL.init)(jax.random.key(3), **INPUTS)
    apply = jax.jit(functools.partial(SMALL.apply, capture_intermediates=True))
    _, state = apply(variables, **{**INPUTS, **changes})
    return np.asarray(state["intermediates"]["block_1"]["__call__"][0][0])


@pytest.mark.parametrize("name", ["context", "embedding", "level", "x"])
def test_each_position_reads_those_before_it(name):
    """Words, the text's embedding, the level, the noised embedding; the last position answers."""
    before, after = hidden_states(), hidden_states(**{name: INPUTS[name] + 0.5})
    changed = np.abs(after - before).max(1) > 1e-6
    first = ORDER.index(name)
    np.testing.assert_array_equal(changed, np.arange(7) >= first)


@pytest.mark.slow
def test_the_published_prior_has_a_billion_parameters():
    """24 layers of 2,048: 12 width^2 a layer; words of 1,024 and embeddings of 1,024 numbers."""
    x, words = jnp.zeros((1, 1024)), jnp.zeros((1, 77, 1024))
    shapes = jax.eval_shape(EmbeddingTransformer().init, KEY, x, jnp.zeros(1), x, None, words)
    count = sum(leaf.size for leaf in jax.tree.leaves(shapes))
    blocks = 24 * (12 * 2048**2 + 13 * 2048)
    outside = 2 * (2048**2 + 2048) + 3 * (1024 * 2048 + 2048) + 2048 + 81 * 2048
    assert count == blocks + outside + 2 * 2048 + 2048 * 1024 + 1024


@pytest.mark.parametrize(
    "module",
    [UNet(width=4, multipliers=(1,), blocks=1, attention=()), DiT(width=8, layers=1, heads=1)],
    ids=["unet", "dit"],
)
def test_a_vector_is_told_beside_the_level(module):
    x, level, label = jnp.ones((1, 4, 4, 1)), jnp.ones(1), jnp.ones((1, 6))
    variables = jax.jit(module.init)(KEY, x, level, label)
    variables = perturb(variables, 0.3)
    apply = jax.jit(module.apply)
    outputs = [apply(variables, x, level, share * label) for share in (0.0, 1.0)]
    assert not np.allclose(*outputs, atol=1e-4)


def test_what_is_hidden_is_read_as_none():
    reader, z = EmbeddingReader(2, 3), jnp.arange(8.0).reshape(2, 4)
    variables = reader.init(KEY, z, jnp.zeros(2, bool))
    params = variables["params"] | {"none": jnp.full(4, 9.0)}
    seen, words = reader.apply({"params": params}, z, jnp.array([True, False]))
    np.testing.assert_array_equal(seen, [[9.0] * 4, z[1]])
    assert words.shape == (2, 2, 3)


@pytest.mark.parametrize(
    "recipe, overrides, message",
    [
        ("unclip_prior_shapes", {"stages": {}}, "reads embeddings by a CLIP: give stages.clip"),
        ("unclip_prior_shapes", {"sampler.clip": True}, "an embedding has no bounds"),
        ("unclip_prior_shapes", {"label_dropout": 0.0, "sampler.guidance": 1.0}, "dropout > 0"),
        ("unclip_prior_shapes", {"objective": "hybrid"}, "a prior has objective=simple"),
        ("unclip_causal_prior_shapes", {"components": 65}, "have .* numbers; set components to"),
        (
            "unclip_causal_prior_shapes",
            {"condition_dropout": 0.0, "sampler.guidance": 1.0},
            "condition_dropout > 0",
        ),
        ("unclip_prior_shapes", {"network.heads": 3}, "does not divide into heads 3"),
        ("unclip_shapes", {"network.transformer_blocks": 0}, "transformer_blocks to 1 or more"),
        ("unclip_shapes", {"factor": 5}, "factor 5 does not divide the sides of 32x32"),
        ("unclip_shapes", {"sampler.target": "a pink cross"}, "no caption of the training data"),
        ("unclip_shapes", {"sampler.embedding": "none"}, "sampler.embedding"),
    ],
)
def test_what_cannot_be_drawn_is_refused(recipe, overrides, message):
    refuses(recipe, overrides, message)


def test_embeddings_are_those_of_the_prior_or_of_the_clip_it_is_built_on():
    """Each by its own variables, and with numbers of variance 1."""

    def stage(number):
        spec = {"embedding": Field((4,))}
        model = GenerativeModel(None, (), {"embed": lambda v, *rest: {"embedding": v * number}})
        return Stage(model._replace(spec=spec), None)

    clip = Clip(4, None, lambda variables, batch, key: "text")
    variables = Variables({}, frozen={"clip": jnp.ones((1, 4)), "prior": 10.0 * jnp.ones((1, 4))})
    both = {"clip": stage(1.0), "prior": stage(2.0)}
    for stages, expected in ((both, 2.0 * 20.0), ({"clip": both["clip"]}, 2.0)):
        drawn = unclip.embeddings("prior", clip, stages)(variables, {}, KEY)
        np.testing.assert_array_equal(drawn, np.full((1, 4), expected))
        assert unclip.embeddings("text", clip, stages)(variables, {}, KEY) == "text"


def test_a_decoder_without_a_prior_says_so():
    settings = gm_jax.load_config("configs/unclip_shapes.py:smoke")
    with settings.unlocked():
        settings.stages.clip = gm_jax.load_config("configs/clip_shapes.py:smoke")
    with pytest.raises(gm_jax.UserError, match="stages.clip draws no embeddings: set stages.prior"):
        gm_jax.build(settings)
    settings.sampler.embedding = "text"
    gm_jax.build(settings)
