"""Video pixel networks: units and memory by hand, what each pixel sees, exact samples."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from games import refuses
from twins.inputs import away_from_start

import gm_jax
from gm_jax import zoo
from gm_jax.autoregressive import video_pixel_network
from gm_jax.model import Field
from gm_jax.nn.masked import scaled
from gm_jax.nn.multiplicative import ConvLSTM, FilmEncoder, FrameDecoder, multiplicative
from gm_jax.settings import read

KEY = jax.random.key(0)
FRAMES, SIDES = 3, (3, 4)
ENCODER, DECODER = {"width": 3, "dilations": (1, 2)}, {"width": 3, "blocks": 1, "first_size": 7}


def opened(output="softmax", levels=3, count=4, known=1):
    """A model of films of 3 frames of 3 x 4 pixels, its variables, and a batch."""
    stated = {
        "system": "video_pixel_network", "steps": 1, "batch_size": 2, "known": known,
        "output": output, "encoder": ENCODER, "decoder": DECODER,
    }  # fmt: skip
    module, shape = zoo.SYSTEMS["video_pixel_network"], (FRAMES, *SIDES, 1)
    spec = {"video": Field(shape, levels)}
    (phase,) = module.build(read(module.Settings, stated), spec, {})
    x = np.random.default_rng(0).integers(0, levels, (count, *shape))
    batch = {"video": scaled(jnp.asarray(x), levels), "index": jnp.arange(count)}
    return phase.model, away_from_start(phase.model.init, batch), batch


def logits_of(variables, films, levels=3):
    """Of the last two frames, [B, 2, H, W, 1, levels], by both networks as they are."""
    encoder = FilmEncoder(**ENCODER)
    decoder = FrameDecoder(levels, outputs=levels, **DECODER)
    maps, _ = encoder.apply({"params": variables.params["encoder"]}, films[:, :-1])
    own = {"params": variables.params["decoder"]}
    frames = [
        decoder.apply(own, films[:, t + 1], maps[:, t], method=lambda net, x, known: net.along(
            x, (), known)) for t in range(FRAMES - 1)
    ]  # fmt: skip
    return jnp.stack(frames, axis=1)


def sigma(x):
    return 1 / (1 + np.exp(-x))


def test_a_multiplicative_unit_by_hand():
    h, gates = np.array([[2.0, -1.0]]), np.arange(8.0)[None] / 4 - 1
    g1, g2, g3, u = gates[0].reshape(4, 2)
    expected = sigma(g1) * np.tanh(sigma(g2) * h[0] + sigma(g3) * np.tanh(u))
    np.testing.assert_allclose(multiplicative(h, gates)[0], expected, rtol=1e-6)


def test_the_memory_is_its_equations_and_goes_on_from_where_it_was():
    x, layer = np.random.default_rng(0).normal(size=(2, 4, 3, 4, 2)), ConvLSTM(3)
    params = layer.init(KEY, x)["params"]
    rng = np.random.default_rng(1)
    params = jax.tree.map(lambda p: rng.normal(0, 0.4, p.shape), params)
    own, apply = {"params": params}, jax.jit(layer.apply)
    found, last = apply(own, x)
    before, memory = apply(own, x[:, :3])
    after, end = apply(own, x[:, 3:], memory)
    np.testing.assert_allclose(found, np.concatenate([before, after], axis=1), atol=1e-6)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), last, end)

    kernel, bias = params["Conv_0"]["kernel"], params["Conv_0"]["bias"]
    state = params["state"].reshape(3, 3, 3, 12)
    h, c = np.zeros((2, 2, 3, 4, 3))
    for time in range(4):
        gates = np.zeros((2, 3, 4, 12)) + bias
        for (i, j), (a, b) in itertools.product(np.ndindex(3, 4), np.ndindex(3, 3)):
            row, column = i + a - 1, j + b - 1
            if 0 <= row < 3 and 0 <= column < 4:
                gates[:, i, j] += x[:, time, row, column] @ kernel[a, b]
                gates[:, i, j] += h[:, row, column] @ state[a, b]
        i, f, o, g = np.split(gates, 4, -1)
        c = sigma(f) * c + sigma(i) * np.tanh(g)
        h = sigma(o) * np.tanh(c)
        np.testing.assert_allclose(found[:, time], h, atol=1e-5)


def test_a_pixel_sees_all_before_it_and_nothing_of_itself_or_after():
    """Not through g2 h either, which carries what a unit is given."""
    _, variables, batch = opened(count=1)

    def outputs(x):
        return logits_of(variables, x[None])[0].reshape(2 * 12, 3).sum(-1)

    slopes = jax.jit(jax.jacobian(outputs))(batch["video"][0] * 0.7)
    seen = np.asarray(slopes).reshape(24, 36) != 0
    np.testing.assert_array_equal(seen, np.tri(24, 36, 11, dtype=bool))


def test_probabilities_of_films_of_two_pixels_add_up_to_one():
    stated = {
        "system": "video_pixel_network", "steps": 1, "batch_size": 2, "known": 1,
        "output": "softmax", "encoder": ENCODER, "decoder": DECODER,
    }  # fmt: skip
    module = zoo.SYSTEMS["video_pixel_network"]
    every = np.array(list(itertools.product(range(2), repeat=4))).reshape(16, 2, 1, 2, 1)
    films = np.concatenate([np.ones((16, 1, 1, 2, 1), int), every], axis=1)
    for output in video_pixel_network.OUTPUTS:
        settings = read(module.Settings, stated | {"output": output})
        (phase,) = module.build(settings, {"video": Field((3, 1, 2, 1), 2)}, {})
        batch = {"video": scaled(jnp.asarray(films), 2), "index": jnp.arange(16)}
        variables = away_from_start(phase.model.init, batch)
        values = jax.jit(phase.model.functions["log_prob"])(variables, batch, KEY)
        p = np.exp(-2 * values["nats_per_frame"])  # Of two frames.
        np.testing.assert_allclose(p.sum(), 1.0, rtol=1e-4)
        assert p.std() > 1e-3


@pytest.mark.slow
def test_films_are_drawn_as_by_networks_that_see_all_of_them_each_time():
    model, variables, batch = opened()
    made = jax.jit(model.functions["complete"])(variables, batch, KEY)["video"]
    true, drawn = np.asarray(made).swapaxes(0, 1)
    np.testing.assert_array_equal(true, batch["video"])
    np.testing.assert_array_equal(drawn[:, 0], true[:, 0])
    keys = jax.vmap(jax.random.fold_in, (None, 0))(KEY, batch["index"])
    films, whole = jnp.zeros_like(batch["video"]).at[:, 0].set(true[:, 0]), jax.jit(logits_of)
    for t, (position, (i, j)) in itertools.product(range(1, FRAMES), enumerate(np.ndindex(3, 4))):
        here = jax.vmap(
            lambda key, t=t, p=position: jax.random.fold_in(jax.random.fold_in(key, t), p)
        )
        logits = whole(variables, films)[:, t - 1, i, j, 0]
        symbols = jax.vmap(jax.random.categorical)(here(keys), logits)
        films = films.at[:, t, i, j, 0].set(scaled(symbols, 3))
    np.testing.assert_allclose(films, drawn, atol=1e-6)
    assert len(np.unique(drawn[:, 1:])) == 3


def test_one_logit_draws_the_grey_value_that_it_expects():
    outputs = jnp.array([[0.7]])
    logits = video_pixel_network.around(outputs, 4)
    above = 3 * sigma(0.7) - 2  # Between the levels 2 and 3.
    np.testing.assert_allclose(np.exp(logits)[0], [0, 0, 1 - above, above], atol=1e-6)
    logits = video_pixel_network.around(outputs, 2)
    np.testing.assert_allclose(np.exp(logits)[0], [1 - sigma(0.7), sigma(0.7)], rtol=1e-6)


def test_the_published_networks_sizes():
    """Two units a block: 1x1 to c, 2 x 3x3 to 4 c, 1x1 back; the decoder's are masked, not less."""
    config = gm_jax.load_config("configs/vpn_moving_digits.py:published")
    c = config.encoder.width
    encoder = FilmEncoder(**config.encoder)
    decoder = FrameDecoder(256, **config.decoder)
    maps = jnp.zeros((1, 64, 64, 2 * c))
    shapes = jax.eval_shape(
        lambda: (
            encoder.init(KEY, jnp.zeros((1, 2, 64, 64, 1)))["params"],
            decoder.init(KEY, jnp.zeros((1, 64, 64, 1), int), maps)["params"],
        )
    )

    def conv(size, inputs, outputs):
        return size * inputs * outputs + outputs

    def block(size):
        return conv(1, 2 * c, c) + 2 * conv(size, c, 4 * c) + conv(1, c, 2 * c)

    memory = conv(9, 2 * c, 8 * c) + 9 * 2 * c * 8 * c
    expected = (
        conv(9, 1, 2 * c) + 8 * block(9) + memory,
        # Kernels hold the rows down to a pixel's own: 4 x 7 of 7 x 7, 2 x 3 of 3 x 3.
        conv(4 * 7, 1, 2 * c) + conv(1, 2 * c, 2 * c) + 12 * block(2 * 3) + conv(1, 2 * c, 1),
    )
    for tree, count in zip(shapes, expected, strict=True):
        assert sum(np.prod(p.shape) for p in jax.tree.leaves(tree)) == count
    assert sum(expected) == 25_008_897


def test_films_without_a_frame_to_predict_are_refused():
    refuses("vpn_moving_digits", {"known": 4}, "films have 4 frames, and known=4")
    other = {"data.name": "digits", "data.frames": 0, "data.movers": 2}
    refuses("vpn_moving_digits", other, "needs `video`")
