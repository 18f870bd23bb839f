"""Films: C-ViViT's codes are causal, and Phenaki goes on from the frames it keeps."""

import functools
from types import SimpleNamespace

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from games import perturb, refuses

import gm_jax
from gm_jax.data import shapes
from gm_jax.judging import alignment
from gm_jax.model import Field
from gm_jax.multimodal import phenaki
from gm_jax.nn import cvivit
from gm_jax.nn.bert import Bert

KEY = jax.random.key(0)
FRAMES, PATCH, LENGTH = 2, 4, 7
SMALL = dict(frames=FRAMES, patch=PATCH, width=8, spatial=1, temporal=1, heads=2, hidden=8)
VIDEO = jax.random.uniform(KEY, (2, LENGTH, 8, 12, 3), minval=-1.0)


def perturbed(module, *inputs):
    """The module applied by variables away from their start, compiled."""
    variables = perturb(jax.jit(module.init)(KEY, *inputs))
    return jax.jit(functools.partial(module.apply, variables))


@pytest.fixture(scope="module")
def encode():
    return perturbed(cvivit.FilmEncoder(5, LENGTH, **SMALL), VIDEO)


@pytest.fixture(scope="module")
def decode():
    return perturbed(
        cvivit.FilmDecoder(3, LENGTH, **SMALL, dtype=jnp.float32), jnp.zeros((2, 4, 2, 3, 5))
    )


def same(x, y):
    np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-5)


def test_codes_do_not_change_with_later_frames(encode):
    z = encode(VIDEO)
    assert z.shape == (2, 4, 2, 3, 5)
    for times in (1, 2, 3):
        frames = 1 + (times - 1) * FRAMES
        other = encode(VIDEO.at[:, frames:].multiply(-1.0))
        same(other[:, :times], z[:, :times])
        # Every code after them does, and a film that ends there has those before alone.
        assert np.all(np.abs(other - z)[:, times:].max(-1) > 1e-4)
        same(encode(VIDEO[:, :frames]), z[:, :times])


def test_a_code_sees_all_of_its_time_and_what_was_before(encode):
    z, changed = encode(VIDEO), encode(VIDEO.at[:, 1, :4, :4].multiply(-1.0))
    same(changed[:, 0], z[:, 0])
    assert np.all(np.abs(changed - z)[:, 1:].max(-1) > 1e-6)


def test_frames_do_not_change_with_later_codes(decode):
    z = jax.random.normal(KEY, (2, 4, 2, 3, 5))
    film = decode(z)
    assert film.shape == VIDEO.shape
    for times in (1, 2, 3):
        frames = 1 + (times - 1) * FRAMES
        other = decode(z.at[:, times:].multiply(-1.0))
        same(other[:, :frames], film[:, :frames])
        assert np.all(np.abs(other - film)[:, frames:].max((2, 3, 4)) > 1e-4)
        same(decode(z[:, :times]), film[:, :frames])
    assert np.all(np.abs(decode(z.at[:, 0].multiply(-1.0)) - film).max((2, 3, 4)) > 1e-4)


def test_the_first_frame_has_an_embedding_of_its_own():
    module = cvivit.FilmEncoder(5, LENGTH, **SMALL)
    params = jax.eval_shape(module.init, KEY, VIDEO)["params"]
    assert params["first"]["kernel"].shape == (PATCH**2 * 3, 8)
    assert params["rest"]["kernel"].shape == (FRAMES * PATCH**2 * 3, 8)


def test_a_block_is_of_its_frames_and_its_patch():
    film = VIDEO[:, :6]
    blocks = np.asarray(cvivit.blocks_of(film, FRAMES, PATCH))
    for time, row, column in ((0, 0, 0), (1, 1, 0), (2, 1, 2)):
        own = film[:, 2 * time : 2 * time + 2, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4]
        found = np.sort(blocks[:, time, row, column], axis=-1)
        np.testing.assert_array_equal(found, np.sort(own.reshape(2, -1), axis=-1))
    np.testing.assert_array_equal(cvivit.film_of(jnp.asarray(blocks), FRAMES, PATCH), film)


@pytest.mark.parametrize("axis", ["space", "time"])
@pytest.mark.parametrize("mirrored", [False, True])
def test_attention_of_one_axis_mixes_no_other(axis, mirrored):
    """With the other's branches at zero, what is changed reaches its time, or its position, alone:
    a reshape to an order of axes that the array does not have would scatter it."""
    module = cvivit.Factored(1, 1, 2, 8, 4, mirrored, jnp.float32)
    x = jax.random.normal(KEY, (2, 4, 2, 3, 8))
    params = perturb(jax.jit(module.init)(KEY, x))["params"]
    other = {"space": "time", "time": "space"}[axis]
    branches = ("['self_attn']['out_proj']", "['mlp']['fc2']")

    def silent(path, leaf):
        name = jax.tree_util.keystr(path)
        return leaf * (f"['{other}']" not in name or not any(b in name for b in branches))

    params = jax.tree_util.tree_map_with_path(silent, params)
    apply = jax.jit(lambda x: module.apply({"params": params}, x))
    moved = np.abs(apply(x.at[0, 1, 1, 2].multiply(-1.0)) - apply(x)).max(-1) > 1e-6
    wanted = np.zeros_like(moved)
    if axis == "space":
        wanted[0, 1] = True
    else:
        wanted[0, 1:, 1, 2] = True
    np.testing.assert_array_equal(moved, wanted)


def test_positions_of_codes_are_sums_over_their_axes():
    module = Bert(6, (2, 3, 4), width=8, layers=1, heads=2, hidden=8, dropout=0.0)
    x, context = jnp.zeros((1, 24), jnp.int32), jnp.zeros((1, 5, 7))
    params = jax.jit(module.init)(KEY, x, None, None, context)["params"]
    seen = []

    def record(call, inputs, keywords, context):
        seen.extend(inputs if context.module.name == "norm" else ())
        return call(*inputs, **keywords)

    with nn.intercept_methods(record):
        module.apply({"params": params}, x, None, None, context)
    own = np.asarray(seen[0][0]) - np.concatenate([
        np.broadcast_to(params["context"]["bias"], (5, 8)),
        np.broadcast_to(params["tokens"]["embedding"][0], (24, 8)),
    ])  # fmt: skip
    tables = [params[f"positions_{axis}"]["embedding"] for axis in range(3)]
    wanted = [tables[0][t] + tables[1][i] + tables[2][j] for t, i, j in np.ndindex(2, 3, 4)]
    same(own[5:], np.stack(wanted))
    same(own[:5], params["positions_before"]["embedding"])


@pytest.mark.parametrize(
    "overrides,message",
    [
        ({"data.frames": 8}, r"8 frames is not one frame and blocks of 2 .*: 7 or 9 frames are"),
        ({"network.patch": 5}, "network.patch 5 does not divide the sides of 32x32 frames"),
        ({"data.frames": 0}, "this system needs `video`"),
        ({"network.heads": 3}, "width 8 does not divide into heads 3"),
    ],
)
def test_what_does_not_fit_is_refused(overrides, message):
    refuses("cvivit_shapes", overrides, message)


@pytest.mark.parametrize(
    "sampler,message",
    [
        ({"keep": 2}, "keep 2 is not one frame and whole blocks of 2: .* 9 frames 1, 3, 5, 7 can"),
        ({"keep": 9}, "keep 9 is not"),
        ({"keep": 0}, "keep is 0: it must be at least 1"),
        ({"prompts": ("a small red cow moving left",)}, "cow"),
        ({"prompt": "a red cross"}, "sampler.prompt is of samples, sampler.prompts of stories"),
    ],
)
def test_stories_that_cannot_be_told_are_refused(sampler, message):
    refuses("phenaki_shapes", {f"sampler.{name}": x for name, x in sampler.items()}, message)


def test_a_first_stage_of_images_is_none_of_films():
    stage = gm_jax.load_config("configs/vqvae_shapes.py:smoke")
    refuses("phenaki_shapes", {"stages": {"codes": stage}}, "this system needs `image`")


def test_a_film_that_is_longer_than_those_of_training_is_refused(encode):
    with pytest.raises(gm_jax.UserError, match="5 times .* longer than .* which have 4: cut it"):
        encode(jnp.zeros((1, 9, 8, 12, 3)))


def test_kept_frames_are_whole_codes():
    code = Field((5, 4, 4), 8)
    assert [phenaki.kept_times(keep, 9, code) for keep in (1, 3, 5, 7)] == [1, 2, 3, 4]


def test_captions_are_read_back():
    source = gm_jax.data.open_source(gm_jax.load_config("configs/cvivit_shapes.py").data)
    for row in source.load(np.arange(40))["attributes"]:
        (caption,) = shapes.describe(row[None])
        np.testing.assert_array_equal(shapes.attributes_of(caption), row)
    for wrong in ("a large cross moving left", "a large red cross above a small blue circle"):
        with pytest.raises(gm_jax.UserError, match="is no caption of a film"):
            shapes.attributes_of(wrong)


def test_stories_are_judged_part_by_part(monkeypatch):
    """A film to the right, and back at once: the second part begins with the first one's last."""
    batch = gm_jax.data.open_source(gm_jax.load_config("configs/cvivit_shapes.py").data).load(
        np.arange(40)
    )
    row = np.flatnonzero(batch["attributes"][:, shapes.MOTION] == 2)[0]
    (right,), film = shapes.describe(batch["attributes"][[row]]), batch["video"][[row]]
    film = np.concatenate([film, film[:, :1].repeat(8, axis=1)], axis=1)
    config = gm_jax.load_config("configs/phenaki_shapes.py")
    trained = SimpleNamespace(config=config, phase=config, functions={"story": None})
    monkeypatch.setattr(alignment, "sample", lambda *given: {"video": film})
    for second, hit in (("left", 1.0), ("up", 0.0)):
        config.sampler.prompts = right, right.replace("right", second)
        found = {name: row["value"] for name, row in alignment.stories(trained, 1).items()}
        for name in ("story_motion", "story_motion_2", "story_right", "story_right_2"):
            assert found[name] == hit
        assert found["story_motion_1"] == found["story_right_1"] == found["story_constant"] == 1.0
    with pytest.raises(gm_jax.UserError, match="set sampler.prompts"):
        alignment.stories(SimpleNamespace(config=config, phase=config, functions={}), 4)


def test_the_second_of_two_films_is_judged_and_both_are_shown(tmp_path):
    pair = np.zeros((2, 2, 3, 8, 8, 3), np.uint8)
    pair[:, 1] = 255
    assert np.all(alignment._pictures({"video": pair}, "reconstruct") == 255)
    assert alignment._pictures({"video": pair[:, 0]}, "sample").max() == 0
    files = gm_jax.data.show({"video": pair}, tmp_path / "out")
    assert [file.name for file in files] == ["out.png", "out.gif"]
