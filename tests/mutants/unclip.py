"""Mistakes in unCLIP. Traps are of public ports."""

from mutants import Mutant

WHOLE = "test_transformers_by_hand.py::test_"
PRIOR, DECODER, CLIP = "diffusion/unclip_prior.py", "diffusion/unclip.py", "clip_stage.py"
NETWORK = "nn/embedding_transformer.py"
TESTS, TWINS = "test_unclip.py::test_", "twins/test_unclip.py::test_"
PRIORS_LOSS, BEST = (
    TWINS + "the_priors_loss",
    TWINS + "of_several_embeddings_that_nearest_to_the_text_is_kept",
)
LOSS, SOURCE = TWINS + "the_decoders_loss", TWINS + "whose_embedding_a_sample_is_of"
WAY, VARIATIONS = (
    TWINS + "the_way_of_embeddings",
    TWINS + "variations_are_of_one_embedding_and_other_noises",
)
READS, VECTOR = (
    TESTS + "each_position_reads_those_before_it",
    TESTS + "a_vector_is_told_beside_the_level",
)
ASKED = TWINS + "a_prompt_and_a_target_are_of_samples"

UNCLIPS = {
    "unclip trap: the noised embedding is hidden with the text": Mutant(
        PRIOR,
        "network(variables, z, level, text",
        "network(variables, jnp.where(hidden[:, None], 0.0, z), level, text",
        PRIORS_LOSS,
    ),
    "unclip trap: embeddings of length 1 in noise of deviation 1": Mutant(
        CLIP, '["embedding"] * width**0.5', '["embedding"]', f"{PRIORS_LOSS} {LOSS}"
    ),
    "unclip: the text's embedding is never hidden": Mutant(
        PRIOR,
        'jnp.where(hidden[:, None], 0.0, batch["text_embedding"])',
        'batch["text_embedding"]',
        PRIORS_LOSS,
    ),
    "unclip: words are never hidden": Mutant(
        PRIOR,
        "condition.inputs(variables, batch, drop)",
        "condition.inputs(variables, batch, False)",
        PRIORS_LOSS,
    ),
    "unclip: a prior of texts": Mutant(
        PRIOR,
        "(clip.width,), clip.image, predict",
        "(clip.width,), clip.text, predict",
        PRIORS_LOSS,
    ),
    "unclip: a prior that predicts noise": Mutant(
        "configs/unclip_prior_shapes.py", 'prediction="x0"', 'prediction="noise"', PRIORS_LOSS
    ),
    "unclip: the farthest of several": Mutant(
        PRIOR, "jnp.sum(embedding * text, axis=-1)", "-jnp.sum(embedding * text, axis=-1)", BEST
    ),
    "unclip: a prompt in training": Mutant(
        PRIOR,
        "batch = batch if training else asked(batch)",
        "batch = asked(batch)",
        TWINS + "a_prior_of_a_prompt",
    ),
    "unclip: a prior that reads both ways": Mutant(
        NETWORK,
        "h = block(h, keys)",
        "h = block(h, keys, jnp.ones((h.shape[1], h.shape[1]), bool))",
        READS,
    ),
    "unclip: the level after the noised embedding": Mutant(
        NETWORK, 'time, dense("noised")(x), last', 'dense("noised")(x), time, last', READS
    ),
    "unclip: what is hidden is nought": Mutant(
        NETWORK,
        "jnp.where(hidden[:, None], none, embedding)",
        "jnp.where(hidden[:, None], 0.0 * none, embedding)",
        f"{TESTS}what_is_hidden_is_read_as_none",
    ),
    "unclip: the vector is not told to a U-Net": Mutant(
        "nn/unet.py",
        "embedding += Dense(4 * self.width, dtype=self.dtype)(label)",
        "embedding += 0.0 * Dense(4 * self.width, dtype=self.dtype)(label)",
        VECTOR,
    ),
    "unclip: the vector is not told to a DiT": Mutant(
        "nn/dit.py",
        'embedding += dense("labels")(label)',
        'embedding += 0.0 * dense("labels")(label)',
        VECTOR,
    ),
    "unclip: a decoder trained on texts": Mutant(
        DECODER,
        "dict(batch, embedding=clip.image(variables, batch, key))\n        return dict",
        "dict(batch, embedding=clip.text(variables, batch, key))\n        return dict",
        LOSS,
    ),
    "unclip: the vector of what is hidden": Mutant(
        DECODER,
        "network(variables, x, level, seen, keys, context)",
        "network(variables, x, level, embedding, keys, context)",
        LOSS,
    ),
    "unclip: embeddings that are drawn have length 1": Mutant(
        DECODER, 'drawn["embedding"] * clip.width**0.5', 'drawn["embedding"]', SOURCE
    ),
    "unclip: the whole image where a small one is drawn": Mutant(
        DECODER, 'shrunk(batch["image"], shape) if', 'batch["image"][:, ::2, ::2] if', LOSS
    ),
    "unclip: variations of the caption": Mutant(
        DECODER,
        "batch = _own(clip, variables, batch, key)\n\n        def one",
        "\n        def one",
        VARIATIONS,
    ),
    "unclip: one noise for all variations": Mutant(
        DECODER,
        "lax.map(one, jax.random.split(key, VARIATIONS))",
        "lax.map(lambda _: one(key), jnp.arange(VARIATIONS))",
        VARIATIONS,
    ),
    "unclip: all of the way to a difference": Mutant(
        DECODER, "towards, 2 * FRAMES - 1)[:, :FRAMES]", "towards, FRAMES)", WAY
    ),
    "unclip: a difference the other way round": Mutant(
        DECODER, "for given in (aimed(batch), batch))", "for given in (batch, aimed(batch)))", WAY
    ),
    "unclip: a difference from fresh noise": Mutant(
        DECODER,
        "start = uses.invert(model.grid, model.denoiser(variables, own, key), x)",
        "start = model.start(example_keys(key, batch)) + 0 * x",
        WAY,
    ),
    "unclip: the prompt is drawn for a target": Mutant(
        DECODER,
        "drawn_embedding(variables, aimed(batch), key)",
        'model.given(variables, aimed(batch), key, False)["embedding"]',
        ASKED,
    ),
    "unclip: a prior without positions": Mutant(
        NETWORK,
        'h = h + self.param("positions", WEIGHTS, h.shape[1:])',
        'h = h + 0.0 * self.param("positions", WEIGHTS, h.shape[1:])',
        WHOLE + "the_prior_of_embeddings",
    ),
    "unclip: a prior that drops nothing": Mutant(
        NETWORK,
        "h = block(h, keys)",
        "h = block(h, None)",
        WHOLE + "every_dropout_is_given_the_keys",
    ),
    "unclip: a level without its swish": Mutant(
        NETWORK,
        'dense("level_out")(nn.swish(time))',
        'dense("level_out")(time)',
        WHOLE + "the_prior_of_embeddings",
    ),
    "unclip: embeddings of any length for those that build on it": Mutant(
        DECODER,
        '{"embedding": normalised(drawn_embedding(variables, asked(batch), key))}',
        '{"embedding": drawn_embedding(variables, asked(batch), key)}',
        SOURCE,
    ),
    "unclip: no way where the caption is the target": Mutant(
        DECODER,
        'towards = jnp.where(same, own["embedding"], difference)',
        "towards = difference",
        WAY,
    ),
    "unclip: another prior is passed over": Mutant(
        DECODER,
        'stage = "prior" if "prior" in stages else "clip"',
        'stage = "clip"',
        TESTS + "embeddings_are_those_of_the_prior_or_of_the_clip_it_is_built_on",
    ),
}
