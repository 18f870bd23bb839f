"""Mistakes in the games with rules of their own. Traps are mistakes of public code."""

from mutants import Mutant
from mutants.gan import AVERAGES

LOSSES = "losses/adversarial.py"


def _twins(names: str) -> str:
    return " ".join(f"twins/test_adversarial.py::test_{name}" for name in names.split())


RECONSTRUCTIONS = _twins("reconstructions_are_of_the_codes_means")

ADVERSARIAL = {
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
        "test_adversarial_traps.py::test_ebgans_generator_feels_the_energys_target_too",
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
        "vaegan.py",
        "0.5 * jnp.sum((of_x - of_reconstruction)",
        "0.5 * jnp.mean((of_x - of_reconstruction)",
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
    "cogan: a picture translated by what is nearest in the other domain": Mutant(
        "cogan.py", 'batch[("image", "image_b")[domain]]', 'batch[("image_b", "image")[domain]]',
        _twins("cogan_translates_by_the_latent_of_a_picture"),
    ),
    "cogan: the picture found again for its translation": Mutant(
        "cogan.py", 'jnp.split(a, 2, axis=-1)[1]', 'jnp.split(a, 2, axis=-1)[0]',
        _twins("cogan_translates_by_the_latent_of_a_picture"),
    ),
    "cogan: the best of a few draws alone": Mutant(
        "cogan.py", "(z + update, memory), None", "(z, memory), None",
        _twins("cogan_translates_by_the_latent_of_a_picture"),
    ),
    "cogan: the last draw for the nearest": Mutant(
        "cogan.py", "nearer = distance < best[1]", "nearer = distance > -1.0",
        _twins("cogan_translates_by_the_latent_of_a_picture"),
    ),
    "cogan: domains exchanged in samples": Mutant(
        "cogan.py", '{"image": a, "image_b": b}', '{"image": b, "image_b": a}', _twins("cogan")
    ),
}  # fmt: skip
