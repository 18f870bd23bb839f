"""Mistakes in the games of two and three players. Those called traps are of public code."""

from mutants import Mutant

GAN, LOSSES = "adversarial/gan.py", "losses/adversarial.py"
PENALTIES, GAME = "losses/penalties.py", "shared/latent_game.py"
LATENTS, TRICKS = "shared/latents.py", "shared/tricks.py"


def _twins(names: str, *others: str) -> str:
    """Tests of twins/test_adversarial.py, and others."""
    return " ".join([*(f"twins/test_adversarial.py::test_{n}" for n in names.split()), *others])


def _traps(name: str) -> str:
    return f"test_adversarial_traps.py::test_{name}"


DRAWS_ANEW = _twins("a_generator_of_several_samples_draws_each_anew")
RECONSTRUCTIONS = _twins("reconstructions_are_of_the_codes_means")
AVERAGES = (
    "twins/test_recipes.py::"
    "test_all_that_samples_come_from_has_the_average_that_is_asked_for"
)  # fmt: skip
PINNED = "twins/test_recipes.py::test_numbers_of_the_papers"

ADVERSARIAL = {
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
        "penalty = slope_of(variables, fakes, batch, slope_key)",
        "penalty = jax.lax.stop_gradient(slope_of(variables, fakes, batch, slope_key))",
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
        "optimizers.py", "jnp.clip(p + u, -bound, bound) - p", "jnp.clip(p, -bound, bound) - p + u",
        "test_adversarial.py::test_weights_are_clipped_after_the_step_not_before",
    ),
    "wgan-gp trap: one-sided": Mutant(
        PENALTIES,
        "return (per_example_gradient_norm(critic, alpha * real + (1.0 - alpha) * fake) - 1.0)",
        "return jax.nn.relu("
        "per_example_gradient_norm(critic, alpha * real + (1.0 - alpha) * fake) - 1.0)",
        _twins("penalties"),
    ),
    "wgan-gp trap: the norm of the whole batch": Mutant(
        PENALTIES,
        "return jnp.sum(slopes**2, axis=range(1, x.ndim))",
        "return jnp.full(len(x), jnp.sum(slopes**2))",
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
    "infogan: G minimises the information": Mutant(
        "infogan.py",
        "jnp.mean(non_saturating(fake) - weight * informed)",
        "jnp.mean(non_saturating(fake) + weight * informed)",
        _twins("infogan"),
    ),
    "infogan: no information in D's loss": Mutant(
        "infogan.py",
        "jnp.mean(log_loss(real, fake) - weight * informed)",
        "jnp.mean(log_loss(real, fake))",
        _twins("infogan"),
    ),
    "infogan trap: log-probabilities without a slope": Mutant(
        "infogan.py",
        "fake, information(logits, means, category, continuous), state",
        "fake, jax.lax.stop_gradient(information(logits, means, category, continuous)), state",
        "test_adversarial_games.py::"
        "test_information_reaches_d_and_g_and_vanishes_for_a_silent_code",
    ),
    "infogan: another deviation of Q": Mutant(
        "infogan.py", "(continuous, means, 0.0)", "(continuous, means, 1.0)", _twins("infogan")
    ),
    "infogan: continuous codes of [0, 1)": Mutant(
        LATENTS, "2.0 * uniform(keys, shape) - 1.0", "uniform(keys, shape)",
        _twins("infogan priors_are_what_they_are_called"),
    ),
    "infogan: the code is read from Q's means": Mutant(
        "infogan.py", "outputs[:, 1 : 1 + codes.categories]", "outputs[:, :codes.categories]",
        _twins("infogans_functions"),
    ),
    "acgan: G maximises the class's loss": Mutant(
        "acgan.py", "non_saturating(fake) + of_fake", "non_saturating(fake) - of_fake",
        _twins("acgan"),
    ),
    "acgan trap: the class of fakes left out": Mutant(
        "acgan.py", "log_loss(real, fake) + of_real + of_fake", "log_loss(real, fake) + of_real",
        _twins("acgan"),
    ),
    "ebgan: D takes real for fake": Mutant(
        "ebgan.py", "energy_margin(real, fake,", "energy_margin(fake, real,", _twins("ebgan")
    ),
    "ebgan: the hinge of the batch's mean": Mutant(
        LOSSES, "jax.nn.relu(margin - fake)", "jax.nn.relu(margin - jnp.mean(fake))",
        _twins("ebgan"),
    ),
    "ebgan trap: cosine unsquared": Mutant(
        LOSSES, "(jnp.sum(cosines**2) - jnp.sum(jnp.diagonal(cosines) ** 2))",
        "(jnp.sum(cosines) - jnp.sum(jnp.diagonal(cosines)))", _twins("ebgan"),
    ),
    "ebgan trap: diagonal kept": Mutant(
        LOSSES, " - jnp.sum(jnp.diagonal(cosines) ** 2)", "", _twins("ebgan")
    ),
    "ebgan trap: G's target detached": Mutant(
        "ebgan.py",
        "return jnp.mean((output - x) ** 2, axis=range(1, x.ndim)), codes",
        "import jax\n\n        x = jax.lax.stop_gradient(x)\n"
        "        return jnp.mean((output - x) ** 2, axis=range(1, x.ndim)), codes",
        _traps("ebgans_generator_feels_the_energys_target_too"),
    ),
    "began trap: a squared error": Mutant(
        "began.py", "jnp.abs(output - x)", "(output - x) ** 2", _twins("began")
    ),
    "began: the new k": Mutant(
        "began.py", "equilibrium(real, fake, k)", "equilibrium(real, fake, after)", _twins("began")
    ),
    "began: k leaves [0, 1]": Mutant(
        LOSSES, "jnp.clip(k + rate * difference, 0.0, 1.0)", "k + rate * difference",
        _twins("began"),
    ),
    "began: gamma on the other side": Mutant(
        LOSSES, "gamma * real - fake", "real - gamma * fake", _twins("began")
    ),
    "bigan: D sees (G(z), E(x))": Mutant(
        "bigan.py", "discriminator.train(variables, fakes, z)",
        "discriminator.train(variables, fakes, codes)", _twins("bigan"),
    ),
    "bigan: G and E play D's loss": Mutant(
        "bigan.py", "log_loss(fake, real)", "log_loss(real, fake)", _twins("bigan")
    ),
    "ali: exp(log-variance) as deviation": Mutant(
        "bigan.py", "jnp.exp(0.5 * log_variance)", "jnp.exp(log_variance)", _twins("bigan")
    ),
    "bigan: reconstructions of what is not the mean": Mutant(
        "bigan.py", "[:, : settings.latents]", "[:, -settings.latents :] + 0.1", RECONSTRUCTIONS
    ),
    "vaegan: exp(log-variance) as deviation": Mutant(
        "vaegan.py", "jnp.exp(0.5 * log_variance)", "jnp.exp(log_variance)", _twins("vaegan")
    ),
    "vaegan: -KL for KL": Mutant(
        "vaegan.py", "jnp.mean(kl + like)", "jnp.mean(like - kl)", _twins("vaegan")
    ),
    "vaegan: an averaged error beside a summed KL": Mutant(
        "vaegan.py", "0.5 * jnp.sum((of_x - of_again)", "0.5 * jnp.mean((of_x - of_again)",
        _twins("vaegan"),
    ),
    "vaegan: the weights of gamma exchanged": Mutant(
        "vaegan.py", "settings.gamma * like - (1.0 - settings.gamma)",
        "(1.0 - settings.gamma) * like - settings.gamma", _twins("vaegan"),
    ),
    "vaegan trap: reconstructions as the only fakes": Mutant(
        "vaegan.py", "log_loss(real[:, 0], fake[:, 0]) + jax.nn.softplus(other[:, 0])",
        "log_loss(real[:, 0], fake[:, 0])", _twins("vaegan"),
    ),
    "vaegan: the statistics of reconstructions": Mutant(
        "vaegan.py",
        'prior, state["generator"] = generator.train(',
        'state["generator"] = generator.train(variables, z)[1]\n'
        "        prior, _ = generator.train(",
        _twins("vaegan"),
    ),
    "vaegan: no average of the encoder": Mutant(
        "vaegan.py", '{"value": encoder_loss}, settings.generator, average',
        '{"value": encoder_loss}, settings.generator, 0.0', AVERAGES + "[vaegan]",
    ),
    "cogan: one domain's loss": Mutant(
        "cogan.py", "sum(losses)) / 2.0", "losses[0])", _twins("cogan")
    ),
    "cogan: the sum of two losses": Mutant(
        "cogan.py", "sum(map(non_saturating, fake))) / 2.0", "sum(map(non_saturating, fake)))",
        _twins("cogan"),
    ),
    "cogan: domains exchanged in samples": Mutant(
        "cogan.py", '{"image": a, "image_b": b}', '{"image": b, "image_b": a}', _twins("cogan")
    ),
    "samples with the statistics of their batch": Mutant(
        GAME, "game.generator(variables, latent(game, key, batch))}",
        "game.generator.train(variables, latent(game, key, batch))[0]}", _twins("cgan"),
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
        TRICKS, "jnp.maximum(0.0, 1.0 - step / steps)", "1.0",
        _traps("instance_noise_is_on_all_that_the_discriminator_sees_and_fades"),
    ),
    "a pack of the same example": Mutant(
        TRICKS, "x.reshape(-1, count, *x.shape[1:])",
        "jnp.repeat(x.reshape(-1, count, *x.shape[1:])[:, :1], count, 1)",
        _twins("packs_and_probabilities"),
    ),
    "dcgan trap: an epsilon of .8": Mutant(
        "nn/normalization.py", "momentum=0.9,", "momentum=0.9, epsilon=0.8,",
        "test_adversarial_games.py::test_batch_normalisation_has_the_fields_epsilon",
    ),
}  # fmt: skip
