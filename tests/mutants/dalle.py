"""Mistakes in DALL-E. Traps are of public ports."""

from mutants import Mutant

WHOLE = "test_transformers_by_hand.py::test_"
DALLE, MASKS = "multimodal/dalle.py", "nn/attention_masks.py"
NETWORK, CLIP = "nn/text_image_transformer.py", "clip_stage.py"
TESTS, TWINS = "test_dalle.py::test_", "twins/test_dalle.py::test_"
BRUTE = TESTS + "each_mask_by_brute_force"
READS = TESTS + "what_a_code_reads_is_what_its_mask_says"
CACHED = TESTS + "cached_is_uncached_with_text_and_codes_mixed"
LOSS, SAMPLES = TWINS + "the_loss", TWINS + "samples_follow_their_captions"
BEST = TESTS + "the_best_of_several_is_that_of_its_own_caption"
FOLLOWS = TESTS + "text_follows_text_and_codes_follow_codes"

DALLES = {
    "dalle: equal weights": Mutant(
        "configs/dalle_shapes.py", "image_weight=7.0,", "image_weight=1.0,",
        TESTS + "the_published_recipe_is_the_papers",
    ),
    "dalle: the weight is of the text": Mutant(
        DALLE, '(metrics["nats_per_symbol"] + weight * metrics["nats_per_code"])',
        '(weight * metrics["nats_per_symbol"] + metrics["nats_per_code"])', LOSS,
    ),
    "dalle: sums for means": Mutant(
        DALLE, "logits[:, p]) / len(target[0, p]) for p in parts]",
        "logits[:, p]) / 1.0 for p in parts]", LOSS,
    ),
    "dalle: one padding for all positions": Mutant(
        NETWORK, "words + position, x)", "words + 0 * position, x)", f"{FOLLOWS} {LOSS}",
    ),
    "dalle: codes counted from 0": Mutant(
        DALLE, "codes = first_code + tokens.encode(variables, batch, key)",
        "codes = tokens.encode(variables, batch, key)", LOSS,
    ),
    "dalle trap: text where codes follow": Mutant(
        NETWORK, "return jnp.where(possible, logits, NEVER)", "return logits", FOLLOWS
    ),
    "dalle: a row is a row too short": Mutant(
        MASKS, "return (apart >= 0) & (apart <= width)", "return (apart >= 0) & (apart < width)",
        BRUTE,
    ),
    "dalle: columns across rows": Mutant(
        MASKS, "apart % width == 0", "apart % (width + 1) == 0", BRUTE
    ),
    "dalle: a convolution without what is to the upper right": Mutant(
        MASKS, "-reach : reach + 1]", "0 : reach + 1]", BRUTE,
    ),
    "dalle: codes read some of the text": Mutant(
        MASKS, "table = np.tri(count, dtype=bool)",
        "table = np.tri(count, dtype=bool)\n    table[length + 1 :, 1] = False", READS,
    ),
    "dalle: masks one code off": Mutant(
        MASKS, "table[length + 1 :, length + 1 :] = mask[:-1, :-1]",
        "table[length:, length:] = mask", READS,
    ),
    "dalle: every fourth layer from the first": Mutant(
        MASKS, "(layer - 2) % 4 == 0", "(layer - 1) % 4 == 0",
        TESTS + "the_published_order_of_masks",
    ),
    "dalle: the last layer by rows": Mutant(
        MASKS, 'return (*names[:-1], "convolution")', "return tuple(names)",
        TESTS + "the_published_order_of_masks",
    ),
    "dalle: the cache reads all before": Mutant(
        "nn/transformer.py", "<= position if seen is None else seen[position]", "<= position",
        CACHED,
    ),
    "dalle: cached positions one off": Mutant(
        NETWORK, "known = self.tokens(self._own(previous, position - 1))",
        "known = self.tokens(self._own(previous, position))", CACHED,
    ),
    "dalle: rows and columns exchanged": Mutant(
        NETWORK, "self.rows.embedding[:, None] + self.columns.embedding)",
        "self.columns.embedding[:, None] + self.rows.embedding)",
        TESTS + "positions_are_of_rows_and_columns",
    ),
    "dalle trap: one cache for both branches": Mutant(
        "shared/guided_causal.py", "for own, cache in zip((given, null), caches, strict=True)",
        "for own, cache in ((given, caches[0]), (null, caches[0]))", CACHED,
    ),
    "dalle trap: the empty text is the caption": Mutant(
        DALLE, "jnp.where(position <= length, 0, previous)", "previous", CACHED,
    ),
    "dalle: a caption is never hidden": Mutant(
        DALLE, 'jnp.where(hidden[:, None], 0, batch["caption"])', 'batch["caption"]', LOSS
    ),
    "dalle: one coin for a batch": Mutant(
        DALLE, "jax.random.bernoulli(key, share))(hide_keys)",
        "jax.random.bernoulli(hide_keys[0], share))(hide_keys)",
        TWINS + "captions_are_hidden_example_by_example",
    ),
    "dalle: the prompt is not read": Mutant(
        DALLE, "pair = asked(batch)", "pair = batch", SAMPLES
    ),
    "dalle: the worst of several": Mutant(
        CLIP, "wins = scored > best[1]", "wins = scored < best[1]", BEST
    ),
    "dalle trap: scores of other captions": Mutant(
        CLIP, "wins = scored > best[1]",
        "wins = jnp.broadcast_to(jnp.mean(scored) > jnp.mean(best[1]), scored.shape)", BEST,
    ),
    "dalle: the same draw again": Mutant(CLIP, "drawn = draw(own)", "drawn = draw(first)", BEST),
    "dalle: no positions of the text": Mutant(
        "nn/text_image_transformer.py",
        "jnp.zeros((1, self.width)), self.text_positions.embedding,",
        "jnp.zeros((1, self.width)), 0.0 * self.text_positions.embedding,",
        WHOLE + "a_transformer_over_text_and_codes",
    ),
    "dalle: a temperature that is not heard": Mutant(
        "multimodal/dalle.py",
        'prompt=batch["caption"], **own)',
        'prompt=batch["caption"])',
        "twins/test_dalle.py::test_samples_follow_their_captions",
    ),
}  # fmt: skip
