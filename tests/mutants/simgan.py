"""Mistakes in SimGAN. Traps are of public ports."""

from mutants import Mutant

SIMGAN, NETWORKS, POOLS = "translation/simgan.py", "shared/refiner.py", "gm_jax/pools.py"
TESTS, TWINS = "test_simgan.py::test_", "twins/test_simgan.py::test_"
PARAMETERS = TESTS + "the_published_networks_have_the_papers_layers"
REFINER, PHASES = TWINS + "the_refiners_loss", TWINS + "each_player_first_learns_alone"
JUDGING = TWINS + "the_discriminators_loss_and_the_history"
HALF = TESTS + "half_of_what_a_history_shows_is_old_and_half_a_batch_of_it_is_replaced"
ALIKE = TESTS + "a_history_is_the_same_on_one_and_eight_devices"

SIMGANS = {
    "simgan trap: the history stays empty": Mutant(
        POOLS,
        'return shown, {"kept": kept, "filled": jnp.minimum(filled + given, size)}',
        "return shown, pool",
        JUDGING,
    ),
    "simgan trap: the mean over patches with a summed L1": Mutant(
        SIMGAN,
        "realism = jnp.mean(sum_over_example(value.generator(*logits)))",
        "realism = jnp.mean(value.generator(*logits))",
        REFINER,
    ),
    "simgan: the mean over pixels of the change": Mutant(
        SIMGAN,
        "sum_over_example(jnp.abs(refined - x))",
        "jnp.mean(jnp.abs(refined - x), axis=(1, 2, 3))",
        REFINER,
    ),
    "simgan: pixels where features are given": Mutant(
        SIMGAN, "if distances is None:", "if True:", TWINS + "the_refiners_loss_of_features"
    ),
    "simgan: squares for L1": Mutant(SIMGAN, "jnp.abs(refined - x)", "(refined - x) ** 2", REFINER),
    "simgan trap: no negative logits": Mutant(
        NETWORKS,
        "return outputs[..., 1] - outputs[..., 0]",
        "return nn.relu(outputs[..., 1]) - nn.relu(outputs[..., 0])",
        TESTS + "a_logit_is_the_difference_of_two_outputs",
    ),
    "simgan: D's loss a mean over patches": Mutant(
        SIMGAN,
        "jnp.mean(sum_over_example(value.discriminator(real, fake)))",
        "jnp.mean(value.discriminator(real, fake))",
        JUDGING,
    ),
    "simgan: real and refined exchanged": Mutant(
        SIMGAN, "value.discriminator(real, fake)", "value.discriminator(fake, real)", JUDGING
    ),
    "simgan: D sees new pictures alone": Mutant(
        SIMGAN,
        'for image in (batch["image_b"], shown))',
        'for image in (batch["image_b"], refined))',
        JUDGING,
    ),
    "simgan: all that is kept was shown as old": Mutant(
        POOLS, ".set(new[half:].astype", ".set(old.astype", HALF
    ),
    "simgan: a slot is replaced by its neighbours": Mutant(
        POOLS,
        "target = _slots(slot_key, filled, given, size)",
        "target = (filled + jnp.arange(given)) % size",
        HALF,
    ),
    "simgan: each device has a history of its own": Mutant(
        POOLS,
        "    new = replicas.gather(lax.stop_gradient(fakes))\n    half,",
        "    new = lax.stop_gradient(fakes)\n    half,",
        ALIKE,
    ),
    "simgan: one update of R in a round": Mutant(
        SIMGAN, "return lambda step: part.times", "return lambda step: 1", PHASES
    ),
    "simgan: the game begins anew": Mutant(
        SIMGAN,
        "params = fresh.params | (previous.params if previous else {})",
        "params = fresh.params",
        PHASES,
    ),
    "simgan: the history begins anew": Mutant(
        SIMGAN, "state=previous.state if previous else old", "state=old", PHASES
    ),
    "simgan: D from the first phase on": Mutant(
        SIMGAN, '{"regularization": regularization}', '{"value": refiner_loss}', PHASES
    ),
    "simgan: no ReLU after a block": Mutant(
        NETWORKS,
        "x = nn.relu(x + conv(nn.relu(conv(x))))",
        "x = x + conv(nn.relu(conv(x)))",
        TESTS + "a_refiner_can_leave_a_picture_as_it_is",
    ),
    "simgan: a maximum of two": Mutant(
        NETWORKS,
        "nn.max_pool(x, (3, 3)",
        "nn.max_pool(x, (2, 2)",
        TESTS + "a_logit_sees_exactly_23_pixels",
    ),
    "simgan: a layer too narrow": Mutant(
        NETWORKS, "conv(x, 2 * self.width // 3, 3, 2)", "conv(x, self.width // 3, 3, 2)", PARAMETERS
    ),
}
