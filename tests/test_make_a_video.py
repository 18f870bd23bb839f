"""Make-A-Video: layers along time that begin as nothing, films and frames, what is refused."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from games import refuses

import gm_jax
from gm_jax.diffusion import make_a_video
from gm_jax.diffusion.shared import films
from gm_jax.model import Variables
from gm_jax.nn.film_layers import TimeAttention, TimeConv, by_position, images_of
from gm_jax.nn.unet import UNet

KEY, FRAMES = jax.random.key(0), 3
OWN = dict(
    width=4, multipliers=(1, 1), blocks=1, attention=(), transformer_blocks=1, groups=2,
    out_channels=3,
)  # fmt: skip
IMAGE, FILM = UNet(**OWN), UNet(**OWN, frames=FRAMES)


def filled(shapes):
    """Numbers in the place of shapes, none of them zero."""
    leaves, structure = jax.tree.flatten(shapes)
    keys = jax.random.split(KEY, len(leaves))
    made = [0.3 * jax.random.normal(k, leaf.shape) for k, leaf in zip(keys, leaves, strict=True)]
    return jax.tree.unflatten(structure, made)


def given(channels=3):
    """What both networks are given: two films, and what their frames are told."""
    x = jax.random.normal(KEY, (2 * FRAMES, 4, 4, channels))
    return x, (jnp.ones(len(x)), jnp.ones((len(x), 4)), None, jnp.ones((len(x), 2, 5)))


def params_of_images():
    x, told = given()
    return filled(jax.eval_shape(IMAGE.init, KEY, x, *told)["params"])


def begun(fresh, params):
    readers = ({"none": jnp.full(3, value)} for value in (0.0, 1.0))
    own, theirs = (
        {"network": n, "reader": r} for n, r in zip((fresh, params), readers, strict=True)
    )
    return make_a_video.begun(own, Variables(theirs))


def test_a_film_begins_as_its_frames_as_images_bit_by_bit():
    (x, told), params = given(), params_of_images()
    whole = begun(jax.jit(FILM.init)(KEY, x, *told)["params"], params)
    np.testing.assert_array_equal(whole["reader"]["none"], np.ones(3))
    own = whole["network"]
    expected = jax.jit(IMAGE.apply)({"params": params}, x, *told)
    apply = jax.jit(FILM.apply)
    assert np.abs(expected).max() > 0.1
    np.testing.assert_array_equal(apply({"params": own}, x, *told), expected)
    changed = {"params": filled(own)}
    before, after = (apply(changed, seen, *told) for seen in (x, x.at[0].add(1.0)))
    moved = np.abs(after - before).max((1, 2, 3)) > 1e-5
    np.testing.assert_array_equal(moved, [True] * FRAMES + [False] * FRAMES)


@pytest.mark.parametrize("attention", [{}, {"attention": (4, 2), "transformer_blocks": 0}])
def test_every_layer_of_images_has_one_along_time(attention):
    x, told = given()
    shapes = jax.eval_shape(UNet(**OWN | attention, frames=FRAMES).init, KEY, x, *told)["params"]
    paths = jax.tree_util.tree_leaves_with_path(shapes)
    names = [[entry.key for entry in path] for path, _ in paths]
    convolutions = sum(leaf.ndim == 4 for _, leaf in paths)
    along = {tuple(n[: n.index(t) + 1]) for n in names for t in n if t.startswith("TimeConv")}
    assert len(along) == convolutions > 8

    def count(kind):
        return len({n[0] for n in names if n[0].startswith(kind)})

    images = count("SpatialTransformer") + count("SelfAttention")
    assert count("TimeAttention") == images == (7 if attention else 1)


def test_rates_begin_as_nothing():
    told, _ = films.Rates(3, 4).init_with_output(KEY, jnp.arange(3))
    np.testing.assert_array_equal(told, np.zeros((3, 4)))


def test_it_begins_with_the_variables_of_the_model_of_images():
    *_, phase = gm_jax.build(gm_jax.load_config("configs/make_a_video_shapes.py:smoke"))
    theirs = Variables({"network": 1.0})
    assert phase.start({"image": gm_jax.model.Stage(None, theirs)}) is theirs


def test_the_recipe_between_frames_leaves_out_what_it_cannot_do():
    settings = gm_jax.load_config("configs/make_a_video_shapes.py:between")
    with settings.unlocked():
        settings.stages = {"image": gm_jax.load_config("configs/unclip_shapes.py")}
    *_, phase = gm_jax.build(settings)
    assert {"fill", "interpolation"} <= set(phase.model.functions)
    settings.evaluate.attributes.sample = 9
    with pytest.raises(gm_jax.UserError, match="attributes.sample: the model has no function samp"):
        gm_jax.build(settings)


def test_what_is_given_is_not_seen_at_first():
    x, told = given(channels=7)
    own = begun(jax.eval_shape(FILM.init, KEY, x, *told)["params"], params := params_of_images())
    kernel, before = (p["Conv_0"]["kernel"] for p in (own["network"], params))
    np.testing.assert_array_equal(kernel[:, :, :3], before)
    np.testing.assert_array_equal(kernel[:, :, 3:], np.zeros((3, 3, 4, 4)))


def test_another_network_of_images_is_refused():
    x, told = given()
    params = params_of_images() | {"Conv_1": {"kernel": jnp.zeros((3, 3, 8, 9))}}
    with pytest.raises(gm_jax.UserError, match="stages.image has another network .its network/Co"):
        begun(jax.eval_shape(FILM.init, KEY, x, *told)["params"], params)


def test_attention_along_time_learns_from_zero():
    """Its last layer moves at the first step, its queries and keys at the second."""
    layer, x = TimeAttention(FRAMES, 2, jnp.float32), jax.random.normal(KEY, (6, 2, 2, 4))
    target = jax.random.normal(jax.random.key(1), x.shape)

    @jax.jit
    def gradient(variables):
        return jax.grad(lambda v: jnp.mean((layer.apply(v, x) - target) ** 2))(variables)

    variables = layer.init(KEY, x)
    np.testing.assert_array_equal(layer.apply(variables, x), x)
    for step in range(2):
        found = gradient(variables)["params"]["Attention_0"]
        assert np.abs(found["out"]["kernel"]).max() > 1e-4
        for name in "qkv":
            assert (np.abs(found[name]["kernel"]).max() > 1e-6) == (step == 1)
        step_size = jax.tree.map(lambda g: -0.5 * g, gradient(variables))
        variables = optax.apply_updates(variables, step_size)


def test_a_convolution_along_time_by_hand():
    x, layer = jax.random.normal(KEY, (2 * FRAMES, 2, 3, 4)), TimeConv(FRAMES, jnp.float32)
    variables = layer.init(KEY, x)
    np.testing.assert_array_equal(layer.apply(variables, x), x)
    kernel = np.asarray(jax.random.normal(KEY, (3, 4, 4)))
    params = {"Conv_0": {"kernel": kernel, "bias": jnp.arange(4.0)}}
    found = np.asarray(layer.apply({"params": params}, x)).reshape(2, FRAMES, 2, 3, 4)
    padded = np.pad(np.asarray(x).reshape(2, FRAMES, 2, 3, 4), ((0, 0), (1, 1), *[(0, 0)] * 3))
    expected = sum(padded[:, k : k + FRAMES] @ kernel[k] for k in range(3)) + np.arange(4.0)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_array_equal(images_of(by_position(x, FRAMES), x.shape), x)


def test_frames_at_a_stride_between_given_ones_and_beside_them():
    video = jnp.arange(5.0).reshape(1, 5, 1, 1, 1) + jnp.array([0.0, 10.0]).reshape(2, 1, 1, 1, 1)
    found = films.strided(video, jnp.array([1, 2]), 3)[..., 0, 0, 0]
    np.testing.assert_array_equal(found, [[0, 1, 2], [10, 12, 14]])
    np.testing.assert_allclose(films.between(video[:, ::2], 5), video, atol=1e-6)
    known = films.known_frames(5, 2)
    np.testing.assert_array_equal(known.ravel(), [1, 0, 1, 0, 1])
    x = films.beside(-jnp.ones_like(video), video, known)
    np.testing.assert_array_equal(
        x[0, :, 0, 0], [[-1, k * t, k] for t, k in enumerate([1, 0] * 2 + [1])]
    )
    assert films.beside(x, None, None) is x and films.known_frames(5, 0) is None
    flat, told, none = films.each_frame(5, x, jnp.array([3.0, 4.0]), None)
    assert flat.shape == (10, 1, 1, 3) and none is None
    np.testing.assert_array_equal(told, [3.0] * 5 + [4.0] * 5)


def test_all_frames_are_enlarged_with_one_noise():
    def enlarge(variables, batch, key):
        noise = jax.vmap(lambda i: jax.random.normal(jax.random.fold_in(key, i)))(batch["index"])
        small = batch["image_low"].repeat(2, 1).repeat(2, 2)
        return {"image": small + noise.reshape(-1, 1, 1, 1)}

    model = gm_jax.model.GenerativeModel(None, (), {"enlarge": enlarge})
    stage = gm_jax.model.Stage(model, None)
    batch = {"index": jnp.arange(2), "caption": jnp.zeros((2, 1), int)}
    film = jnp.zeros((2, 4, 3, 3, 1))
    large = films.enlarged(stage, None, batch, KEY, film)
    assert large.shape == (2, 4, 6, 6, 1)
    np.testing.assert_array_equal(large[:, 1:], large[:, :-1])
    assert not np.allclose(large[0], large[1])


def test_a_sample_is_clipped_then_filled_then_enlarged(monkeypatch):
    drawn = jnp.linspace(-2.0, 2.0, 2 * 2 * 3 * 3).reshape(2, 2, 3, 3, 1)
    monkeypatch.setattr(films.core, "chain", lambda *given: (drawn, None))
    batch = {"index": jnp.arange(2), "caption": jnp.zeros((2, 1), int)}

    def fill(variables, batch, key):
        return {"video": jnp.repeat(batch["video_known"], variables, axis=1)}

    def enlarge(variables, batch, key):
        return {"image": batch["image_low"].repeat(variables, 1).repeat(variables, 2)}

    parts = {"frames": {"fill": fill}, "upsampler": {"enlarge": enlarge}}
    stages = {
        name: gm_jax.model.Stage(gm_jax.model.GenerativeModel(None, (), functions), None)
        for name, functions in parts.items()
    }
    settings = SimpleNamespace(frames=2, given_frames=0)
    functions = films.functions(None, settings, stages, None, None)
    variables = Variables({}, frozen={"frames": 3, "upsampler": 2})
    found = functions["sample"](variables, batch, KEY)["video"]
    expected = drawn.clip(-1.0, 1.0).repeat(3, axis=1).repeat(2, axis=2).repeat(2, axis=3)
    np.testing.assert_array_equal(found, expected)


def test_frames_are_made_between_those_of_the_last_rate(monkeypatch):
    """Frame t has the value (t / 10)^2: what is given, made, and on the line, and the errors."""
    monkeypatch.setattr(films.core, "chain", lambda *given: (jnp.full((1, 5, 2, 2, 1), 0.5), None))
    value = (jnp.arange(9.0) / 10) ** 2
    batch = {"video": jnp.broadcast_to(value[None, :, None, None, None], (1, 9, 2, 2, 1))}
    settings = SimpleNamespace(frames=5, given_frames=2, strides=(1, 2))
    model, known = SimpleNamespace(shape=(5, 2, 2, 1)), films.known_frames(5, 2)
    firsts = []

    def of_frame(variables, batch, key, frame):
        firsts.append(frame)

    functions = films.functions(model, settings, {}, known, of_frame)
    made = functions["fill"](None, batch, KEY)["video"][0, :, 0, 0, 0]
    np.testing.assert_allclose(made, [0.0, 0.5, 0.16, 0.5, 0.64], atol=1e-6)
    np.testing.assert_array_equal(firsts[0], batch["video"][:, 0])
    errors = functions["interpolation"](None, batch, KEY)
    expected = np.mean((0.5 - np.array([0.04, 0.36])) ** 2)
    np.testing.assert_allclose(errors["squared_error"], [expected], rtol=1e-5)
    expected = np.mean((np.array([0.08, 0.40]) - np.array([0.04, 0.36])) ** 2)
    np.testing.assert_allclose(errors["squared_error_line"], [expected], rtol=1e-5)


@pytest.mark.parametrize(
    "overrides, message",
    [
        ({"stages": {}}, "give stages.image, the workdir of an unclip"),
        ({"data.frames": 9}, "8 frames at a stride of 2 take films of 15 frames, and these have 9"),
        ({"data.frames": 0}, "needs `video`"),
        ({"given_frames": 3}, "given_frames 3 must divide frames - 1, 7"),
        ({"factor": 4}, "stages.image draws images of .16, 16, 3., and these frames"),
        ({"strides": ()}, "strides is empty"),
        ({"sampler.classifier": 1.0, "stages.classifier": "runs/x"}, "and no classifier"),
    ],
)
def test_what_is_no_film_is_refused(overrides, message):
    refuses("make_a_video_shapes", overrides, message)
