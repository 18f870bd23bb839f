"""Blocks that are computed again in the backward pass: the same function, in less memory."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gm_jax
from gm_jax.adversarial.shared.networks import pair_of
from gm_jax.nn.dit import DiT
from gm_jax.nn.unet import UNet


def normal(*shape):
    return jnp.asarray(np.random.default_rng(len(shape)).normal(size=shape), float)


def unet(remat, batch=4):
    """As the U-Net of ADM, with dropout; every kind of block."""
    net = UNet(
        width=8, blocks=1, multipliers=(1, 2), attention=(8,), dropout=0.3, adaptive_norm=True,
        residual_resampling=True, dtype=float, remat=remat,
    )  # fmt: skip
    keys = jax.random.split(jax.random.key(0), batch)
    return net, (normal(batch, 16, 16, 1), jnp.arange(1.0 * batch), None, keys)


def reading_unet(remat, batch=4):
    """As that of Stable Diffusion."""
    net = UNet(
        width=8, blocks=1, multipliers=(1, 2), attention=(), attention_levels=(0, 1),
        heads=(2,), transformer_blocks=1, symmetric=True, groups=4, dtype=float, remat=remat,
    )  # fmt: skip
    context = normal(batch, 5, 8)
    return net, (normal(batch, 16, 16, 4), jnp.arange(1.0 * batch), None, None, context)


def dit(remat, batch=4):
    net = DiT(patch=2, width=16, layers=4, heads=2, classes=3, dtype=float, remat=remat)
    return net, (normal(batch, 16, 16, 1), jnp.arange(1.0 * batch), jnp.arange(batch) % 4)


def generator(remat, batch=4):
    net = pair_of("biggan_deep", remat).generator((16, 16, 1), 4, float)
    return net, (normal(batch, 16), jnp.eye(4)[jnp.arange(batch) % 4])


def discriminator(remat, batch=4):
    net = pair_of("biggan", remat).discriminator(4, 1, "spectral", float)
    return net, (normal(batch, 16, 16, 1), jnp.eye(4)[jnp.arange(batch) % 4])


NETWORKS = (unet, reading_unet, dit, generator, discriminator)


def mode_of(net):
    return {} if isinstance(net, UNet | DiT) else {"train": True}


def variables_of(net, inputs):
    """Shapes of parameters and state."""
    shapes = jax.eval_shape(lambda *x: net.init(jax.random.key(1), *x, **mode_of(net)), *inputs)
    return shapes["params"], {k: v for k, v in shapes.items() if k != "params"}


def loss_of(net):
    """(params, state, inputs) -> (mean of the squared outputs, (outputs, new state))."""

    def loss(params, state, inputs):
        variables = {"params": params, **state}
        out = net.apply(variables, *inputs, **mode_of(net), mutable=list(state))
        return jnp.mean(out[0] ** 2), out

    return loss


def kept(net, inputs):
    """Bytes that the forward pass keeps for the backward pass, parameters included."""

    def backward(params, state, inputs):
        return jax.vjp(lambda p: loss_of(net)(p, state, inputs)[0], params)[1]

    shapes = jax.eval_shape(backward, *variables_of(net, inputs), inputs)
    leaves = [x for x in jax.tree.leaves(shapes) if jnp.issubdtype(x.dtype, jnp.number)]
    return sum(x.size * x.dtype.itemsize for x in leaves)


def slow_but(*quick):
    others = [f for f in NETWORKS if f not in quick]
    return [*quick, *(pytest.param(f, marks=pytest.mark.slow) for f in others)]


@pytest.mark.parametrize("network", slow_but(dit, discriminator))
def test_blocks_computed_again_keep_their_names_and_less_memory(network):
    """By shapes alone: XLA merges what is computed twice on a CPU, and memory does not fall."""
    (plain, inputs), (again, _) = network(False, batch=64), network(True, batch=64)
    first, second = variables_of(plain, inputs), variables_of(again, inputs)
    assert jax.tree.structure(first) == jax.tree.structure(second) and first == second
    assert kept(again, inputs) < 0.5 * kept(plain, inputs)


@pytest.mark.parametrize("network", slow_but(dit))
def test_blocks_computed_again_are_the_same_function(network):
    """Outputs, new state and gradients, in float64: in float32 the forms may round differently."""
    with jax.enable_x64(True):
        (plain, inputs), (again, _) = network(False), network(True)
        params, state = variables_of(plain, inputs)
        params = jax.tree.map(lambda x: 0.3 * normal(*x.shape), params)
        state = jax.tree.map(lambda x: 1.0 + 0.1 * jnp.abs(normal(*x.shape)), state)
        results = [
            jax.jit(jax.value_and_grad(loss_of(net), has_aux=True))(params, state, inputs)
            for net in (plain, again)
        ]
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7), *results)
    assert np.median([np.linalg.norm(g) for g in jax.tree.leaves(results[0][1])]) > 1e-3


def test_blocks_of_networks_without_any_are_refused():
    config = gm_jax.load_config("configs/gan_digits.py:smoke")
    config.remat = True
    with pytest.raises(gm_jax.UserError, match="remat needs residual networks, .*biggan, .*not dc"):
        gm_jax.build(config)
