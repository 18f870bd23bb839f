"""Mistakes in autoencoders and in models of codes."""

from mutants import Mutant

LIKELIHOODS, ELBO = "losses/likelihoods.py", "losses/likelihoods.py"
QUANTIZERS, POSTERIORS = "quantizers.py", "posteriors.py"
CODES, VAE_FILE = "shared/codes.py", "autoencoders/vae.py"


def _twins(names: str) -> str:
    return " ".join(f"twins/test_autoencoders.py::test_{name}" for name in names.split())


def _codes(names: str) -> str:
    return " ".join(f"twins/test_codes.py::test_{name}" for name in names.split())


VAE, DVAE = _twins("vae_is_the_bound_of_one_draw"), _codes("dvae")
VAES_FUNCTIONS, OF_CODES = _twins("vaes_functions"), _codes("functions_of_codes")

AUTOENCODERS = {
    "autoencoder: the spoiled image as target": Mutant(
        "autoencoder.py",
        'likelihood.log_prob(batch["image"], output',
        "likelihood.log_prob(corrupt(batch, key), output",
        _twins("autoencoder"),
    ),
    "autoencoder: the code of what is not spoiled": Mutant(
        "autoencoder.py", "encoder(variables, corrupt(batch, key))",
        'encoder(variables, batch["image"])', _twins("autoencoder"),
    ),
    "autoencoder: moments that forget all": Mutant(
        "autoencoder.py", "DECAY * old + (1.0 - DECAY) * new", "(1.0 - DECAY) * old + DECAY * new",
        _twins("autoencoder"),
    ),
    "autoencoder: samples without the mean of the codes": Mutant(
        "autoencoder.py", 'moments["mean"] + noise @', "noise @",
        _twins("autoencoders_functions"),
    ),
    "autoencoder: the error of the spoiled image for the other": Mutant(
        "autoencoder.py", "squared_error(denoised)", "squared_error(likelihood.mean(output))",
        _twins("autoencoders_functions"),
    ),
    "vae: -KL for KL": Mutant(
        ELBO, "return reconstruction - beta * kl", "return reconstruction + beta * kl", VAE
    ),
    "vae trap: -KL logged as KL": Mutant(
        VAE_FILE, '"kl": jnp.mean(kl)}', '"kl": -jnp.mean(kl)}', VAE
    ),
    "vae: the KL of a variance for its logarithm": Mutant(
        ELBO, "mean**2 - jnp.exp(log_variance)", "mean**2 - log_variance**2", VAE
    ),
    "vae trap: exp(log-variance) as deviation": Mutant(
        POSTERIORS,
        "(mean + jnp.exp(0.5 * log_variance) * normal(keys, (latents,)))[None]",
        "(mean + jnp.exp(log_variance) * normal(keys, (latents,)))[None]",
        VAE,
    ),
    "vae trap: an averaged reconstruction beside a summed KL": Mutant(
        LIKELIHOODS,
        "    return sum_over_example(\n        x * jax.nn.log_sigmoid(logits)",
        "    return 1.0 / x[0].size * sum_over_example(\n        x * jax.nn.log_sigmoid(logits)",
        VAE,
    ),
    "vae: no beta": Mutant(
        VAE_FILE, "kl, log_weights, settings.beta)", "kl, log_weights, 1.0)", VAE,
    ),
    "vae: images as they are for shares of white": Mutant(
        LIKELIHOODS, "bernoulli((x + 1.0) / 2.0, logits)", "bernoulli(x, logits)", VAE
    ),
    "vae: a deviation for a variance in the Gaussian": Mutant(
        LIKELIHOODS, "(x - mean) ** 2 * jnp.exp(-log_variance)",
        "(x - mean) ** 2 * jnp.exp(-2.0 * log_variance)", _twins("autoencoder several_draws"),
    ),
    "vae: each draw the same": Mutant(
        VAE_FILE,
        "in_axes=(0, None))(keys, k)",
        "in_axes=(0, None))(keys, 0 * k)",
        _twins("several_draws"),
    ),
    "iwae: the mean of log-weights": Mutant(
        ELBO, "jax.nn.logsumexp(log_weights, axis=0) - jnp.log(count)",
        "jnp.mean(log_weights, axis=0)", _twins("several_draws"),
    ),
    "iwae: without log K": Mutant(
        ELBO, "jax.nn.logsumexp(log_weights, axis=0) - jnp.log(count)",
        "jax.nn.logsumexp(log_weights, axis=0)", _twins("several_draws"),
    ),
    "iwae trap: the worst draw weighs most": Mutant(
        ELBO, "jax.nn.logsumexp(log_weights, axis=0) - jnp.log(count)",
        "jnp.log(count) - jax.nn.logsumexp(-log_weights, axis=0)", _twins("several_draws"),
    ),
    "iwae: q and p exchanged": Mutant(
        VAE_FILE, "posterior.log_prior(z) - posterior.log_prob(outputs, z)",
        "posterior.log_prob(outputs, z) - posterior.log_prior(z)", _twins("several_draws"),
    ),
    "mixture: all parts weigh alike": Mutant(
        VAE_FILE, "jnp.mean(jnp.exp(share) * reconstruction, axis=0)",
        "jnp.mean(reconstruction, axis=0)", _twins("mixture_posterior"),
    ),
    "mixture: the KL of equal shares": Mutant(
        POSTERIORS, "jnp.exp(split(outputs)[0]) * log_ratio", "log_ratio / components",
        _twins("mixture_posterior"),
    ),
    "categorical: no temperature": Mutant(
        POSTERIORS, "noisy / jnp.maximum(temperature, jnp.exp(-anneal * step))", "noisy",
        _twins("categorical_posterior"),
    ),
    "categorical: the KL's sign": Mutant(
        "losses/quantization.py", "(log_q + jnp.log(logits.shape[-1]))",
        "(-log_q - jnp.log(logits.shape[-1]))", _twins("categorical_posterior"),
    ),
    "vae: the bound weighs the KL by beta": Mutant(
        VAE_FILE, "elbo(reconstruction[0], kl[0])",
        "elbo(reconstruction[0], kl[0], settings.beta)", VAES_FUNCTIONS,
    ),
    "vae: samples of the logits": Mutant(
        LIKELIHOODS, "2.0 * jax.nn.sigmoid(logits) - 1.0", "jax.nn.sigmoid(logits)", VAES_FUNCTIONS
    ),
    "vae: reconstructions from the log-variance": Mutant(
        POSTERIORS, "center=lambda outputs: split(outputs)[0],",
        "center=lambda outputs: split(outputs)[1],", VAES_FUNCTIONS,
    ),
    "vae: the manifold at equal steps of z": Mutant(
        VAE_FILE, "jax.scipy.stats.norm.ppf(quantiles)", "6.0 * quantiles - 3.0",
        VAES_FUNCTIONS,
    ),
    "vqvae trap: beta on the codebook's term": Mutant(
        QUANTIZERS, 'losses["codebook"] + beta * losses["commitment"]',
        'beta * losses["codebook"] + losses["commitment"]', _codes("vqvae"),
    ),
    "vqvae: no commitment": Mutant(
        "vector_quantized.py", "jnp.mean(loss - reconstruction)", "jnp.mean(-reconstruction)",
        _codes("vqvae"),
    ),
    "vqvae: codes that no one moves": Mutant(
        "vector_quantized.py", 'Aux(metrics, {"codebook": carried})', "Aux(metrics)",
        _codes("vqvae"),
    ),
    "vqvae: counts of one batch": Mutant(
        QUANTIZERS, "counts = decay * memory.counts + (1.0 - decay) * number",
        "counts = (1.0 - decay) * memory.counts + decay * number", _codes("vqvae"),
    ),
    "vqvae trap: N smoothed in place": Mutant(
        QUANTIZERS, "moved = Memory(sums / smoothed[:, None], counts, sums)",
        "moved = Memory(sums / smoothed[:, None], smoothed, sums)",
        "test_quantization.py::test_the_moving_average_against_a_float64_twin",
    ),
    "vqvae trap: a code revived with its old counts": Mutant(
        QUANTIZERS, "jnp.where(dead, fresh.counts, moved.counts)", "moved.counts",
        "test_quantization.py::"
        "test_a_dead_code_restarts_at_a_vector_of_the_batch_and_stays_there",
    ),
    "vqvae: the farthest code": Mutant(
        "losses/quantization.py", "argmin(jnp.sum(codebook**2", "argmax(jnp.sum(codebook**2",
        _codes("vqvae"),
    ),
    "lookup-free: the entropy's sign": Mutant(
        QUANTIZERS, "entropy * (unsure - spread)", "entropy * (spread - unsure)",
        _codes("lookup_free_codes"),
    ),
    "lookup-free: a temperature that multiplies": Mutant(
        QUANTIZERS, "z @ codes.T / temperature", "z @ codes.T * temperature",
        _codes("lookup_free_codes"),
    ),
    "lookup-free: no commitment": Mutant(
        QUANTIZERS,
        'beta * quantized.losses["commitment"] + entropy',
        'entropy',
        _codes("lookup_free_codes"),
    ),
    "lookup-free: more codes than asked for": Mutant(
        QUANTIZERS, '== "lookup_free" and self.count != lower', '== "lookup_free" and not lower',
        _codes("lookup_free_codes_are_as_many_as_it_says"),
    ),
    "codes: samples of half of the codes": Mutant(
        CODES, "(k, code.shape, 0, code.cardinality)", "(k, code.shape, 0, code.cardinality // 2)",
        OF_CODES,
    ),
    "codes: reconstructions beside themselves": Mutant(
        CODES, "jnp.stack([batch[name], decoded]", "jnp.stack([decoded, decoded]",
        OF_CODES,
    ),
    "codes: a summed error": Mutant(
        CODES, "jnp.mean((mean(decoded) - x) ** 2", "jnp.sum((mean(decoded) - x) ** 2", OF_CODES
    ),
    "vqvae-2: the commitment left out": Mutant(
        "vqvae2.py", 'levels["top"][2] + levels["bottom"][2] - reconstruction', "-reconstruction",
        _codes("vqvae2"),
    ),
    "vqvae-2: the top's commitment left out": Mutant(
        "vqvae2.py", 'levels["top"][2] + levels', "levels", _codes("vqvae2")
    ),
    "vqvae-2 trap: the bottom code does not see the top": Mutant(
        "vqvae2.py", "[h, decoded_top]", "[h, 0.0 * decoded_top]", _codes("vqvae2")
    ),
    "vqvae-2: the bottom sees what is not quantised": Mutant(
        "vqvae2.py", "decoder_top(variables, quantized_top.code)",
        "decoder_top(variables, z_top)", _codes("vqvae2"),
    ),
    "vqvae-2: one book's codes for both levels": Mutant(
        "vqvae2.py", "*codebook(variables, name), grid", '*codebook(variables, "top"), grid',
        _codes("vqvae2s_functions"),
    ),
    "dvae: no temperature": Mutant(
        "dvae.py", "draw(variables, batch, key, temperature(step))",
        "draw(variables, batch, key, 1.0)", DVAE,
    ),
    "dvae trap: a temperature that rises": Mutant(
        "dvae.py", "end + (start - end) * fall(step)", "start + (end - start) * fall(step)", DVAE
    ),
    "dvae: no weight of the KL": Mutant(
        "dvae.py", "elbo(reconstruction, kl, beta(step))", "elbo(reconstruction, kl)", DVAE
    ),
    "dvae: mu and ln b exchanged": Mutant(
        "dvae.py", "*jnp.split(output, 2, axis=-1))", "*jnp.split(output, 2, axis=-1)[::-1])", DVAE
    ),
    "dvae trap: pixels that are not mapped": Mutant(
        LIKELIHOODS, "return 0.8 * x + 0.1", "return 0.98 * x + 0.01", DVAE
    ),
    "dvae: the bound of a relaxed draw": Mutant(
        "dvae.py", 'decoder(variables, variables.params["codebook"][hard.indices])',
        "decoder(variables, hard.code)", _codes("dvaes_functions"),
    ),
    "dvae: grey values without noise": Mutant(
        LIKELIHOODS, "(jnp.round((image + 1.0) * 127.5) + noise) / 256.0",
        "(jnp.round((image + 1.0) * 127.5) + 0.5) / 256.0",
        _codes("dvaes_functions"),
    ),
    "first stage: a KL of the wrong sign": Mutant(
        "autoencoders/first_stage.py",
        "judgement + held.weight * regularization",
        "judgement - held.weight * regularization",
        "twins/test_first_stage.py",
    ),
    "first stage: D judges from the first round": Mutant(
        "autoencoders/first_stage.py", " * (step >= own.start)", "", "twins/test_first_stage.py"
    ),
    "first stage: D is never trained": Mutant(
        "autoencoders/first_stage.py",
        "lambda step: int(step >= own.start)",
        "lambda step: 0",
        "twins/test_first_stage.py",
    ),
    "first stage: the adaptive weight inverted": Mutant(
        "autoencoders/first_stage.py",
        "reconstruction / (judgement + 1e-4)",
        "judgement / (reconstruction + 1e-4)",
        "twins/test_first_stage.py",
    ),
    "first stage: L_rec a mean over pixels": Mutant(
        "autoencoders/first_stage.py",
        "return sum_over_example(jnp.abs(x - y)) +",
        "return sum_over_example(jnp.abs(x - y)) / x[0].size +",
        "twins/test_first_stage.py",
    ),
    "first stage: the autoencoder hides from D": Mutant(
        "autoencoders/first_stage.py",
        "-jnp.mean(realism(variables, y))",
        "jnp.mean(realism(variables, y))",
        "twins/test_first_stage.py",
    ),
    "first stage: latents are not drawn": Mutant(
        "bottlenecks.py", "if keys is None:", "if True:", "twins/test_first_stage.py"
    ),
    "first stage: log-variances as deviations": Mutant(
        "bottlenecks.py",
        "jnp.exp(0.5 * log_variance) * normal",
        "jnp.exp(log_variance) * normal",
        "twins/test_first_stage.py",
    ),
    "first stage: commitment and codebook exchanged": Mutant(
        "bottlenecks.py",
        'quantized.losses["codebook"] + settings.beta * quantized.losses["commitment"]',
        'quantized.losses["commitment"] + 3 * settings.beta * quantized.losses["codebook"]',
        "twins/test_first_stage.py",
    ),
    "patches: a layer too few": Mutant(
        "patchgan.py",
        "stride = 2 if level < self.layers else 1",
        "stride = 1",
        "test_perceptual.py",
    ),
    "features: not scaled to length 1": Mutant(
        "losses/perceptual.py",
        "jnp.sum(w * (_unit(a) - _unit(b)) ** 2, axis=-1)",
        "jnp.sum(w * (a - b) ** 2, axis=-1)",
        "test_perceptual.py",
    ),
}  # fmt: skip
