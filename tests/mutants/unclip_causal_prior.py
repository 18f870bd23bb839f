"""Mistakes in unCLIP's autoregressive prior."""

from mutants import Mutant

PRIOR, CODES = "multimodal/unclip_causal_prior.py", "multimodal/shared/components.py"
READER = "nn/embedding_transformer.py"
TWINS = "twins/test_unclip_causal_prior.py::test_"
LOSS, NEARER = TWINS + "the_loss", TWINS + "samples_ask_for_the_nearer_half"
LIKELIHOOD = TWINS + "likelihood_and_what_codes_lose"
MOMENTS = TWINS + "the_first_phase_counts_moments"
AXES = TWINS + "components_are_those_of_the_covariance_in_falling_order"
PREFIX = TWINS + "what_goes_before_codes"

CAUSAL_PRIORS = {
    "causal prior: codes of the text's embedding": Mutant(
        PRIOR,
        'encode(variables.state["components"], image, buckets)',
        'encode(variables.state["components"], text, buckets)',
        LOSS,
    ),
    "causal prior: the sum over codes for their mean": Mutant(
        PRIOR, "keys, read)) / kept", "keys, read))", f"{LOSS} {LIKELIHOOD}"
    ),
    "causal prior: nearness of vectors that are not of length 1": Mutant(
        PRIOR, "jnp.mean(image * text", "jnp.sum(image * text", LOSS
    ),
    "causal prior: nearness without its mean": Mutant(
        PRIOR, "bucket(near - of.mean,", "bucket(near,", LOSS
    ),
    "causal prior: texts are never hidden": Mutant(
        PRIOR,
        "_, words = condition.inputs(variables, batch, hidden)",
        "_, words = condition.inputs(variables, batch, False)",
        LOSS,
    ),
    "causal prior: samples of the farther half": Mutant(
        PRIOR, "near = of.mean + of.deviation * jnp.abs", "near = of.mean - of.deviation * jnp.abs",
        NEARER,
    ),
    "causal prior: samples as near as they come": Mutant(
        PRIOR,
        "jnp.abs(jax.vmap(jax.random.normal)(near_keys))",
        "jax.vmap(jax.random.normal)(near_keys)",
        NEARER,
    ),
    "causal prior: the lower edge of a bucket for its middle": Mutant(
        CODES, "(codes + 0.5)", "codes", LIKELIHOOD
    ),
    "causal prior: components without the mean": Mutant(
        CODES,
        "return components.mean + (middle",
        "return 0.0 * components.mean + (middle",
        LIKELIHOOD,
    ),
    "causal prior: components in rising order": Mutant(
        CODES, "first = slice(None, -kept - 1, -1)", "first = slice(0, kept)", AXES
    ),
    "causal prior: second moments for the covariance": Mutant(
        CODES, "moments.outer - jnp.outer(moments.mean, moments.mean)", "moments.outer", AXES
    ),
    "causal prior: variances for deviations": Mutant(
        CODES,
        "jnp.sqrt(jnp.maximum(variance[first], 0.0))",
        "jnp.maximum(variance[first], 0.0)",
        AXES,
    ),
    "causal prior: what is beyond the buckets runs over": Mutant(
        CODES, "jnp.clip(jnp.floor(share * buckets), 0, buckets - 1)", "jnp.floor(share * buckets)",
        AXES,
    ),
    "causal prior: the last batch's moments": Mutant(
        CODES, "share = len(z) / count", "share = 1.0", MOMENTS
    ),
    "causal prior: the embedding of a hidden text is seen": Mutant(
        READER,
        "embedding = jnp.where(hidden[:, None], 0.0, embedding)\n        near",
        "near",
        PREFIX,
    ),
    "causal prior: the nearness of a hidden text is seen": Mutant(
        READER, "near = jnp.where(hidden, self.buckets, near)", "near = near + 0", PREFIX
    ),
    "causal prior: guided towards no text": Mutant(
        PRIOR,
        "both = chosen(drawing, 0), chosen(drawing, 1)",
        "both = chosen(drawing, 1), chosen(drawing, 0)",
        TWINS + "the_likeliest_codes_are_drawn",
    ),
    "causal prior: samples of no text": Mutant(
        PRIOR,
        "texts if sampler.guidance else texts[0]",
        "texts if sampler.guidance else texts[1]",
        TWINS + "the_likeliest_codes_are_drawn",
    ),
    "causal prior: the prompt is not read": Mutant(
        PRIOR,
        "        batch = asked(batch)\n        text, of",
        "        text, of",
        TWINS + "the_likeliest_codes_are_drawn",
    ),
    "causal prior: the variance of nearness for its deviation": Mutant(
        PRIOR,
        "jnp.sqrt(jnp.maximum(moments.outer[0, 0] - moments.mean[0] ** 2, 0.0))",
        "jnp.maximum(moments.outer[0, 0] - moments.mean[0] ** 2, 0.0)",
        MOMENTS,
    ),
    "causal prior: moments of one device": Mutant(
        PRIOR,
        "replicas.gather([f(variables, batch, key) for f in (clip.image, clip.text)])",
        "[f(variables, batch, key) for f in (clip.image, clip.text)]",
        MOMENTS,
    ),
    "causal prior: moments that are counted and forgotten": Mutant(
        PRIOR,
        "(previous or init_counting(key, batch, None)).state",
        "init_counting(key, batch, None).state",
        TWINS + "the_second_phase_begins_with_the_moments_of_the_first",
    ),
}  # fmt: skip
