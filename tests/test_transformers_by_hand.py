"""Transformers of codes, embeddings, patches and films, as wholes, by hand in float64.

What a mask or a Jacobian does not show: positions that are added, norms, activations, the order of
layers, and that dropout reaches each of its layers.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from test_gates import assert_same, dense, somewhere
from transformers_by_hand import (
    before,
    bert_block,
    clip_blocks,
    gelu,
    gpt_block,
    norm,
    quick_gelu,
    read,
    swish,
)

from gm_jax.nn import attention_masks
from gm_jax.nn.bert import Bert
from gm_jax.nn.cvivit import FilmDecoder, FilmEncoder, blocks_of, film_of
from gm_jax.nn.embedding_transformer import EmbeddingTransformer
from gm_jax.nn.film_layers import TimeAttention
from gm_jax.nn.layers import Dropout
from gm_jax.nn.text_image_transformer import TextImageTransformer
from gm_jax.nn.text_tower import TextTower
from gm_jax.nn.transformer import Transformer
from gm_jax.nn.unet import UNet
from gm_jax.nn.vit import ViT
from gm_jax.nn.vit_autoencoder import ViTDecoder, ViTEncoder

HEADS, WIDTH, HIDDEN = 2, 8, 12
RNG = np.random.default_rng(3)
X, CONTEXT = RNG.integers(0, 5, (2, 6)), RNG.normal(size=(2, 3, 5))
EXACT = dict(dtype=jnp.float64)
OWN = dict(width=WIDTH, layers=2, heads=HEADS) | EXACT


def sequence(params, name="positions"):
    return params[name]["embedding"]


def test_the_prior_of_embeddings():
    """Ramesh et al. 2022, section 2.2: words, embedding, time, noised embedding, and the answer."""
    x, z, t = RNG.normal(size=(2, 6)), RNG.normal(size=(2, 6)), np.array([3.0, 700.5])
    params, found = somewhere(EmbeddingTransformer(**OWN), x, t, z, None, CONTEXT)
    angles = t[:, None] * 10_000.0 ** (-np.arange(4) / 3)
    waves = np.concatenate([np.sin(angles), np.cos(angles)], axis=-1)
    time = dense(params["level_out"], swish(dense(params["level_in"], waves)))
    last = np.broadcast_to(params["last"], time.shape)
    single = [dense(params["embedding"], z), time, dense(params["noised"], x), last]
    h = np.concatenate([dense(params["words"], CONTEXT), np.stack(single, axis=1)], axis=1)
    h = h + params["positions"]
    for number in range(2):
        h = gpt_block(params[f"block_{number}"], h, HEADS, before(h))
    assert_same(found, dense(params["answer"], norm(params["norm"], h[:, -1])))


@pytest.mark.parametrize("reads", [False, True])
def test_a_decoder_of_codes(reads):
    """A start by the label; the output layer is the embedding of symbols."""
    label, told = np.array([2, 0]), CONTEXT if reads else None
    net = Transformer(5, 7, classes=3, reads=reads, **OWN)
    params, found = somewhere(net, X, label, None, told)
    table = params["tokens"]["embedding"]
    start = params["starts"]["embedding"][label][:, None]
    h = np.concatenate([start, table[X[:, :-1]]], axis=1) + params["positions"][:6]
    for number in range(2):
        h = gpt_block(params[f"blocks_{number}"], h, HEADS, before(h), told)
    assert_same(found, norm(params["norm"], h) @ table.T)


def test_a_transformer_over_text_and_codes():
    """Positions of the text, and of rows and columns; each layer reads as its own mask says."""
    words, length, grid = 5, 3, (2, 2)
    net = TextImageTransformer(words, length, 4, grid, attention=("row", "full"), kernel=3, **OWN)
    text, codes = np.array([[2, 0, 0], [3, 1, 4]]), np.array([[0, 3, 1, 2], [2, 2, 0, 1]])
    x = np.concatenate([text, words + length + codes], axis=1)
    params, found = somewhere(net, x)
    own = np.where((x == 0) & (np.arange(7) < length), words + np.arange(7), x)
    table, rows, columns = (params[n]["embedding"] for n in ("tokens", "rows", "columns"))
    start = np.broadcast_to(params["starts"]["embedding"], (2, 1, WIDTH))
    h = np.concatenate([start, table[own[:, :-1]]], axis=1)
    h[:, 1 : 1 + length] += params["text_positions"]["embedding"]
    h[:, 1 + length :] += (rows[:, None] + columns).reshape(4, WIDTH)[:-1]
    for number, name in enumerate(("row", "full")):
        seen = attention_masks.after_text(attention_masks.MASKS[name](*grid, 3), length)
        h = gpt_block(params[f"blocks_{number}"], h, HEADS, seen)
    logits = norm(params["norm"], h) @ table.T
    assert_same(found[:, :length, : words + length], logits[:, :length, : words + length])
    assert_same(found[:, length:, words + length :], logits[:, length:, words + length :])


def test_a_transformer_over_masked_codes():
    """A label, then the codes, 5 for the mask; all read all."""
    label = np.array([3, 1])
    net = Bert(5, hidden=HIDDEN, dropout=0.0, classes=3, **OWN)
    params, found = somewhere(net, np.where(X > 3, 5, X), label)
    table = params["tokens"]["embedding"]
    first = params["labels"]["embedding"][label][:, None]
    h = np.concatenate([first, table[np.where(X > 3, 5, X)]], axis=1)
    h = norm(params["norm"], h + sequence(params), 1e-12)
    for number in range(2):
        h = bert_block(params[f"block_{number}"], h, HEADS)
    h = norm(params["last_norm"], gelu(dense(params["last"], h[:, 1:])), 1e-12)
    assert_same(found, h @ table[:5].T + params["bias"])


def patches(image):
    """[2, 4, 6, C] as patches of 2 x 2, row by row."""
    squares = image.reshape(2, 2, 2, 3, 2, image.shape[-1]).swapaxes(2, 3)
    return squares.reshape(2, 6, -1)


def tower(params, tokens):
    """Yu et al. 2021, section 3.1: two layers, with a tanh between them, at the end."""
    h = dense(params["read"], tokens) + params["positions"]
    h = norm(params["norm"], clip_blocks(params["encoder"], h, HEADS), 1e-5)
    return dense(params["out"], dense(params["down"], np.tanh(dense(params["up"], h))))


def test_transformers_between_images_and_codes():
    own = dict(patch=2, hidden=HIDDEN) | OWN
    image, z = RNG.normal(size=(2, 4, 6, 3)), RNG.normal(size=(2, 2, 3, 4))
    params, found = somewhere(ViTEncoder(5, **own), image)
    assert_same(found, tower(params["tower"], patches(image)).reshape(2, 2, 3, 5))
    params, found = somewhere(ViTDecoder(3, **own), z)
    assert_same(patches(found), tower(params["tower"], z.reshape(2, 6, 4)))


ACTIVATIONS = {"quick_gelu": quick_gelu, "gelu": gelu}


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_clips_towers(activation):
    """Radford et al. 2021, section 2.4: the class token, normed before the blocks and after them;
    a text's vector at its first end, 4."""
    own = dict(hidden=HIDDEN, activation=activation, projection=5) | OWN
    image, ids = RNG.normal(size=(2, 4, 6, 3)), np.array([[3, 1, 4, 4, 4], [0, 2, 2, 3, 4]])
    params, found = somewhere(ViT(patch=2, **own), image)
    parts = params["embeddings"]
    kernel = parts["patch_embedding"]["kernel"].reshape(-1, WIDTH)
    first = np.broadcast_to(parts["class_embedding"], (2, 1, WIDTH))
    h = np.concatenate([first, patches(image) @ kernel], axis=1)
    h = norm(params["pre_layrnorm"], h + sequence(parts, "position_embedding"), 1e-5)
    h = clip_blocks(params["encoder"], h, HEADS, activation=ACTIVATIONS[activation])
    assert_same(found.tokens, h)
    pooled = norm(params["post_layernorm"], h[:, 0], 1e-5)
    assert_same(found.pooled, pooled @ params["visual_projection"]["kernel"])

    params, found = somewhere(TextTower(5, 4, 6, **own), ids)
    parts = params["embeddings"]
    h = sequence(parts, "token_embedding")[ids] + sequence(parts, "position_embedding")[:5]
    h = clip_blocks(params["encoder"], h, HEADS, before(h), ACTIVATIONS[activation])
    tokens = norm(params["final_layer_norm"], h, 1e-5)
    assert_same(found.tokens, tokens)
    pooled = tokens[[0, 1], [2, 4]]
    assert_same(found.pooled, pooled @ params["text_projection"]["kernel"])


def over_space(params, x):
    """All-to-all within each time of x [B, t, h, w, D]."""
    b, t, h, w, d = x.shape
    tokens = (x + params["positions"]).reshape(b * t, h * w, d)
    return clip_blocks(params["space"], tokens, HEADS).reshape(x.shape)


def over_time(params, x):
    """Causal over the times of each position."""
    b, t, h, w, d = x.shape
    x = x + params["times"][:t, None, None]
    tokens = np.moveaxis(x, 1, 3).reshape(b * h * w, t, d)
    tokens = clip_blocks(params["time"], tokens, HEADS, before(tokens))
    return np.moveaxis(tokens.reshape(b, h, w, t, d), 3, 1)


def test_transformers_between_films_and_codes():
    """Villegas et al. 2022, section 2.1: space before time, and time before space on the way back.

    Films may end earlier than those of training.
    """
    own = dict(frames=2, patch=2, width=WIDTH, spatial=2, temporal=1, heads=HEADS, hidden=HIDDEN)
    film, z = RNG.normal(size=(2, 5, 4, 6, 3)), RNG.normal(size=(2, 3, 2, 3, 4))
    params, found = somewhere(FilmEncoder(5, 7, **own, **EXACT), film)
    with jax.enable_x64(True):
        first, rest = blocks_of(film[:, :1], 1, 2), blocks_of(film[:, 1:], 2, 2)
    first, rest = map(np.asarray, (first, rest))
    h = np.concatenate([dense(params["first"], first), dense(params["rest"], rest)], axis=1)
    inner = params["attention"]
    assert [len(inner[name]) for name in ("space", "time")] == [2, 1]
    h = norm(inner["norm"], over_time(inner, over_space(inner, h)))
    assert_same(found, dense(params["last"], h))

    params, found = somewhere(FilmDecoder(3, 7, **own, **EXACT), z)
    inner = params["attention"]
    assert [len(inner[name]) for name in ("space", "time")] == [2, 1]
    h = norm(inner["norm"], over_space(inner, over_time(inner, dense(params["enter"], z))))
    with jax.enable_x64(True):
        first = film_of(dense(params["first"], h[:, :1]), 1, 2)
        rest = film_of(dense(params["rest"], h[:, 1:]), 2, 2)
    assert_same(found, np.concatenate([first, rest], axis=1))


def test_attention_along_time():
    """x + attention(norm(x) + positions), over the frames of each position of a film."""
    frames, x = 3, RNG.normal(size=(6, 2, 3, WIDTH))
    params, found = somewhere(TimeAttention(frames, HEADS, jnp.float64), x)
    groups = x.reshape(6, 6, 2, 4)
    mean, variance = (f(groups, axis=(1, 3), keepdims=True) for f in (np.mean, np.var))
    (own,) = params["Norm_0"].values()
    h = ((groups - mean) / np.sqrt(variance + 1e-6)).reshape(x.shape) * own["scale"] + own["bias"]
    h = np.moveaxis(h.reshape(2, frames, 6, WIDTH), 1, 2).reshape(12, frames, WIDTH)
    h = h + params["Embed_0"]["embedding"]
    attention = params["Attention_0"]
    h = read(*(h @ attention[name]["kernel"] for name in "qkv"), HEADS)
    h = dense(attention["out"], h).reshape(2, 6, frames, WIDTH)
    assert_same(found, x + np.moveaxis(h, 2, 1).reshape(x.shape))


def dropouts(net, *inputs):
    """Whether each layer of dropout is given keys, by its path."""
    found = {}

    def note(call, given, named, context):
        if isinstance(context.module, Dropout) and context.method_name == "__call__":
            found[context.module.path] = given[1] is not None
        return call(*given, **named)

    with nn.intercept_methods(note):
        jax.eval_shape(net.init, jax.random.key(0), *inputs)
    return found


DROPPED = dict(width=WIDTH, layers=2, heads=HEADS, dropout=0.2)
KEYS, LEVEL = jax.random.split(jax.random.key(0), 2), np.ones(2)
IMAGE, VECTOR = np.zeros((2, 4, 4, 3)), np.zeros((2, 6))


@pytest.mark.parametrize(
    "net, inputs, count",
    [
        (
            EmbeddingTransformer(**DROPPED),
            (IMAGE[:, 0, 0], LEVEL, IMAGE[:, 0, 0], KEYS, CONTEXT),
            4,
        ),
        (Transformer(5, 7, reads=True, **DROPPED), (X, None, KEYS, CONTEXT), 1 + 6),
        (TextImageTransformer(5, 2, 4, (2, 2), **DROPPED), (X, None, KEYS), 1 + 4),
        (Bert(5, hidden=HIDDEN, **DROPPED), (X, None, KEYS), 1 + 4),
        (
            UNet(width=8, multipliers=(1, 2), blocks=1, attention=(2,), dropout=0.2),
            (IMAGE, LEVEL, None, KEYS),
            2 + 2 + 2 * 2,
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_every_dropout_is_given_the_keys(net, inputs, count):
    given = dropouts(net, *inputs)
    assert len(given) == count and all(given.values()), given
    assert not any(dropouts(net, *(None if i is KEYS else i for i in inputs)).values())
