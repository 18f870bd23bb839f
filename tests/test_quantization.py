"""Quantisers against brute force, NumPy twins and what their papers promise."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from gm_jax import replicas
from gm_jax.autoencoders.shared import quantizers
from gm_jax.autoencoders.shared.quantizers import Memory
from gm_jax.losses import quantization
from gm_jax.nn.layers import gumbel

KEY = jax.random.key(0)
CODES = jax.random.normal(jax.random.key(1), (7, 3))
Z = 2.0 * jax.random.normal(jax.random.key(2), (4, 2, 5, 3))


def test_the_nearest_code_is_found_and_its_losses_are_sums_over_positions():
    quantized = quantization.quantize(CODES, Z)
    distance = np.sum((np.asarray(Z, float)[..., None, :] - np.asarray(CODES, float)) ** 2, -1)
    np.testing.assert_array_equal(quantized.indices, distance.argmin(-1))
    np.testing.assert_allclose(quantized.code, CODES[quantized.indices], atol=1e-6)
    for loss in quantized.losses.values():
        np.testing.assert_allclose(loss, distance.min(-1).sum((1, 2)), rtol=1e-5)


def test_gradients_pass_straight_through_to_z_and_not_to_the_codes():
    weights = jax.random.normal(KEY, Z.shape)
    to_codes, to_z = jax.grad(
        lambda codes, z: jnp.sum(weights * quantization.quantize(codes, z).code), (0, 1)
    )(CODES, Z)
    np.testing.assert_array_equal(to_codes, 0.0)
    np.testing.assert_array_equal(to_z, weights)


def test_beta_weighs_the_commitment_and_not_the_codebook():
    """van den Oord et al. 2017, eq. 3. With beta on the other term both gradients differ."""
    quantizer = quantizers.learned(7, 3, beta=0.25)

    def loss(codes, z):
        return jnp.sum(quantizer.quantize({"vectors": codes}, {}, z)[1])

    to_codes, to_z = jax.grad(loss, (0, 1))(CODES, Z)
    indices = np.asarray(quantization.quantize(CODES, Z).indices)
    difference = np.asarray(Z) - np.asarray(CODES)[indices]
    np.testing.assert_allclose(to_z, 2 * 0.25 * difference, rtol=1e-5)
    expected = np.zeros((7, 3))
    np.add.at(expected, indices.reshape(-1), -2.0 * difference.reshape(-1, 3))
    np.testing.assert_allclose(to_codes, expected, rtol=1e-4, atol=1e-5)
    averaged = quantizers.averaged(7, 3, beta=0.25)
    memory = quantizers.remember(CODES)._asdict()
    to_z = jax.grad(lambda z: jnp.sum(averaged.quantize({}, memory, z)[1]))(Z)
    np.testing.assert_allclose(to_z, 2 * 0.25 * difference, rtol=1e-5)


def numpy_update(vectors, counts, sums, z, indices, decay, epsilon):
    """van den Oord et al. 2017, eq. 6 to 8, with the smoothing of a temporary."""
    number = np.bincount(indices, minlength=len(counts))
    total = np.zeros_like(sums)
    np.add.at(total, indices, z)
    counts = decay * counts + (1 - decay) * number
    sums = decay * sums + (1 - decay) * total
    smoothed = (counts + epsilon) / (counts.sum() + len(counts) * epsilon) * counts.sum()
    return sums / smoothed[:, None], counts, sums


@pytest.mark.slow
def test_the_moving_average_against_a_float64_twin():
    memory, twin = quantizers.remember(CODES), (CODES, np.ones(7), CODES)
    twin = tuple(np.asarray(x, np.float64) for x in twin)
    for number in range(4):
        z = jax.random.normal(jax.random.fold_in(KEY, number), (6, 5, 3)) + 0.5
        indices = quantization.quantize(memory.vectors, z).indices
        memory, revived = quantizers.ema_update(memory, z, indices, KEY, 0.8, 0.1)
        flat = np.asarray(z, np.float64).reshape(-1, 3)
        twin = numpy_update(*twin, flat, np.asarray(indices).reshape(-1), 0.8, 0.1)
        for ours, theirs in zip(memory, twin, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
        assert revived == 0.0


def test_a_code_that_is_never_chosen_stays_where_it_is():
    """Counts begin at 1 and sums at the codes: from zeros, it would be thrown to the origin."""
    memory, z = quantizers.remember(CODES), jnp.broadcast_to(CODES[0], (50, 3))
    for _ in range(20):
        memory, _ = quantizers.ema_update(memory, z, jnp.zeros(50, jnp.int32), KEY)
    np.testing.assert_allclose(memory.vectors, CODES, rtol=1e-3)


def test_a_dead_code_restarts_at_a_vector_of_the_batch_and_stays_there():
    memory = quantizers.remember(CODES)._replace(counts=jnp.full(7, 0.3), sums=0.3 * CODES)
    z = 5.0 + jax.random.normal(KEY, (50, 3))
    indices = quantization.quantize(memory.vectors, z).indices
    memory, revived = quantizers.ema_update(memory, z, indices, KEY, revive_below=0.298)
    distance = np.abs(np.asarray(memory.vectors)[:, None] - np.asarray(z)).max(-1).min(-1)
    dead = distance == 0.0
    assert dead.sum() == revived and 0 < revived < 7
    np.testing.assert_array_equal(dead, np.bincount(indices, minlength=7) == 0)
    np.testing.assert_array_equal(memory.counts[dead], 1.0)
    np.testing.assert_array_equal(memory.sums[dead], memory.vectors[dead])
    assert len(np.unique(memory.vectors[dead], axis=0)) > 1
    # Never chosen in the next batch, they stay where they are, and are not revived again.
    after, _ = quantizers.ema_update(memory, z, jnp.full(50, np.argmin(dead)), KEY)
    np.testing.assert_allclose(after.vectors[dead], memory.vectors[dead], rtol=1e-3)


def test_counts_and_sums_are_those_of_all_devices():
    memory, z = quantizers.remember(CODES), jax.random.normal(KEY, (8, 5, 3))
    indices = quantization.quantize(CODES, z).indices

    def update(memory, z, indices):
        return quantizers.ema_update(memory, z, indices, KEY, 0.5, 1e-5, revive_below=3.0)

    whole, revived = update(memory, z, indices)
    mesh = Mesh(np.array(jax.devices()), (replicas.NAME,))
    spread = jax.shard_map(
        update, mesh=mesh, in_specs=(P(), P(replicas.NAME), P(replicas.NAME)), out_specs=P(),
        check_vma=False,
    )  # fmt: skip
    parts, revived_parts = jax.jit(spread)(memory, z, indices)
    assert revived == revived_parts > 0
    for a, b in zip(whole, parts, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_gumbel_draws_are_exact_and_cool_to_one_code():
    logits = jnp.array([0.5, -1.0, 2.0, 0.0])
    many = jnp.broadcast_to(logits, (20_000, 1, 4))
    keys = jax.random.split(KEY, len(many))
    codes = CODES[:4]
    noise = gumbel(keys, many.shape[1:])
    cold = quantization.gumbel_softmax(codes, many, noise, 1e-4)
    frequency = quantization.usage(cold.indices, 4)
    np.testing.assert_allclose(frequency, jax.nn.softmax(logits), atol=0.015)
    settled = np.isclose(cold.code, codes[cold.indices], atol=1e-3).all(-1)
    assert settled.mean() > 0.999
    warm = quantization.gumbel_softmax(codes, many[:50], noise[:50], 1.0)
    assert not np.allclose(warm.code, codes[warm.indices], atol=0.05)
    p = np.asarray(jax.nn.softmax(logits), float)
    np.testing.assert_allclose(cold.losses["kl"], np.sum(p * np.log(4 * p)), rtol=1e-4)

    def total(codes, logits):
        return jnp.sum(quantization.gumbel_softmax(codes, logits, noise[:50], 1.0).code)

    for gradient in jax.grad(total, (0, 1))(codes, many[:50]):
        assert np.all(np.abs(gradient).sum(-1) > 0)


def test_lookup_free_codes_are_signs_and_indices_their_bits():
    quantized = quantization.lookup_free(Z)
    np.testing.assert_array_equal(np.abs(quantized.code), 1.0)
    np.testing.assert_array_equal(quantization.signs(quantized.indices, 3), quantized.code)
    np.testing.assert_array_equal(
        quantization.lookup_free(quantization.signs(jnp.arange(8), 3)).indices, np.arange(8)
    )
    gradient = jax.grad(lambda z: jnp.sum(quantization.lookup_free(z).code ** 2 / 2))(Z)
    np.testing.assert_array_equal(gradient, quantized.code)
    expected = np.sum((np.abs(Z) - 1.0) ** 2, axis=(1, 2, 3))
    np.testing.assert_allclose(quantized.losses["commitment"], expected, rtol=1e-5)


@pytest.mark.slow
def test_entropies_are_those_of_the_positions_and_of_all_together():
    logits = jax.random.normal(KEY, (4, 5, 8))

    def marginal_entropy(logits):
        q = jax.nn.softmax(logits).mean((0, 1))
        return -jnp.sum(q * jnp.log(q))

    def ours(logits):
        log_q = jax.nn.log_softmax(logits)
        return quantization.entropies(log_q, jnp.exp(log_q).mean((0, 1)))[1].sum() / 20

    np.testing.assert_allclose(ours(logits), marginal_entropy(logits), rtol=1e-5)
    np.testing.assert_allclose(
        jax.grad(ours)(logits), jax.grad(marginal_entropy)(logits), atol=1e-6
    )
    log_q = jax.nn.log_softmax(logits)
    unsure, _ = quantization.entropies(log_q, jnp.full(8, 1 / 8))
    np.testing.assert_allclose(unsure, -(np.exp(log_q) * log_q).sum((1, 2)), rtol=1e-5)


def test_perplexity_counts_the_codes_in_equal_use():
    np.testing.assert_allclose(quantization.perplexity(jnp.array([0.0, 1.0, 0.0])), 1.0)
    frequencies = quantization.usage(jnp.array([[0, 1], [1, 3], [3, 0]]), 5)
    np.testing.assert_allclose(quantization.perplexity(frequencies), 3.0, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", quantizers.QUANTIZERS)
def test_every_quantizer_looks_up_the_code_it_gave(name):
    quantizer = quantizers.make(quantizers.Settings(name=name, count=8, width=3))
    learned, carried = quantizer.init(KEY)
    quantized, loss = quantizer.quantize(learned, carried, Z)
    found = quantizer.look_up(learned, carried, quantized.indices)
    np.testing.assert_allclose(found, quantized.code, atol=1e-5)
    assert loss.shape == (4,) and quantized.indices.max() < quantizer.count
    _, metrics = quantizer.update(carried, Z, quantized.indices, KEY)
    used = len(np.unique(quantized.indices))
    assert metrics["unused_codes"] == quantizer.count - used and metrics["perplexity"] <= used


def test_a_memory_is_saved_as_a_dictionary():
    assert set(quantizers.averaged(4, 2).init(KEY)[1]) == set(Memory._fields)
