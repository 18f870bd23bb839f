"""Mistakes in MaskGIT. Traps are of public ports."""

from mutants import Mutant

WHOLE = "test_transformers_by_hand.py::test_"
MASKED, SYSTEM = "multimodal/shared/masked.py", "multimodal/shared/masked_codes.py"
CODES = "multimodal/shared/code_model.py"
TESTS, TWINS = "test_masked.py::test_", "twins/test_maskgit.py::test_"
COUNTS = TESTS + "as_many_are_masked_as_the_cosine_says_and_at_least_half"
ROUNDS = TESTS + "masks_fall_as_the_cosine_says_and_none_is_left"
SURE = TESTS + "the_surest_codes_are_kept_first_unless_noise_is_large"
ANEW = TESTS + "each_round_draws_anew"
GUIDED = TESTS + "guidance_of_weight_zero_is_the_conditional_model"
LOSS, SAMPLES = TWINS + "the_loss", TWINS + "samples"
HALF = TWINS + "the_known_half_stays_when_the_other_is_made_anew"

MASKGITS = {
    "maskgit: masks fall linearly": Mutant(
        MASKED, "return jnp.cos(0.5 * jnp.pi * share)", "return 1.0 - share", COUNTS
    ),
    "maskgit: few codes masked in training": Mutant(
        MASKED,
        "share = jnp.maximum(cosine(jax.random.uniform(share_key)), least)",
        "share = cosine(jax.random.uniform(share_key))",
        COUNTS,
    ),
    "maskgit: the first codes masked": Mutant(
        MASKED,
        "return _rank(jax.random.uniform(order_key, (length,)))",
        "return jnp.arange(length)",
        COUNTS,
    ),
    "maskgit trap: the answer is what is carried": Mutant(
        MASKED,
        "(codes, _), _ = jax.lax.scan(round_, start, jnp.arange(steps))",
        "(codes, left), _ = jax.lax.scan(round_, start, jnp.arange(steps))\n"
        "    codes = jnp.where(left, mask, codes)",
        ROUNDS,
    ),
    "maskgit: known codes masked again": Mutant(
        MASKED,
        "temperature * (1.0 - done) * noise, jnp.inf)",
        "temperature * (1.0 - done) * noise, sure)",
        ROUNDS,
    ),
    "maskgit: masks of all codes, known or not": Mutant(
        MASKED,
        "jnp.floor(cosine(done) * unknown)",
        "jnp.floor(cosine(done) * codes.shape[1])",
        ROUNDS,
    ),
    "maskgit: those that it is surest of are masked again": Mutant(
        MASKED, "jax.vmap(_rank)(sure)", "jax.vmap(_rank)(-sure)", SURE
    ),
    "maskgit: no noise on the confidence": Mutant(
        MASKED,
        "temperature * (1.0 - done) * noise",
        "0.0 * temperature * (1.0 - done) * noise",
        SURE,
    ),
    "maskgit: one round's noise in all": Mutant(
        MASKED, "jax.random.fold_in(key, number)", "jax.random.fold_in(key, 0 * number)", ANEW
    ),
    "maskgit: guidance with its sign turned": Mutant(
        MASKED, "weight * (conditional - null)", "weight * (null - conditional)", GUIDED
    ),
    "maskgit: a loss of all codes": Mutant(
        SYSTEM, "settings.smoothing, chosen)", "settings.smoothing, 1.0)", LOSS
    ),
    "maskgit: no smoothing": Mutant(SYSTEM, "outputs, settings.smoothing", "outputs, 0.0", LOSS),
    "maskgit: the network sees what it is to find": Mutant(
        SYSTEM, "inputs = (jnp.where(chosen, mask, z),)", "inputs = (z,)", LOSS
    ),
    "maskgit: a condition that is never hidden": Mutant(
        CODES, "jax.random.bernoulli(key, share)", "jax.random.bernoulli(key, 0.0 * share)", LOSS
    ),
    "maskgit: guided by itself": Mutant(
        CODES,
        "null = logits(variables, batch, inputs, True)",
        "null = logits(variables, batch, inputs, False)",
        SAMPLES,
    ),
    "maskgit: the known half is the lower one": Mutant(
        CODES,
        "jnp.arange(model.tokens.length) < model.tokens.length // 2",
        "jnp.arange(model.tokens.length) >= model.tokens.length // 2",
        HALF,
    ),
    "maskgit: noise as large as in the round before": Mutant(
        MASKED,
        "temperature * (1.0 - done) * noise",
        "temperature * (1.0 - number / steps) * noise",
        TESTS + "the_noise_on_the_confidence_falls_as_rounds_pass",
    ),
    "maskgit: nothing is dropped within blocks": Mutant(
        "nn/bert.py",
        'name=f"block_{number}")(h, keys)',
        'name=f"block_{number}")(h, None)',
        WHOLE + "every_dropout_is_given_the_keys",
    ),
    "maskgit: positions after the norm": Mutant(
        "nn/bert.py",
        '(norm("norm")(h + positions), keys)',
        '(norm("norm")(h) + positions, keys)',
        WHOLE + "a_transformer_over_masked_codes",
    ),
    "maskgit: codes and their confidence by one key": Mutant(
        MASKED,
        "jax.random.gumbel(key, sure.shape[1:]))(own[:, 1])",
        "jax.random.gumbel(key, sure.shape[1:]))(own[:, 0])",
        "twins/test_keys.py::test_every_step_of_a_sample_has_a_key_of_its_own",
    ),
}
