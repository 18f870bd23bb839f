"""VGG, AlexNet and SqueezeNet by hand, their files, and LPIPS by them: as a stage and a metric."""

import hashlib
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch_files
from games import config as config_of_game
from games import opening, perturb

import gm_jax
from gm_jax.evaluation import lpips
from gm_jax.features.backbone import Settings
from gm_jax.nn import backbones
from gm_jax.nn.backbones import NETWORKS, Backbone, Conv, Fire, Pool, Relu
from gm_jax.recipes import load_config, recipe
from gm_jax.settings import read
from gm_jax.weights import export, torch_names
from gm_jax.weights.assigning import count
from gm_jax.weights.backbones import HEADS, PUBLISHED, lpips_heads, open_backbone

ONE, KEY, QUIET = jax.devices()[:1], jax.random.key(0), {"show.every": 0}
# What torchvision's models have before their classifiers.
PARAMETERS = {
    "vgg16": 14_714_688, "vgg19": 20_024_384, "alexnet": 2_469_696, "squeezenet": 722_496
}  # fmt: skip
CONVOLUTIONS = {
    "vgg16": (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28),
    "vgg19": (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34),
    "alexnet": (0, 3, 6, 8, 10),
    "squeezenet": (0,),
}
FIRES = (3, 4, 6, 7, 9, 10, 11, 12)


def shapes_of(network):
    whole = Backbone(NETWORKS[network], backbones.names(NETWORKS[network])[-1:])
    return jax.eval_shape(whole.init, KEY, jnp.zeros((1, 64, 64, 3)))["params"]


@pytest.mark.parametrize("network", NETWORKS)
def test_names_and_sizes_are_torchvisions(network):
    shapes = shapes_of(network)
    assert count(shapes) == PARAMETERS[network]
    found = {name.removesuffix(".weight") for name in torch_names(shapes) if "weight" in name}
    expected = {f"features.{n}" for n in CONVOLUTIONS[network]}
    if network == "squeezenet":
        parts = ("squeeze", "expand1x1", "expand3x3")
        expected |= {f"features.{n}.{part}" for n in FIRES for part in parts}
    assert found == expected


def test_layers_are_named_by_block():
    vgg = backbones.names(NETWORKS["vgg19"])
    of_spade = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
    assert [vgg.index(name) for name in of_spade] == [1, 6, 11, 20, 29]
    assert vgg.index("relu5_4") == 35
    assert [n for n, layer in enumerate(NETWORKS["vgg19"]) if layer == Pool()] == [4, 9, 18, 27, 36]
    # The last of each slice in the reference implementation of LPIPS.
    slices = {
        "vgg16": (3, 8, 15, 22, 29),
        "alexnet": (1, 4, 7, 9, 11),
        "squeezenet": (1, 4, 7, 9, 10, 11, 12),
    }
    for network, layers in backbones.LPIPS.items():
        order = backbones.names(NETWORKS[network])
        assert tuple(map(order.index, layers)) == slices[network]


def convolved(x, weight, bias, stride, padding):
    """A convolution of [H, W, C] by PyTorch's kernel [D, C, k, k], in float64."""
    k = weight.shape[-1]
    x = np.pad(x, ((padding, padding), (padding, padding), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(x, (k, k), (0, 1))[::stride, ::stride]
    flat = windows.reshape(*windows.shape[:2], -1)  # Of each window, as the kernel's own [C, k, k].
    return flat @ weight.reshape(len(weight), -1).T + bias


def pooled(x, size, ceil):
    """Maxima at stride 2; with `ceil` over what there is of a last window."""

    def count(side):
        return -((size - side) // 2) + 1 if ceil else (side - size) // 2 + 1

    rows, columns = count(x.shape[0]), count(x.shape[1])
    window = [
        [x[2 * i : 2 * i + size, 2 * j : 2 * j + size].max((0, 1)) for j in range(columns)]
        for i in range(rows)
    ]
    return np.array(window)


def by_hand(layers, weights, image):
    """Every layer's map of one image [H, W, 3], in float64, from a state dict."""
    x, maps = np.float64(image), []
    for number, layer in enumerate(layers):
        name = f"features.{number}"

        def conv(x, name, stride=1, padding=0):
            parts = (np.float64(weights[f"{name}.{leaf}"]) for leaf in ("weight", "bias"))
            return convolved(x, *parts, stride, padding)

        match layer:
            case Conv(_, _, stride, padding):
                x = conv(x, name, stride, padding)
            case Relu():
                x = np.maximum(x, 0)
            case Pool(size, ceil):
                x = pooled(x, size, ceil)
            case Fire():
                x = np.maximum(conv(x, f"{name}.squeeze"), 0)
                sides = [conv(x, f"{name}.expand{n}x{n}", 1, n // 2) for n in (1, 3)]
                x = np.maximum(np.concatenate(sides, -1), 0)
        maps.append(x)
    return maps


@pytest.mark.slow
@pytest.mark.parametrize("network, side", [("vgg19", 36), ("alexnet", 70), ("squeezenet", 45)])
def test_every_layer_by_hand(network, side):
    layers = backbones.narrowed(NETWORKS[network], 8)
    order = backbones.names(layers)
    module = Backbone(layers, order)
    x = jax.random.normal(KEY, (1, side, side - 2, 3))
    params = jax.jit(module.init)(jax.random.key(1), x)["params"]
    params = perturb(params)
    found = jax.jit(module.apply)({"params": params}, x)
    weights = export(torch_names(params), params)
    for name, expected in zip(order, by_hand(layers, weights, x[0]), strict=True):
        within = 1e-5 * np.abs(expected).max()
        np.testing.assert_allclose(found[name][0], expected, atol=within, err_msg=name)


def test_average_pools_and_reflections_by_hand():
    """Means of what there is of a window, and pictures mirrored beyond their border."""
    layers = (Conv(2), Pool(3, True))
    x = jax.random.normal(KEY, (1, 6, 6, 2))
    module = Backbone(layers, ("conv1_1", "pool1_1"), pool="average", padding="reflect")
    found, variables = jax.jit(module.init_with_output)(KEY, x)
    weights = export(torch_names(variables["params"]), variables["params"])
    wide = np.pad(x[0], ((1, 1), (1, 1), (0, 0)), mode="reflect")
    leaves = (np.float64(weights[f"features.0.{leaf}"]) for leaf in ("weight", "bias"))
    expected = convolved(np.float64(wide), *leaves, 1, 0)
    np.testing.assert_allclose(found["conv1_1"][0], expected, atol=1e-5)
    means = [[expected[i : i + 3, j : j + 3].mean((0, 1)) for j in (0, 2, 4)] for i in (0, 2, 4)]
    np.testing.assert_allclose(found["pool1_1"][0], means, atol=1e-5)


def test_alexnets_first_map():
    """11 x 11 at stride 4 within 2 zeros: 224 pixels give 55, as torchvision's; the paper's 227."""
    module = Backbone(NETWORKS["alexnet"], ("conv1_1", "pool3_1"))
    x = jnp.zeros((1, 224, 224, 3))
    found = jax.eval_shape(lambda: module.init_with_output(KEY, x)[0])
    assert found["conv1_1"].shape == (1, 55, 55, 64) and found["pool3_1"].shape == (1, 6, 6, 256)


def unit(x):
    return x / (np.linalg.norm(x, axis=-1, keepdims=True) + 1e-10)


@pytest.fixture(scope="module", params=HEADS)
def published(request, tmp_path_factory):
    """A network, its file of formula weights in torchvision's layout, and the weights."""
    network, rng = request.param, np.random.default_rng(0)
    shapes = shapes_of(network)
    params = jax.tree.map(
        lambda s: np.float32(rng.normal(size=s.shape) * (2 / np.prod(s.shape[:-1])) ** 0.5),
        shapes,
    )
    weights = export(torch_names(params), params)
    more = {"classifier.0.weight": np.ones((2, 3), np.float32)}
    path = tmp_path_factory.mktemp(network) / PUBLISHED[network].file
    torch_files.write(path, weights | more)
    return network, path, weights


def hash_of(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


START = dict(steps=0, batch_size=1)


def backbone(path, **changed):
    own = dict(system="backbone", weights=str(path), data=dict(name="none"))
    return recipe("", START, own, {"sha256": hash_of(path) if path != "random" else "", **changed})


@pytest.mark.slow
def test_lpips_by_hand(published):
    """Zhang et al. 2018, eq. 1, of whole networks at full width; 0 for equal images, symmetric."""
    network, path, weights = published
    (phase,) = gm_jax.build(backbone(path, network=network))
    variables = phase.model.init(KEY, {}, phase.start({}))
    rng = np.random.default_rng(1)
    sides = (17, 16) if network == "vgg16" else (35, 33)
    x, y = rng.uniform(-1, 1, (2, 1, *sides, 3)).astype("float32")
    y = 0.7 * x + 0.3 * y
    distance = jax.jit(phase.model.functions["distance"])

    def between(x, y):
        ((name, value),) = distance(variables, {"image": x, "image_b": y}, KEY).items()
        assert name == f"lpips_{network}_{hash_of(path)[:8]}"
        return np.asarray(value)

    order, expected = backbones.names(NETWORKS[network]), 0.0
    shift, scale = np.array([-0.030, -0.088, -0.188]), np.array([0.458, 0.448, 0.450])
    maps = [
        by_hand(NETWORKS[network], weights, (np.float64(image[0]) - shift) / scale)
        for image in (x, y)
    ]
    for name, head in zip(backbones.LPIPS[network], lpips_heads(network), strict=True):
        a, b = (unit(found[order.index(name)]) for found in maps)
        expected += ((a - b) ** 2 @ np.float64(head)).mean()
    np.testing.assert_allclose(between(x, y), expected, rtol=1e-4)
    np.testing.assert_allclose(between(y, x), between(x, y), rtol=1e-6)
    np.testing.assert_array_equal(between(x, x), 0.0)
    grey = x[..., :1]
    np.testing.assert_array_equal(between(grey, y), between(np.repeat(grey, 3, -1), y))


@pytest.mark.slow
def test_the_metric_is_the_distance(published, tmp_path):
    """LPIPS of uint8 pairs is `distance` of the same images, and says whose weights it is of."""
    network, path, _ = published
    rng = np.random.default_rng(2)
    a, b = rng.integers(0, 256, (2, 3, 32, 33, 3), np.uint8)
    loaded = lpips.load_lpips(network, str(path), hash_of(path))
    assert loaded.weights == hash_of(path)
    assert loaded.name == f"lpips_{network}_{loaded.weights[:8]}"
    found = lpips.distances(loaded, a, b, batch_size=2)
    (phase,) = gm_jax.build(backbone(path, network=network))
    variables = phase.model.init(KEY, {}, phase.start({}))
    pair = {"image": a / 127.5 - 1.0, "image_b": b / 127.5 - 1.0}
    (expected,) = jax.jit(phase.model.functions["distance"])(variables, pair, KEY).values()
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    np.testing.assert_array_equal(lpips.distances(loaded, a, a), 0.0)
    for wrong in ((a / 255, b), (a, b[:2]), (a[:0], b[:0]), (a[..., :2], b[..., :2])):
        with pytest.raises(gm_jax.UserError, match="LPIPS takes"):
            lpips.distances(loaded, *wrong)


@pytest.mark.slow
def test_a_runs_reconstructions_are_judged(published, tmp_path, digits16):
    network, path, _ = published
    if network != "vgg16":
        pytest.skip("16 x 16 pixels are too few for the other networks")
    settings = config_of_game("vae", digits16, **QUIET, **{"data.name": "npz", "steps": 1})
    settings.evaluate.update(
        lpips=6, lpips_network=network, lpips_weights=str(path),
        lpips_sha256=hash_of(path),
    )  # fmt: skip
    trained = gm_jax.train(settings, tmp_path, ONE)
    results = gm_jax.evaluate(trained, tmp_path)
    row = results[f"lpips_{network}_{hash_of(path)[:8]}"]
    assert row["weights"] == hash_of(path) and row["split"] == "test"
    pairs = gm_jax.sample(trained, 6, "reconstruct", "test")["image"]
    loaded = lpips.load_lpips(network, str(path), hash_of(path))
    values = lpips.distances(loaded, pairs[:, 0], pairs[:, 1])
    np.testing.assert_allclose(row["value"], values.mean(), rtol=1e-5)
    np.testing.assert_allclose(row["standard_error"], values.std(ddof=1) / 6**0.5, rtol=1e-5)
    assert f"protocol lpips_v0.1, weights {hash_of(path)[:8]}" in gm_jax.report(results)
    settings.evaluate.lpips_weights = str(tmp_path / "nothing.pth")
    with pytest.raises(gm_jax.UserError, match="no vgg16 weights of torchvision at .*nothing"):
        gm_jax.evaluate(trained._replace(config=settings), tmp_path)


def test_heads_are_those_of_the_original_files(shared):
    expected = np.load(shared / "data" / "lpips-heads" / "lpips_v0.1_heads.npz")
    for network, prefix in HEADS.items():
        heads = lpips_heads(network)
        original = gm_jax.weights.read(shared / "data" / "lpips-heads" / f"{prefix}.pth")
        for number, head in enumerate(heads):
            np.testing.assert_array_equal(head, expected[f"{prefix}.lin{number}"])
            np.testing.assert_array_equal(head, original[f"lin{number}.model.1.weight"].ravel())
            assert (head >= 0).all()
        assert len(heads) == len(backbones.LPIPS[network])


def test_what_cannot_be_opened_is_said_in_one_line(published, tmp_path, monkeypatch):
    network, path, weights = published
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    shapes, file = shapes_of(network), PUBLISHED[network].file

    def refused(*arguments):
        with pytest.raises(gm_jax.UserError) as error:
            open_backbone(network, shapes, *arguments)
        assert "\n" not in str(error.value) and "://" not in str(error.value)
        return str(error.value)

    missing = refused()
    assert f"needs {file} (sha256 {PUBLISHED[network].sha256[:8]}" in missing
    assert f"put it there, give its path, or set GM_JAX_{network.upper()}" in missing
    assert str(tmp_path / "gm_jax" / file) in missing
    assert "not " + network + "'s known weights" in refused(str(path))
    assert "as stated" in refused(str(path), "0" * 64)
    first = next(iter(weights))
    wrong = {k: v for k, v in weights.items() if k != first} | {"more": np.ones(1, np.float32)}
    other = torch_files.write(tmp_path / "other.pth", wrong)
    message = refused(str(other), hash_of(other))
    assert f"1 missing ({first}); 1 unexpected (more)" in message
    (tmp_path / "gm_jax").mkdir()
    (tmp_path / "gm_jax" / file).write_bytes(path.read_bytes())  # Found, and known to be another.
    assert "known weights" in refused()


def test_settings_that_cannot_be_meant():
    def refused(**changed):
        settings = load_config("configs/lpips.py:random")
        settings.update(changed)
        with pytest.raises(gm_jax.UserError) as error:
            gm_jax.build(settings)
        return str(error.value)

    assert "vgg16 has no layer relu9_1: it has conv1_1" in refused(
        layers=("relu9_1",), distance="plain"
    )
    assert "LPIPS does not know vgg19" in refused(network="vgg19", distance="plain")
    assert "set distance=plain" in refused(layers=("relu1_1",))
    assert "importance weighs the 1 layers" in refused(
        layers=("relu1_1",), distance="absolute", importance=(1.0, 2.0)
    )
    assert "LPIPS is of maxima and zeros" in refused(pool="average")
    assert "LPIPS's heads are of all channels" in refused(narrow=2)
    assert "narrow is of networks with weights=random" in refused(
        narrow=2, weights="", distance="plain"
    )
    assert "is not trained" in refused(steps=1)


def test_images_that_are_too_small_are_refused():
    (phase,) = gm_jax.build(load_config("configs/lpips.py:random"))
    variables, features = jax.eval_shape(phase.model.init, KEY, {}, None), "features"
    small = {"image": jnp.zeros((1, 8, 8, 1))}
    with pytest.raises(gm_jax.UserError, match="8x8 are too small: .* at layer pool4_1"):
        jax.eval_shape(phase.model.functions[features], variables, small, KEY)


RANDOM = START | {
    "system": "backbone", "weights": "random", "distance": "plain", "data": {"name": "none"},
    "layers": ("relu1_1", "relu2_2"), "seed": 3,
}  # fmt: skip
NAME = "plain_random_vgg16_3"


def with_features(stage, **overrides):
    settings = config_of_game(
        "first_stage", None,
        **{**QUIET, "report.every": 1, "checkpoint.every": 2, "batch_size": 8, **overrides},
    )  # fmt: skip
    with settings.unlocked():
        settings.perceptual = 0.5
        settings.stages = recipe("", dict(system="first_stage", steps=1, batch_size=1, stages=dict(
            features=stage
        ))).stages  # fmt: skip
    return settings


@pytest.mark.slow
def test_a_first_stage_is_held_to_it_and_says_whose_features_they_are(tmp_path):
    settings = with_features(RANDOM, steps=2)
    trained = gm_jax.train(settings, tmp_path / "run", ONE)
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").open()]
    assert all(f"autoencoder/autoencoder/{NAME}" in line for line in lines)
    # It is read anew, by the same seed, and stays as it was.
    again = gm_jax.load(tmp_path / "run", devices=ONE)
    jax.tree.map(np.testing.assert_array_equal, again.variables, trained.variables)
    outputs = gm_jax.sample(trained, 4, "distortion")
    pairs = gm_jax.sample(trained, 4, "reconstruct")["image"] / 127.5 - 1.0
    frozen = trained.variables.frozen["features"]
    stage = trained.phase.stages["features"].model.functions["distance"]
    expected = stage(frozen, {"image": pairs[:, 0], "image_b": pairs[:, 1]}, KEY)[NAME]
    np.testing.assert_allclose(outputs[NAME], expected, rtol=0.1)
    assert set(frozen.params["backbone"]) == {f"features_{n}" for n in (0, 2, 5, 7)}


@pytest.mark.slow
def test_the_loss_is_the_absolute_error_and_the_distance_of_features():
    """L_rec = sum (|x - x'| + w d): by the metrics that it reports."""
    values = {}
    for weight in (0.0, 0.5):
        settings = with_features(RANDOM)
        settings.perceptual = weight
        phase, batches, variables = opening(settings, ONE)
        batch = jax.jit(batches.prepare)(batches.first, KEY)
        objective = phase.model.players[0].moves[0].objective
        _, aux = jax.jit(objective)(variables, batch, KEY, 0)
        values[weight] = aux.metrics
    size = batch["image"][0].size
    with_it, without = values[0.5], values[0.0]
    added = 0.5 * size * with_it[NAME]
    np.testing.assert_allclose(
        with_it["reconstruction"], without["reconstruction"] + added, rtol=1e-5
    )
    assert added > 0 and NAME not in without


def test_a_stage_without_a_distance_is_refused():
    own = dict(system="vae", steps=1, batch_size=1, data=dict(name="digits"))
    with pytest.raises(gm_jax.UserError, match="no distance of images .* take a backbone or a cl"):
        gm_jax.build(with_features(own))


def test_its_settings_are_readable():
    assert (
        read(Settings, load_config("configs/lpips.py:alexnet")).compared
        == (backbones.LPIPS["alexnet"])
    )
