"""ViT-VQGAN: its sizes, its codes on the sphere, and models that are built on it."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gm_jax
from gm_jax import games, run
from gm_jax.autoencoders.shared import quantizers
from gm_jax.data import open_source
from gm_jax.errors import UserError
from gm_jax.evaluation.shapes import judge
from gm_jax.nn.vit_autoencoder import ViTDecoder, ViTEncoder

KEY = jax.random.key(0)
RECIPE = "configs/vit_vqgan_shapes.py"


def count(shapes) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(shapes))


def test_the_sizes_of_published_networks():
    """Twelve blocks of 768 have 91 million parameters; `:published` has eight of 512."""
    image = jnp.zeros((1, 256, 256, 3))
    base = ViTEncoder(32, patch=8, width=768, layers=12, heads=12, hidden=3072)
    assert round(count(jax.eval_shape(base.init, KEY, image)) / 1e6) == 91
    published = gm_jax.load_config(f"{RECIPE}:published")
    own = published.network.to_dict()
    z = jnp.zeros((1, 32, 32, published.quantizer.width))
    sizes = [
        count(jax.eval_shape(module.init, KEY, x))
        for module, x in ((ViTEncoder(32, **own), image), (ViTDecoder(3, **own), z))
    ]
    width, hidden, blocks = own["width"], own["hidden"], own["layers"]
    block = 4 * (width + 1) * width + (width + 1) * hidden + (hidden + 1) * width + 4 * width
    inner = blocks * block + 1024 * width + 2 * width + 2 * width * hidden + hidden + width
    patch, code = 8 * 8 * 3, published.quantizer.width
    ends = [(patch + 1) * width + (width + 1) * code, (code + 1) * width + (width + 1) * patch]
    assert sizes == [inner + end for end in ends]
    assert (published.quantizer.count, code) == (8192, 32)


def test_each_vector_is_of_its_own_patch_and_of_all_others():
    """At first by attention alone: a change of one patch moves all, its own the most."""
    encoder = ViTEncoder(4, patch=2, width=16, layers=1, heads=2, hidden=16)
    x = jax.random.normal(KEY, (1, 4, 6, 3))
    params = encoder.init(KEY, x)
    moved = encoder.apply(params, x.at[0, 2:, 4:].add(1.0)) - encoder.apply(params, x)
    far = np.linalg.norm(moved[0], axis=-1)
    assert far.shape == (2, 3) and (far > 0.0).all()
    assert far.argmax() == 5


@pytest.mark.parametrize("name", ["averaged", "learned"])
def test_codes_on_the_sphere(name):
    """Lengths of vectors and codes mean nothing, of what is looked up they are 1."""
    settings = quantizers.Settings(name=name, count=16, width=3, normalised=True)
    quantizer = quantizers.make(settings)
    z = 0.2 * jax.random.normal(KEY, (4, 5, 3))
    learned, carried = quantizer.init(jax.random.key(1))
    state = (learned, carried)
    stretched = jax.tree.map(lambda v: v * jnp.linspace(0.1, 9.0, len(v))[:, None], learned)
    found, loss = quantizer.quantize(*state, z)
    for other in (quantizer.quantize(*state, 7.0 * z), quantizer.quantize(stretched, carried, z)):
        np.testing.assert_array_equal(other[0].indices, found.indices)
        np.testing.assert_allclose(other[1], loss, rtol=1e-4)
    np.testing.assert_allclose(jnp.linalg.norm(found.code, axis=-1), 1.0, rtol=1e-5)
    np.testing.assert_allclose(quantizer.look_up(*state, found.indices), found.code, atol=1e-6)


@pytest.mark.parametrize("name", ["averaged", "learned"])
def test_the_decoders_slope_reaches_the_encoder_along_the_sphere(name):
    """Straight through the code, then through z / |z|: (I - u u') g / |z|."""
    settings = quantizers.Settings(name=name, count=16, width=3, normalised=True)
    quantizer = quantizers.make(settings)
    state = quantizer.init(jax.random.key(1))
    z, g = 2.0 * jax.random.normal(KEY, (2, 6, 3))
    found = jax.grad(lambda z: jnp.sum(quantizer.quantize(*state, z)[0].code * g))(z)
    length = np.linalg.norm(z, axis=-1, keepdims=True)
    u = z / length
    along = (g - np.sum(u * g, -1, keepdims=True) * u) / length
    np.testing.assert_allclose(found, along, atol=1e-5)


def test_a_vector_at_the_centre_has_a_slope():
    quantizer = quantizers.make(quantizers.Settings(name="learned", normalised=True))
    state = quantizer.init(KEY)
    slope = jax.grad(lambda z: quantizer.quantize(*state, z)[1].sum())(jnp.zeros((1, 2, 16)))
    assert np.isfinite(slope).all()


@pytest.mark.slow
def test_the_distance_of_features_is_weighed_among_means(monkeypatch):
    def distances(stages):
        return lambda variables, x, y, key: {"far": jnp.mean(jnp.abs(x - y), axis=(1, 2, 3))}

    monkeypatch.setattr(games, "feature_distances", distances)
    settings = gm_jax.load_config(f"{RECIPE}:smoke")
    with settings.unlocked():
        settings.perceptual = 0.5
        settings.stages.features = gm_jax.load_config("configs/lpips.py:smoke")
    *_, (_, (phase,)) = run.plan(settings)
    batch = {"image": jax.random.uniform(KEY, (4, 32, 32, 3), minval=-1.0), "index": jnp.arange(4)}
    move = phase.model.players[0].moves[0].objective
    played = jax.jit(lambda batch: move(phase.model.init(KEY, batch, None), batch, KEY, 0))
    loss, aux = played(batch)
    found = {name.split("/")[-1]: value for name, value in aux.metrics.items()}
    np.testing.assert_allclose(found["far"], found["absolute"], rtol=1e-5)
    assert found["far"] > 0.1
    terms = found["quantization"] + found["squared"] + 0.1 * found["logit_laplace"]
    np.testing.assert_allclose(loss, terms + 0.5 * found["far"], rtol=1e-5)


@pytest.mark.slow
def test_sixteen_pictures_are_learned_by_heart(steps=1000):
    """A gate: others report ViT-VQGANs that cannot fit one image. Here the judge sees them all."""
    settings = gm_jax.load_config(RECIPE)
    with settings.unlocked():
        settings.optimizer.update(learning_rate=2e-3, warmup_steps=50, decay_steps=1500)
    (phase,) = gm_jax.build(settings)
    pictures = open_source(settings.data).load(np.arange(16))["image"]
    batch = {"image": jnp.float32(pictures) / 127.5 - 1.0, "index": jnp.arange(16)}
    player = phase.model.players[0]
    (move,) = player.moves

    def own(variables):
        return {name: variables.params[name] for name in player.owns}

    def along(variables, params):
        return variables._replace(params=variables.params | params)

    @jax.jit
    def moved(variables, state, number):
        def loss(params):
            key = jax.random.fold_in(KEY, number)
            return move.objective(along(variables, params), batch, key, number)

        slopes, aux = jax.grad(loss, has_aux=True)(own(variables))
        updates, state = player.optimizer.update(slopes, state, own(variables))
        variables = along(variables, optax.apply_updates(own(variables), updates))
        return variables._replace(state=variables.state | aux.state), state

    variables = phase.model.init(KEY, batch, None)
    state = player.optimizer.init(own(variables))
    for number in range(steps):
        variables, state = moved(variables, state, number)
    made = phase.model.functions["reconstruct"](variables, batch, KEY)["image"][:, 1]
    made = np.uint8(np.clip(np.round((made + 1.0) * 127.5), 0, 255))
    np.testing.assert_array_equal(judge(made), judge(pictures))


def test_parti_is_built_on_its_codes():
    settings = gm_jax.load_config("configs/parti_shapes.py:smoke")
    with settings.unlocked():
        settings.stages.codes = gm_jax.load_config(f"{RECIPE}:smoke")
    (_, first), (_, (last,)) = run.plan(settings)
    code = first[-1].model.spec["code"]
    assert code.shape == (8, 8) and code.cardinality == 8
    assert last.stages["codes"].model.spec["code"] == code


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"network.patch": 5}, "network.patch 5 does not divide the sides of 32x32 images"),
        ({"network.heads": 3}, "width 8 does not divide into heads 3"),
        ({"perceptual": 0.1}, "say which with stages.features"),
        ({"quantizer.name": "lookup_free"}, "signs are of one length: set normalised=False"),
    ],
)
def test_what_does_not_go_together_is_refused_in_one_line(changes, message):
    settings = gm_jax.load_config(f"{RECIPE}:smoke")
    with settings.unlocked():
        settings.update_from_flattened_dict(changes)
    with pytest.raises(UserError, match=message):
        gm_jax.build(settings)
