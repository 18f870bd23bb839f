"""Mistakes in the GAN of many names, and in what all its kin share. Traps are of public code."""

from mutants import Mutant

GAN, LOSSES = "adversarial/gan.py", "losses/adversarial.py"
PENALTIES, GAME = "losses/penalties.py", "shared/latent_game.py"
LATENTS, TRICKS = "shared/latents.py", "shared/tricks.py"


def _twins(names: str) -> str:
    return " ".join(f"twins/test_gan.py::test_{name}" for name in names.split())


def _traps(name: str) -> str:
    return f"test_adversarial_traps.py::test_{name}"


DRAWS_ANEW = _twins("a_generator_of_several_samples_draws_each_anew")
AVERAGES = (
    "twins/test_recipes.py::"
    "test_all_that_samples_come_from_has_the_average_that_is_asked_for"
)  # fmt: skip
PINNED = "twins/test_recipes.py::test_numbers_of_the_papers"

GANS = {
    "gan: D takes real for fake": Mutant(
        GAN,
        'real, fake, state["discriminator"] = outputs(',
        'fake, real, state["discriminator"] = outputs(',
        _twins("gan"),
    ),
    "gan: G minimises for D's outputs exchanged": Mutant(
        GAN, "value.generator(real, fake)", "value.generator(fake, real)", _twins("gan")
    ),
    "gan: twice the same latent": Mutant(
        GAN,
        'copies["index"] * count + jnp.tile(jnp.arange(count), len(batch["index"]))',
        'copies["index"]',
        DRAWS_ANEW,
    ),
    "gan: one sample whatever the recipe says": Mutant(
        GAN, "_repeated(batch, settings.generator.samples)", "_repeated(batch, 1)", DRAWS_ANEW
    ),
    "gan: the penalty without its weight": Mutant(
        GAN, "loss + settings.penalty.weight * penalty", "loss + penalty", _twins("penalties")
    ),
    "gan trap: the penalty is not back-propagated": Mutant(
        GAN,
        "penalty = penalty_of(variables, fakes, batch, penalty_key)",
        "penalty = jax.lax.stop_gradient(penalty_of(variables, fakes, batch, penalty_key))",
        "test_adversarial_games.py::"
        "test_a_penalty_reaches_the_gradient_and_refuses_batch_normalisation",
    ),
    "gan trap: one alpha a batch": Mutant(
        GAN,
        "uniform(mix_keys, (1,))[::packing, 0],",
        "jnp.full(len(fakes) // packing, 0.3),",
        _twins("penalties"),
    ),
    "gan: the label of fakes is the softened one": Mutant(
        GAN,
        "value.discriminator(real, fake, *labels)",
        "value.discriminator(real, fake, *labels[::-1])",
        _twins("soft_labels cgan"),
    ),
    "gan: the saturating loss for the other": Mutant(
        LOSSES, "return jax.nn.softplus(-fake)", "return -jax.nn.softplus(fake)", _twins("gan")
    ),
    "lsgan trap: the half dropped": Mutant(
        LOSSES,
        "return 0.5 * (real - real_label) ** 2 + 0.5 * (fake - fake_label) ** 2",
        "return (real - real_label) ** 2 + (fake - fake_label) ** 2",
        _twins("gan"),
    ),
    "lsgan: G towards 0": Mutant(
        LOSSES, "0.5 * (fake - 1.0) ** 2", "0.5 * fake**2", _twins("gan")
    ),
    "lsgan trap: sigmoid outputs": Mutant(
        GAN, "return logits[:, 0], state", "return jax.nn.sigmoid(logits[:, 0]), state",
        _traps("linear_outputs_enter_each_recipes_own_value_function"),
    ),
    "wgan: the critic's sign": Mutant(
        LOSSES, "return fake - real", "return real - fake", _twins("gan")
    ),
    "hinge: both hinges alike": Mutant(
        LOSSES, "jax.nn.relu(1.0 + fake)", "jax.nn.relu(1.0 - fake)", _twins("gan")
    ),
    "wgan trap: weights clipped before the step": Mutant(
        "optimizers.py", "jnp.clip(p + u, low, high) - p", "jnp.clip(p, low, high) - p + u",
        "test_adversarial.py::test_weights_are_clipped_after_the_step_not_before",
    ),
    "wgan-gp trap: one-sided": Mutant(
        PENALTIES,
        "return (norm / target - 1.0) ** 2", "return jax.nn.relu(norm / target - 1.0) ** 2",
        _twins("penalties"),
    ),
    "wgan-gp trap: the norm of the whole batch": Mutant(
        PENALTIES,
        "return jnp.sum(gradient**2, axis=range(1, x.ndim))",
        "return jnp.full(len(x), jnp.sum(gradient**2))",
        _twins("penalties"),
    ),
    "wgan-gp trap: n_critic 1": Mutant(
        "configs/wgan_gp_digits.py", "times=5", "times=1", PINNED + "[wgan_gp_digits]"
    ),
    "wgan-gp trap: betas (.5, .999)": Mutant(
        "configs/wgan_gp_digits.py", "b1=0.0, b2=0.9", "b1=0.5, b2=0.999",
        PINNED + "[wgan_gp_digits]",
    ),
    "wgan-gp trap: lambda .25": Mutant(
        "configs/wgan_gp_digits.py", "weight=10.0", "weight=0.25", PINNED + "[wgan_gp_digits]"
    ),
    "dragan: a whole deviation": Mutant(
        PENALTIES, "* 0.5 * deviation", "* deviation", _twins("penalties")
    ),
    "dragan trap: with the Wasserstein loss": Mutant(
        "configs/dragan_digits.py", "steps=15_000,", 'steps=15_000, value_function="wasserstein",',
        PINNED + "[dragan_digits]",
    ),
    "r1: the half dropped": Mutant(
        PENALTIES, "0.5 * per_example_squared_gradient", "per_example_squared_gradient",
        _twins("penalties"),
    ),
    "r1: at what G makes": Mutant(
        PENALTIES, "zero_centred(critic, real)", "zero_centred(critic, fake)", _twins("penalties")
    ),
    "smoothing trap: the rest of the label gone": Mutant(
        LOSSES,
        "label * jax.nn.softplus(-logit) + (1.0 - label) * jax.nn.softplus(logit)",
        "jnp.where(label > 0.5, label * jax.nn.softplus(-logit), jax.nn.softplus(logit))",
        _twins("soft_labels"),
    ),
    "unrolled trap: no slope through the steps": Mutant(
        "shared/unrolled.py", "return params if through else", "return params if False else",
        "test_adversarial_games.py::"
        "test_the_unrolled_generator_minimises_the_saddle_after_the_discriminators_steps",
    ),
    "unrolled trap: the non-saturating loss": Mutant(
        "configs/unrolled_ring.py", 'value_function="minimax"', 'value_function="non_saturating"',
        PINNED + "[unrolled_ring]",
    ),
    "ring trap: an endpoint that repeats a mode": Mutant(
        "data/mixtures.py", "/ config.modes", "/ (config.modes - 1)",
        "test_mixtures.py",
    ),
    "a uniform prior of [0, 1)": Mutant(
        LATENTS, "2.0 * uniform(keys, shape) - 1.0", "uniform(keys, shape)",
        _twins("priors_are_what_they_are_called"),
    ),
    "samples with the statistics of their batch": Mutant(
        GAME, "game.generator(variables, *inputs(game, key, batch, truncation))}",
        "game.generator.train(variables, *inputs(game, key, batch, truncation))[0]}",
        _twins("cgan"),
    ),
    "no moving average though the recipe asks": Mutant(
        GAME, '"generator": settings.average}', '"generator": 0.0}', AVERAGES + "[gan]"
    ),
    "an average of D, too": Mutant(
        GAME, '"discriminator": 0.0,', '"discriminator": settings.average,', AVERAGES + "[gan]"
    ),
    "interpolation along the chord": Mutant(
        LATENTS, "sine < 1e-6", "sine < 10.0",
        _twins("interpolations_go_along_the_great_circle_and_samples_are_the_generators"),
    ),
    "instance noise that does not fade": Mutant(
        TRICKS, "jnp.maximum(0.0, 1.0 - step / steps)", "jnp.ones(())",
        _traps("instance_noise_is_on_all_that_the_discriminator_sees_and_fades"),
    ),
    "a pack of the same example": Mutant(
        TRICKS, "x.reshape(-1, count, *x.shape[1:])",
        "jnp.repeat(x.reshape(-1, count, *x.shape[1:])[:, :1], count, 1)",
        _twins("packs_and_probabilities"),
    ),
    "dcgan trap: an epsilon of .8": Mutant(
        "nn/layers.py", "momentum=MOMENTUM,", "momentum=MOMENTUM, epsilon=0.8,",
        "test_adversarial_games.py::test_batch_normalisation_has_the_fields_epsilon",
    ),
    "strides: the gradient of a transposed convolution without its padding": Mutant(
        "nn/strides.py", "back = strided_convolution(dy, kernel, padding)",
        "back = strided_convolution(dy, kernel)",
        "test_nn.py::test_gradients_of_gradients_of_strided_convolutions_are_jaxs_own",
    ),
    "strides: no gradient of a strided convolution's kernel": Mutant(
        "nn/strides.py", "return back, _gradient_of_kernel(x, kernel, padding, dy)",
        "return back, 0.0 * kernel",
        "test_nn.py::test_gradients_of_gradients_of_strided_convolutions_are_jaxs_own",
    ),
    "strides: a critic's convolution of stride 1": Mutant(
        "nn/strides.py", "x, kernel, (2, 2), pads", "x, kernel, (1, 1), pads",
        "test_nn.py::test_gradients_of_gradients_of_strided_convolutions_are_jaxs_own",
    ),
}  # fmt: skip
