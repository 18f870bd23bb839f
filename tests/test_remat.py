"""Blocks that are computed again in the backward pass: the same function, in less memory."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gm_jax
from gm_jax.adversarial.shared.networks import NETWORKS
from gm_jax.nn.dit import DiT
from gm_jax.nn.unet import UNet


def normal(*shape):
    return jnp.asarray(np.random.default_rng(len(shape)).normal(size=shape), jnp.float32)


def unet(remat):
    """As the U-Net of ADM, with dropout; every kind of block."""
    net = UNet(
        width=8, blocks=1, multipliers=(1, 2), attention=(8,), dropout=0.3, adaptive_norm=True,
        residual_resampling=True, remat=remat,
    )  # fmt: skip
    return net, (
        normal(4, 16, 16, 1),
        jnp.arange(4.0),
        None,
        jax.random.split(jax.random.key(0), 4),
    )


def reading_unet(remat):
    """As that of Stable Diffusion."""
    net = UNet(
        width=8, blocks=1, multipliers=(1, 2), attention=(), attention_levels=(0, 1),
        heads=(2,), transformer_blocks=1, symmetric=True, groups=4, remat=remat,
    )  # fmt: skip
    return net, (normal(4, 16, 16, 4), jnp.arange(4.0), None, None, normal(4, 5, 8))


def dit(remat):
    net = DiT(patch=2, width=16, layers=4, heads=2, classes=3, remat=remat)
    return net, (normal(4, 16, 16, 1), jnp.arange(4.0), jnp.array([0, 1, 2, 3]))


def generator(remat):
    net = NETWORKS["biggan_deep"].generator((16, 16, 1), 4, jnp.float32, remat=remat)
    return net, (normal(4, 15), jnp.eye(4), True)


def discriminator(remat):
    net = NETWORKS["biggan"].discriminator(4, 1, "spectral", jnp.float32, remat=remat)
    return net, (normal(4, 16, 16, 1), jnp.eye(4), True)


SLOW = [
    pytest.param(f, marks=pytest.mark.slow) for f in (unet, reading_unet, generator, discriminator)
]


@pytest.mark.parametrize("network", [dit, *SLOW])
def test_blocks_computed_again_are_the_same_function_in_less_memory(network):
    """Outputs, new state and gradients; the parameters have the same names."""
    (plain, inputs), (again, _) = network(False), network(True)
    arrays = [x for x in inputs if x is not True]
    mode = [x for x in inputs if x is True]
    key, results, memory = jax.random.key(1), [], []
    first = jax.jit(lambda *a: plain.init(key, *a, *mode))(*arrays)
    second = jax.eval_shape(lambda *a: again.init(key, *a, *mode), *arrays)
    assert jax.tree.map(jnp.shape, first) == jax.tree.map(lambda x: x.shape, second)
    moved = jax.tree.map(lambda x: x + 0.1 * normal(*x.shape) if x.ndim else x + 0.3, first)
    state = {k: v for k, v in first.items() if k != "params"}
    for net in (plain, again):

        def loss(params, *arrays, net=net):
            variables = {"params": params, **state}
            out, new = net.apply(variables, *arrays, *mode, mutable=list(state))
            return jnp.mean(out**2), (out, new)

        program = jax.jit(jax.value_and_grad(loss, has_aux=True))
        compiled = program.lower(moved["params"], *arrays).compile()
        results.append(compiled(moved["params"], *arrays))
        memory.append(compiled.memory_analysis().temp_size_in_bytes)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-4, atol=1e-5), *results)
    norms = [np.linalg.norm(g) for g in jax.tree.leaves(results[0][1])]
    assert np.median(norms) > 1e-3
    assert memory[1] < 0.8 * memory[0], memory


def test_blocks_of_networks_without_any_are_refused():
    config = gm_jax.load_config("configs/gan_digits.py:smoke")
    config.remat = True
    with pytest.raises(gm_jax.UserError, match="remat needs residual networks, .*biggan, .*not dc"):
        gm_jax.build(config)
