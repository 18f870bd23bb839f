"""DALL-E: what codes read, by brute force and by Jacobian; caches, rerank, what is refused."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from games import perturb, refuses
from twins.game import also

import gm_jax
from gm_jax import causal
from gm_jax.clip_stage import best_of
from gm_jax.multimodal import dalle
from gm_jax.multimodal.shared.guided_causal import guided
from gm_jax.nn import attention_masks
from gm_jax.nn.text_image_transformer import TextImageTransformer, own_symbols

KEY = jax.random.key(0)
WORDS, LENGTH, CODES, GRID = 7, 5, 6, (4, 3)
TOTAL = LENGTH + 12


def module(**changes):
    own = dict(width=16, layers=2, heads=2, kernel=3) | changes
    return TextImageTransformer(WORDS, LENGTH, CODES, GRID, **own)


def symbols(rows=3):
    """Texts with padding, and codes after them."""
    rng = np.random.default_rng(0)
    text = rng.integers(1, WORDS, (rows, LENGTH)) * (np.arange(LENGTH) < [[3], [5], [1]][:rows])
    codes = WORDS + LENGTH + rng.integers(0, CODES, (rows, 12))
    return jnp.int32(np.concatenate([text, codes], axis=1))


@functools.cache
def opened(**changes):
    own = module(**changes)
    params = jax.jit(own.init)(KEY, symbols())["params"]
    return own, perturb(params, 0.3)


def test_each_mask_by_brute_force():
    """Figure 11, of 4 rows of 3: row by row, what is how many rows and columns away."""
    height, width, kernel = 4, 3, 3
    for a, b in np.ndindex(12, 12):
        up, left = a // width - b // width, a % width - b % width
        before = a >= b
        square = {
            up * width + left
            for up in range(kernel // 2 + 1)
            for left in range(-(kernel // 2), kernel // 2 + 1)
        }
        expected = {
            "full": before,
            "column": before and left == 0,
            "row": before and (up == 0 or (up == 1 and left <= 0)),
            "convolution": before and a - b in square,
        }
        for name, wanted in expected.items():
            assert attention_masks.MASKS[name](height, width, kernel)[a, b] == wanted, (name, a, b)
    # The paper's own figure: of 4 x 4 a code reads itself and the four before it by row.
    assert attention_masks.row(4, 4, 3)[10].nonzero()[0].tolist() == [6, 7, 8, 9, 10]
    assert attention_masks.convolution(4, 4, 3)[10].nonzero()[0].tolist() == [5, 6, 7, 9, 10]


def test_the_published_order_of_masks():
    """Columns in layers i with (i - 2) mod 4 = 0, a convolution in the last of 64: appendix B.1."""
    names = attention_masks.of_layers(64)
    columns = [i + 1 for i, name in enumerate(names) if name == "column"]
    assert columns == list(range(2, 64, 4)) and names[-1] == "convolution"
    assert names.count("row") == 64 - len(columns) - 1


@pytest.mark.parametrize("name", ["row", "column", "convolution", "full"])
def test_what_a_code_reads_is_what_its_mask_says(name):
    """By the Jacobian of one layer: all text, and earlier codes as the mask has them."""
    own, params = opened(layers=1, attention=(name,))
    x = symbols(1)
    known = own.apply(
        {"params": params}, x, method=lambda m, x: m.tokens(m._own(x, jnp.arange(TOTAL)))
    )

    def logits(known):
        """Of all positions, by the embeddings of symbols."""

        def call(m, known):
            h = jnp.concatenate([m.starts.embedding[None], known[:, :-1]], 1) + m._positions()
            return m._logits(m.blocks[0](h, None, m._tables()[0]), m._possible())

        return own.apply({"params": params}, known, method=call)[0]

    reads = (
        np.abs(np.asarray(jax.jit(jax.jacobian(lambda e: logits(e).max(-1)))(known))[:, 0]).max(-1)
        > 1e-9
    )
    mask = attention_masks.MASKS[name](*GRID, 3)
    expected = np.tri(TOTAL, k=-1, dtype=bool)
    expected[LENGTH + 1 :, LENGTH:-1] = mask[:-1, :-1]
    np.testing.assert_array_equal(reads[:, :-1], expected[:, :-1])
    assert not reads[:, -1].any()


def test_text_follows_text_and_codes_follow_codes():
    """No probability of a code at a text's position, nor of a word after it; each position has its
    own padding."""
    own, params = opened()
    p = jax.nn.softmax(own.apply({"params": params}, symbols()), axis=-1)
    first = WORDS + LENGTH
    np.testing.assert_allclose(p[:, :LENGTH, :first].sum(-1), 1.0, rtol=1e-5)
    np.testing.assert_allclose(p[:, LENGTH:, first:].sum(-1), 1.0, rtol=1e-5)
    text = own_symbols(symbols(), jnp.arange(TOTAL), WORDS, LENGTH)[:, :LENGTH]
    np.testing.assert_array_equal(text[2, 1:], WORDS + np.arange(1, LENGTH))
    np.testing.assert_array_equal(text[1], symbols()[1, :LENGTH])


def test_positions_are_of_rows_and_columns():
    own, params = opened()
    at = own.apply({"params": params}, method=lambda m: m._positions())
    rows, columns = (params[name]["embedding"] for name in ("rows", "columns"))
    assert len(rows) == GRID[0] and len(columns) == GRID[1] and len(at) == TOTAL
    np.testing.assert_allclose(at[LENGTH + 1 + 7], rows[2] + columns[1], rtol=1e-5)
    np.testing.assert_array_equal(at[0], 0.0)


@pytest.mark.parametrize("weight", [also(0.0), 1.5])
def test_cached_is_uncached_with_text_and_codes_mixed(weight):
    """And the branch without a text has a cache of its own; the caller's symbols stay."""
    own, params = opened(layers=3, attention=("row", "column", "convolution"))
    network, x = causal.of_module(own), symbols()
    if weight:
        network = guided(network, dalle.without_text(network, LENGTH), weight)
    whole, cache = network.apply(params, x, None), network.begin(params, len(x), None)
    step = jax.jit(network.step)
    for position in range(TOTAL):
        previous = x[:, max(position - 1, 0)]
        cache, logits = step(params, cache, previous, position)
        np.testing.assert_allclose(logits, whole[:, position], rtol=2e-4, atol=2e-4)
    keys = jax.random.split(KEY, len(x))
    drawn = [
        draw(network, params, keys, TOTAL, prompt=x[:, :LENGTH])
        for draw in (causal.sample, causal.sample_naive)
    ]
    np.testing.assert_array_equal(*drawn)
    np.testing.assert_array_equal(drawn[0][:, :LENGTH], symbols()[:, :LENGTH])
    if weight:
        empty = x.at[:, :LENGTH].set(0)
        given, null = (own.apply({"params": params}, v) for v in (x, empty))
        # Where the two cancel, what float32 rounds is of their size, not of the difference's.
        rounding = 8 * np.finfo(np.float32).eps * np.maximum(np.abs(given), np.abs(null))
        expected = (1 + weight) * given - weight * null
        np.testing.assert_array_less(np.abs(whole - expected), rounding)


def test_the_best_of_several_is_that_of_its_own_caption():
    """Scores of one example are far from those of others: only its own are compared."""

    def draw(key):
        return jax.random.uniform(key, (6, 2, 2, 1))  # Exact, however it is compiled.

    def score(images):
        return images[:, 0, 1, 0] + 10.0 * jnp.arange(6)

    drawn = np.stack([draw(key) for key in jax.random.split(KEY, 5)])
    best = drawn[:, :, 0, 1, 0].argmax(0)
    assert len(set(best)) > 2
    found = best_of(5, KEY, draw, score)
    np.testing.assert_array_equal(found, drawn[best, np.arange(6)])
    np.testing.assert_array_equal(best_of(1, KEY, draw, score), draw(jax.random.split(KEY, 1)[0]))


def test_the_published_recipe_is_the_papers():
    """64 layers, 62 heads of 64, 256 + 1,024 positions; its parameters, as ours has them."""
    settings = gm_jax.load_config("configs/dalle_shapes.py:published")
    own = settings.network.to_dict()
    assert own["heads"] * 64 == own["width"] and settings.image_weight == 7.0
    assert settings.data.caption_length == 256
    network = TextImageTransformer(16_384, 256, 8192, (32, 32), **own)
    x = jax.ShapeDtypeStruct((1, 1280), jnp.int32)
    shapes = jax.eval_shape(lambda x: network.init(KEY, x), x)["params"]
    width = own["width"]
    block = 4 * width + (12 * width**2 + 9 * width)
    tables = (16_384 + 256 + 8192) + 1 + 256 + 2 * 32
    assert sum(leaf.size for leaf in jax.tree.leaves(shapes)) == 64 * block + (tables + 2) * width
    assert abs(64 * block / 12e9 - 1) < 0.02  # "12-billion parameter".


@pytest.mark.parametrize(
    "overrides, message",
    [
        ({"sampler.best_of": 4}, "give stages.clip, the workdir of a clip"),
        ({"condition_dropout": 0.0}, "sampler.guidance needs a model trained with condition_drop"),
        ({"network.attention": ("row",)}, "attention names 1 layers, and there are 2: name each"),
        ({"network.attention": ("row", "spiral")}, "it must be one of: full, row, column, convol"),
        ({"network.kernel": 4}, "network.kernel is 4: it must be odd"),
        ({"network.heads": 3}, "width 8 does not divide into heads 3"),
        ({"sampler.prompt": "a pink cross"}, "no caption of the training data has pink"),
        ({"data.captions": ""}, "this system needs `caption`"),
    ],
)
def test_what_cannot_be_drawn_is_refused(overrides, message):
    refuses("dalle_shapes", overrides, message)


def test_a_stage_that_does_not_fit_is_refused():
    settings = gm_jax.load_config("configs/dalle_shapes.py:smoke")
    clip = gm_jax.load_config("configs/clip_shapes.py:smoke")
    clip.data.caption_length = 20
    with settings.unlocked():
        settings.stages = {"codes": settings.stages.codes, "clip": clip}
    with pytest.raises(gm_jax.UserError, match="stages.clip was trained on captions of 20 of"):
        gm_jax.build(settings)
    clip.data.caption_length, clip.data.size = None, 64
    with pytest.raises(gm_jax.UserError, match="stages.clip was trained on images of 64x64, the"):
        gm_jax.build(settings)
    with settings.unlocked():
        settings.stages = {"clip": clip}
    with pytest.raises(gm_jax.UserError, match="needs one first stage.*it may have clip, too"):
        gm_jax.build(settings)


@pytest.mark.slow
def test_a_run_shows_the_best_of_several_by_its_clip(tmp_path):
    """Nearer to its caption than one draw is; the CLIP may come after training."""
    device = jax.devices()[:1]
    clip = gm_jax.load_config("configs/clip_shapes.py:smoke")
    gm_jax.train(clip, tmp_path / "clip", device)
    settings = gm_jax.load_config("configs/dalle_shapes.py:smoke")
    gm_jax.train(settings, tmp_path / "dalle", device)
    means, scorer = [], gm_jax.load(tmp_path / "clip", None, device)
    source = gm_jax.data.open_source(settings.data, "test")
    caption = source.load(np.arange(16))["caption"]
    for count in (1, 8):
        with settings.unlocked():
            settings.sampler.best_of, settings.stages.clip = count, str(tmp_path / "clip")
        run = gm_jax.load(tmp_path / "dalle", settings, device)
        image = gm_jax.sample(run, 16, given={"caption": caption})["image"]
        found = gm_jax.sample(scorer, 16, "similarity", given={"image": image, "caption": caption})
        means.append(found["cosine"])
    assert np.mean(means[1] > means[0]) > 0.7 and means[1].mean() > means[0].mean()
