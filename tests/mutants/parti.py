"""Mistakes in Parti."""

from mutants import Mutant

WHOLE = "test_transformers_by_hand.py::test_"
PARTI, TRANSFORMER = "multimodal/parti.py", "nn/transformer.py"
CODES, TOWER = "multimodal/shared/code_model.py", "nn/text_tower.py"
TESTS, TWINS = "test_parti.py::test_", "twins/test_parti.py::test_"
CACHED = TESTS + "cached_is_uncached_with_a_text"
LOSS = TWINS + "the_loss"
LIKELIEST = "test_masked.py::test_if_the_likeliest_alone_is_plausible_guidance_changes_nothing"

PARTIS = {
    "codes: plausible once guided": Mutant(
        "multimodal/shared/masked.py",
        "least = jnp.max(conditional,",
        "least = jnp.max(moved,",
        "test_masked.py::test_guidance_prefers_nothing_that_is_not_plausible",
    ),
    "codes: one by one, whatever is plausible": Mutant(
        "multimodal/shared/guided_causal.py",
        "return after, masked.guided(*logits, weight, plausible)",
        "return after, masked.guided(*logits, weight)",
        LIKELIEST + "[parti_shapes-cold0]",
    ),
    "dalle: whatever is plausible": Mutant(
        "multimodal/dalle.py",
        "guided(drawing, away, sampler.guidance, sampler.plausible)",
        "guided(drawing, away, sampler.guidance)",
        LIKELIEST + "[dalle_shapes-cold1]",
    ),
    "codes: in a few rounds, whatever is plausible": Mutant(
        "multimodal/shared/code_model.py",
        "masked.guided(given, null, sampler.guidance, sampler.plausible)",
        "masked.guided(given, null, sampler.guidance)",
        LIKELIEST + "[paella_shapes-cold2]",
    ),
    "unclip_causal_prior: whatever is plausible": Mutant(
        "multimodal/unclip_causal_prior.py",
        "guided(*both, sampler.guidance, sampler.plausible)",
        "guided(*both, sampler.guidance)",
        "twins/test_unclip_causal_prior.py::"
        "test_if_the_likeliest_code_alone_is_plausible_guidance_changes_nothing",
    ),
    "parti: the null network reads the text": Mutant(
        PARTI,
        "both = chosen(decoder, 0), chosen(decoder, 1)",
        "both = chosen(decoder, 0), chosen(decoder, 0)",
        TESTS + "guidance_is_away_from_an_empty_text",
    ),
    "parti: a cache without a memory": Mutant(
        TRANSFORMER,
        "kept, h = block.step(kept, h, position, memory=memory)",
        "kept, h = block.step(kept, h, position)",
        CACHED,
    ),
    "parti: the first of several conditions for each": Mutant(
        "multimodal/shared/guided_causal.py",
        "return own.begin(params, batch_size, conditions[number])",
        "return own.begin(params, batch_size, conditions[0])",
        CACHED,
    ),
    "parti: a query that is not normalised": Mutant(
        TRANSFORMER,
        "query = self._by_head(self.read_query(self.read_norm(x)))",
        "query = self._by_head(self.read_query(x))",
        TESTS + "a_block_reads_between_its_branches",
    ),
    "parti: what is read replaces what was known": Mutant(
        TRANSFORMER,
        "x = x + self.read_dropout(self.read_mix(read), keys)",
        "x = self.read_dropout(self.read_mix(read), keys)",
        TESTS + "a_block_reads_between_its_branches",
    ),
    "parti: keys and values exchanged": Mutant(
        TRANSFORMER,
        "return tuple(jnp.split(heads, 2, axis=1))",
        "return tuple(jnp.split(heads, 2, axis=1))[::-1]",
        TESTS + "a_block_reads_between_its_branches",
    ),
    "parti: an encoder that is always causal": Mutant(
        TOWER,
        "self.activation, self.causal, self.dtype",
        "self.activation, False, self.dtype",
        TESTS + "an_encoder_that_is_not_causal_reads_what_comes_after",
    ),
    "parti: the sum over codes": Mutant(
        PARTI,
        "loss = -jnp.mean(smoothed_categorical(z, logits, settings.smoothing)) / count",
        "loss = -jnp.mean(smoothed_categorical(z, logits, settings.smoothing))",
        LOSS,
    ),
    "parti: captions are never hidden": Mutant(
        PARTI,
        "model.logits(variables, batch, (z,), hidden, dropout_keys)",
        "model.logits(variables, batch, (z,), False, dropout_keys)",
        TWINS + "captions_are_hidden_example_by_example",
    ),
    "parti: nothing is dropped": Mutant(
        PARTI,
        "model.logits(variables, batch, (z,), hidden, dropout_keys)",
        "model.logits(variables, batch, (z,), hidden)",
        LOSS,
    ),
    "codes: the prompt is trained on": Mutant(
        CODES,
        "condition.inputs(variables, batch, hidden)\n        return network",
        "condition.inputs(variables, asked(batch), hidden)\n        return network",
        TWINS + "a_prompt_is_of_samples_and_not_of_training",
    ),
    "parti: a sum of nats": Mutant(
        PARTI,
        "-smoothed_categorical(z, logits, 0.0) / count",
        "-smoothed_categorical(z, logits, 0.0)",
        TWINS + "likelihood",
    ),
    "parti: what is read is never dropped": Mutant(
        "nn/transformer.py",
        "self.read_dropout(self.read_mix(read), keys)",
        "self.read_dropout(self.read_mix(read), None)",
        WHOLE + "every_dropout_is_given_the_keys",
    ),
    "parti: a temperature that is not heard": Mutant(
        "multimodal/parti.py",
        "texts if sampler.guidance else texts[0], **own,",
        "texts if sampler.guidance else texts[0],",
        "test_parti.py::test_guidance_is_away_from_an_empty_text",
    ),
}
