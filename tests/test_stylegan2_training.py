"""StyleGAN2's objectives and steps: the authors' losses, gradients and parameters."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from stylegan2_golden import description, golden, needs_golden, uniform, weights

from gm_jax import replicas
from gm_jax.adversarial.shared.styles import repeated
from gm_jax.adversarial.stylegan2 import networks
from gm_jax.adversarial.stylegan2.settings import Settings
from gm_jax.adversarial.stylegan2.system import Game
from gm_jax.losses.adversarial import log_loss, non_saturating
from gm_jax.losses.penalties import path_lengths, path_penalty, zero_centred
from gm_jax.model import Variables
from gm_jax.optimizers import adam, by_images, optimizer, rescaled
from gm_jax.settings import read
from gm_jax.weights.assigning import assign, export
from gm_jax.weights.stored import of_array
from gm_jax.weights.stylegan2 import table

WIDTHS = dict(base=160, most=20)
SETTINGS = dict(
    system="stylegan2", steps=1, batch_size=8, dtype="float64",
    generator=dict(latents=12, styles=14, mapping=3, **WIDTHS), discriminator=WIDTHS,
)  # fmt: skip


@pytest.fixture(autouse=True)
def double():
    with jax.enable_x64(True):
        yield


@functools.cache
def opened():
    """Our networks with the golden weights, their tables, and the constant noise."""
    nets = networks.make(read(Settings, SETTINGS), (16, 16, 3), 0)
    shapes = jax.eval_shape(functools.partial(networks.init, nets), jax.random.key(0)).params
    tensors = weights("g_skip", "generators"), weights("d_resnet", "discriminators")
    prefixes = {"mapping": "mapping.", "synthesis": "synthesis.", "discriminator": ""}
    params, tables = {}, {}
    for name, prefix in prefixes.items():
        own = tensors[name == "discriminator"]
        stored = {n: of_array(x) for n, x in own.items() if n.startswith(prefix)}
        tables[name] = table(shapes[name], prefix)
        ignored = (".*noise_const", "mapping.w_avg")
        params[name] = assign(tables[name], stored, shapes[name], name, ignored, np.float64)
    noise = [x[None, :, :, None] for n, x in tensors[0].items() if n.endswith("noise_const")]
    return nets, params, tables, noise


def generated(params, z):
    """Images of z with the constant noise, and their styles."""
    nets, _, _, noise = opened()
    styles = repeated(nets, nets.mapping(Variables(params), z))
    return nets.synthesis(Variables(params), styles, noise), styles


def judged(params, x):
    return opened()[0].discriminator(Variables(params), x)


def generator_loss(params):
    images, _ = generated(params, golden("in/z_train"))
    return jnp.mean(non_saturating(judged(params, images)))


def path_loss(params, before):
    """(4 times the weighted penalty, (penalties, lengths, mean)) of half the latents."""
    nets, _, _, noise = opened()
    styles = repeated(nets, nets.mapping(Variables(params), golden("in/z_train")[:4]))

    def generate(styles):
        return nets.synthesis(Variables(params), styles, noise)

    lengths = path_lengths(generate, styles, golden("in/path_noise") / 16)
    penalty, mean = path_penalty(lengths, before)
    return 4 * 2.0 * jnp.mean(penalty), (2.0 * penalty, lengths, mean)


def discriminator_loss(params):
    images, _ = generated(params, golden("in/z_train"))
    return jnp.mean(log_loss(judged(params, golden("in/image")), judged(params, images)))


def r1_loss(params):
    penalty = zero_centred(functools.partial(judged, params), golden("in/image"))
    penalty = penalty * description()["training"]["r1_gamma"]
    return 16 * jnp.mean(penalty), penalty


def check(tree, owned, name, tolerance=1e-9):
    """Compares parameters or gradients with the golden checks, by the authors' names."""
    _, _, tables, _ = opened()
    expected = description()["training"][name]
    seen = 0
    for part in owned:
        for own, values in export(tables[part], tree[part]).items():
            found = np.sum(values * uniform(f"check/{own}", values.shape, "gm-a"))
            scale = max(abs(expected[own]), np.abs(values).sum() * 1e-3, 1e-12)
            assert abs(found - expected[own]) < tolerance * scale, own
            seen += 1
    assert seen == len(expected)


G, D = ("mapping", "synthesis"), ("discriminator",)
GENERATOR = jax.jit(jax.value_and_grad(generator_loss))
PATH = jax.jit(jax.value_and_grad(path_loss, has_aux=True))
DISCRIMINATOR = jax.jit(jax.value_and_grad(discriminator_loss))
R1 = jax.jit(jax.value_and_grad(r1_loss, has_aux=True))


@needs_golden
def test_the_losses_and_their_gradients():
    _, params, _, _ = opened()
    facts = description()["training"]
    value, slope = GENERATOR(params)
    np.testing.assert_allclose(value, facts["g_main"], rtol=1e-10)
    check(slope, G, "g_main_gradient")
    value, slope = DISCRIMINATOR(params)
    np.testing.assert_allclose(value, facts["d_main"], rtol=1e-10)
    check(slope, D, "d_main_gradient")


@needs_golden
def test_the_path_length_and_its_gradient():
    """The running mean moves before it is used, and its slope counts."""
    _, params, _, _ = opened()
    facts = description()["training"]
    (_, (penalty, lengths, mean)), slope = PATH(params, facts["path_mean_before"])
    np.testing.assert_allclose(lengths, golden("training/path_lengths"), rtol=1e-9)
    np.testing.assert_allclose(penalty, golden("training/path_penalty_weighted"), rtol=1e-9)
    np.testing.assert_allclose(mean, facts["path_mean_after"], rtol=1e-10)
    check(slope, G, "path_gradient")


@needs_golden
def test_r1_and_its_gradient():
    _, params, _, _ = opened()
    (_, penalty), slope = R1(params)
    np.testing.assert_allclose(penalty, golden("training/r1_penalty_weighted"), rtol=1e-9)
    check(slope, D, "r1_gradient")


@pytest.mark.slow
@needs_golden
def test_the_parameters_after_two_rounds():
    """Every parameter takes part in every step, with gradient 0 if a move does not reach it."""
    _, params, _, _ = opened()
    facts = description()["training"]
    own = adam(facts["learning_rate"], b1=0.0, b2=0.99)
    tools = {owned: optimizer(rescaled(own, k / (k + 1))) for owned, k in ((G, 4), (D, 16))}
    states = {owned: tools[owned].init({n: params[n] for n in owned}) for owned in tools}
    check(params, G, "generator_before")

    def step(params, owned, loss, *inputs):
        _, slopes = loss(params, *inputs)
        mine, theirs = ({n: tree[n] for n in owned} for tree in (params, slopes))
        updates, states[owned] = tools[owned].update(theirs, states[owned], mine)
        return {**params, **optax.apply_updates(mine, updates)}

    for lazy in (True, False):
        params = step(params, G, GENERATOR)
        params = step(params, G, PATH, 0.0) if lazy else params
        params = step(params, D, DISCRIMINATOR)
        params = step(params, D, R1) if lazy else params
    check(params, G, "generator_after_two_rounds")
    check(params, D, "discriminator_after_two_rounds")
    images, _ = jax.jit(generated)(params, golden("in/z_train")[:2])
    np.testing.assert_allclose(images, golden("training/image_after_two_rounds"), atol=1e-8)


def test_a_linear_generator_has_the_length_of_its_transpose():
    """Of a synthesis that uses one of several styles: |A^T y| / sqrt(layers)."""
    a, y = jax.random.normal(jax.random.key(0), (6, 3)), jnp.ones((2, 6))
    lengths = path_lengths(lambda styles: styles[:, 1] @ a.T, jnp.ones((2, 4, 3)), y)
    np.testing.assert_allclose(lengths, jnp.linalg.norm(y @ a, axis=-1) / 2.0, rtol=1e-10)


def test_path_lengths_have_a_finite_slope_at_0():
    def loss(scale):
        lengths = path_lengths(lambda s: scale * s[:, 0], jnp.ones((2, 3, 4)), jnp.ones((2, 4)))
        return jnp.sum(path_penalty(lengths, 0.0)[0])

    assert jnp.isfinite(jax.grad(loss)(0.0))


def test_the_state_is_of_the_global_batch():
    """The averages of w and of the path lengths, on two devices as on one."""
    small = dict(base=32, most=2)
    settings = read(Settings, SETTINGS | dict(generator=small, discriminator=small))
    nets = networks.make(settings, (8, 8, 1), 0)
    mapping = nets.mapping.module.init(jax.random.key(0), jnp.zeros((1, nets.latents)))["params"]
    variables = Variables({"mapping": mapping}, {"w_average": jnp.zeros(nets.styles)})

    def averages(index):
        batch = {"index": index}
        _, state = Game(settings, nets).styles(variables, batch, jax.random.key(1))
        _, mean = path_penalty(index.astype(float), 0.0)
        return state["w_average"], mean

    whole = averages(jnp.arange(4))
    for row in (0, 1):
        split = jax.pmap(averages, axis_name=replicas.NAME)(jnp.arange(4).reshape(2, 2))
        jax.tree.map(
            lambda a, b, row=row: np.testing.assert_allclose(a, b[row], rtol=1e-6), whole, split
        )


def test_adam_is_rescaled_for_the_steps_of_a_lazy_regulariser():
    own = rescaled(adam(2e-3, b1=0.0, b2=0.99), 16 / 17)
    assert own.learning_rate == 2e-3 * 16 / 17
    assert own.arguments == dict(b1=0.0, b2=0.99 ** (16 / 17))
    assert rescaled(adam(1e-3), 0.8).arguments == dict(b1=0.9**0.8, b2=0.999**0.8)


def test_an_average_by_images_forgets_half_in_its_half_life():
    decay = by_images(1000.0, None, 100)
    np.testing.assert_allclose(decay(7) ** 10, 0.5, rtol=1e-12)
    ramp = by_images(1000.0, 0.05, 100)
    assert ramp(0) < 1e-10  # Nothing seen: the average is the parameters.
    np.testing.assert_allclose(ramp(20), 0.5 ** (100 / (0.05 * 2000)), rtol=1e-6)
    np.testing.assert_allclose(ramp(10**6), decay(0), rtol=1e-6)
