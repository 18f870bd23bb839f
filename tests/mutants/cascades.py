"""Mistakes in conditioning on a small image, and in guidance by a classifier."""

from mutants import Mutant

LOW, SYSTEM, GUIDANCE = "shared/low_resolution.py", "super_resolution.py", "shared/guidance.py"
LOSS = "twins/test_super_resolution.py::test_the_loss_and_what_the_network_is_told"
LEVELS = (
    "twins/test_super_resolution.py::"
    "test_levels_of_augmentation_are_drawn_by_themselves_up_to_the_largest"
)
CASCADE = "twins/test_super_resolution.py::test_a_cascade[0.5]"
GUIDED = "twins/test_classifier.py::test_samples_are_guided_towards_their_labels"
POSTERIOR = (
    "test_guided_models.py::"
    "test_the_posterior_of_the_class_turns_the_unconditional_model_into_the_conditional[dpmpp_2m]"
)
LATE = "test_late_stages.py::test_"

CASCADES = {
    "cascade: the small image noised to another level than is told": Mutant(
        LOW, "jnp.asarray(c, small.dtype)[s] for c", "jnp.asarray(c, small.dtype)[s + 1] for c",
        LOSS,
    ),
    "cascade: the level of augmentation not told": Mutant(
        SYSTEM, 'batch["level"].astype(level.dtype)]', 'jnp.zeros_like(level)]', LOSS
    ),
    "cascade: the level of augmentation told in place of the time": Mutant(
        SYSTEM, 'jnp.stack([level, batch["level"]', 'jnp.stack([batch["level"], batch["level"]',
        LOSS,
    ),
    "cascade: another filter than data.size's": Mutant(
        "nn/upsampling.py", '(image.shape[0], *shape), "cubic")',
        '(image.shape[0], *shape), "linear")',
        f"{LATE}the_small_image_is_what_data_size_makes_of_it",
    ),
    "cascade: no noise on the small image in sampling": Mutant(
        SYSTEM, "jnp.full(len(level_keys), chosen_level)", "jnp.zeros(len(level_keys), int)",
        CASCADE,
    ),
    "cascade: levels of sampling in training": Mutant(
        SYSTEM, "augmentation.draw(level_keys) if training", "augmentation.draw(level_keys) if 0",
        LEVELS,
    ),
    "cascade: the small image of the data in place of the base's": Mutant(
        SYSTEM, 'image_low=drawn["image"], **labels', "**labels", CASCADE
    ),
    "two levels of which one is embedded": Mutant(
        "nn/unet.py", "sum(map(embed, one_by_one(level)))", "embed(one_by_one(level)[0])",
        "test_denoiser_parts.py::test_each_of_several_levels_is_told[unet]",
    ),
    "a classifier that sees x0_hat at time 0": Mutant(
        GUIDANCE, "jnp.sum(log_prob(x, at)))(x)",
        "jnp.sum(log_prob(x, at._replace(time=0 * at.time))))(jax.tree.leaves(found)[0])",
        GUIDED,
    ),
    "a classifier told time 0": Mutant(
        "shared/classifiers.py", "jnp.broadcast_to(at.time, x.shape[:1])",
        "jnp.zeros(x.shape[:1])", GUIDED,
    ),
    "a model guided by another time's posterior": Mutant(
        GUIDANCE, "jax.grad(lambda x: jnp.sum(log_prob(x, at)))(x)",
        "jax.grad(lambda x: jnp.sum(log_prob(x, at._replace(sigma=0.5 * at.sigma))))(x)", POSTERIOR,
    ),
    "a stage that only sampling reads, held to be what training began with": Mutant(
        "training/state.py", "for name, stage in phase.stages.items() if not stage.late",
        "for name, stage in phase.stages.items()",
        f"{LATE}training_goes_on_bitwise_as_without_the_stage",
    ),
}  # fmt: skip
