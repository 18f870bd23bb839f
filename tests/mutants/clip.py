"""Mistakes in CLIP: its towers, its loss, its temperature, and what is measured with it."""

from mutants import Mutant

CONVOLUTIONS = "test_convolutions_by_hand.py::test_"
SCORES = "test_scores_by_clip.py::test_"
CLIP, LOSS = "multimodal/clip.py", "losses/contrastive.py"
VIT, RESNET, LAYERS = "nn/vit.py", "nn/clip_resnet.py", "nn/clip_layers.py"
MATCHING, FILES = "evaluation/matching.py", "shared/clip_files.py"
GOLDEN = "published/test_clip_weights.py::test_every_output"
CLOSED = "test_clip.py::test_the_loss_of_equal_and_of_orthogonal_embeddings"
BOUND = "test_clip.py::test_the_temperature_is_bounded_after_the_step_and_learns_at_the_bound"
TWIN = "twins/test_clip.py::test_the_loss"
DEVICES = (
    "test_games.py::test_one_and_eight_devices_are_the_same_run_and_trace_every_move_once[clip]"
)
GRADIENTS = "test_clip.py::test_loss_and_gradients_on_eight_devices_are_those_on_one"
END = "test_clip.py::test_every_caption_has_an_end_the_longest_too"
FORM = "test_clip.py::test_cmmd_and_clip_score_in_closed_form"
PROMPTS = "test_clip.py::test_prompts_of_a_class_count_alike_however_long_their_vectors"
RECALL = "test_clip.py::test_recall_counts_pairs_that_are_nearest"
DISTINCT = "test_clip.py::test_retrieval_is_among_scenes_of_different_meaning"
CLIPS = {
    "clip: negatives of one device": Mutant(
        CLIP, "every, all_ids = replicas.gather((own, ids))", "every, all_ids = own, ids", DEVICES
    ),
    "clip: gradients of one side of a pair": Mutant(
        CLIP, "every, all_ids = replicas.gather((own, ids))",
        "every, all_ids = replicas.lax.stop_gradient(replicas.gather((own, ids)))", GRADIENTS,
    ),
    "clip: gradients of one device's own rows": Mutant(
        "gm_jax/replicas.py",
        "lax.all_gather(jnp.asarray(x)",
        "lax.all_gather(lax.stop_gradient(x)",
        f"{GRADIENTS} {DEVICES}",
    ),
    "clip: pairs numbered by the device": Mutant(
        CLIP, 'pair = batch["index"]', 'pair = jnp.arange(len(batch["index"]))', DEVICES
    ),
    "clip: equal captions are negatives": Mutant(
        CLIP, "info_nce(rows, pair, equal) + info_nce(columns, pair, equal)",
        "info_nce(rows, pair, equal & False) + info_nce(columns, pair, equal & False)", TWIN,
    ),
    "clip: one direction": Mutant(
        CLIP, "0.5 * (info_nce(rows, pair, equal) + info_nce(columns, pair, equal))",
        "info_nce(rows, pair, equal)", TWIN,
    ),
    "clip: both directions among images": Mutant(
        CLIP, "zip(own, every[::-1], strict=True)", "zip(own, every, strict=True)", TWIN
    ),
    "clip: the temperature bounded in the loss": Mutant(
        CLIP, 'jnp.exp(variables.params["scale"]["log"])',
        'jnp.exp(jnp.minimum(variables.params["scale"]["log"], LARGEST))', BOUND,
    ),
    "clip: the temperature without a bound": Mutant(
        CLIP, "optax.chain(player.optimizer, temperature_bound())", "player.optimizer", BOUND
    ),
    "clip: the temperature for its logarithm": Mutant(
        CLIP, "jnp.asarray(-math.log(settings.temperature), jnp.float32)",
        "jnp.asarray(settings.temperature, jnp.float32)",
        "test_clip.py::test_the_temperature_starts_at_its_setting",
    ),
    "clip: everything decays": Mutant(
        "gm_jax/optimizers.py", "lambda p: p.ndim >= 2", "lambda p: True",
        "test_clip.py::test_only_matrices_decay",
    ),
    "clip: embeddings of any length": Mutant(
        "nn/layers.py", "return x / jnp.linalg.norm(x, axis=-1, keepdims=True)", "return x", TWIN
    ),
    "clip: pixels of ImageNet": Mutant(CLIP, "0.48145466, 0.4578275", "0.485, 0.456", TWIN),
    "clip: captions without an end": Mutant(CLIP, "caption.shape[0] + words,",
        "caption.shape[0],", END,
    ),
    "clip: the pair may be ignored": Mutant(
        LOSS, "ignored & ~own", "ignored", CLOSED
    ),
    "vit: the class token last": Mutant(
        VIT, "pooled = norm(\"post_layernorm\")(tokens[:, 0])",
        "pooled = norm(\"post_layernorm\")(tokens[:, -1])", GOLDEN,
    ),
    "vit: the mean of all tokens": Mutant(
        VIT, "(tokens[:, 0])", "(tokens.mean(1))", GOLDEN
    ),
    "vit: no norm before the blocks": Mutant(
        VIT, 'encoder(norm("pre_layrnorm")(h))', 'encoder(h + 0.0 * norm("pre_layrnorm")(h))',
        GOLDEN,
    ),
    "vit: causal": Mutant(
        VIT, "self.activation, False, self.dtype", "self.activation, True, self.dtype", GOLDEN
    ),
    "resnet: strides in the convolutions": Mutant(
        RESNET, 'conv(EXPANSION * self.width, 1, "conv3")(_pool(h, self.stride))',
        'conv(EXPANSION * self.width, 1, "conv3")(h[:, :: self.stride, :: self.stride])', GOLDEN,
    ),
    "resnet: strides in the shortcut": Mutant(
        RESNET, "(_pool(x, self.stride))", "(x[:, :: self.stride, :: self.stride])", GOLDEN
    ),
    "resnet: the stem without a pool": Mutant(
        RESNET, "h = _pool(h, 2)", "h = h[:, ::2, ::2]", GOLDEN
    ),
    "resnet: SAME padding": Mutant(
        RESNET, "padding = [(size // 2, size // 2)] * 2", 'padding = "SAME"', GOLDEN
    ),
    "resnet: the query without its position": Mutant(
        RESNET, 'heads_of("q_proj", x[:, :1])',
        'heads_of("q_proj", x[:, 1:].mean(1, keepdims=True))',
        GOLDEN,
    ),
    "resnet: the mean is not read": Mutant(
        RESNET, 'heads_of("k_proj", x), heads_of("v_proj", x)',
        'heads_of("k_proj", x[:, 1:]), heads_of("v_proj", x[:, 1:])', GOLDEN,
    ),
    "clip files: the projections transposed": Mutant(
        "weights/clip.py", '(entry[0], "plain") if name in PROJECTIONS else entry', "entry", GOLDEN
    ),
    "clip files: one head": Mutant(FILES, "max(1, width // HEAD)", "2", GOLDEN),
    "prompts: not normalised before": Mutant(
        MATCHING, "_unit(_unit(texts).mean(axis=1))", "_unit(texts.mean(axis=1))", PROMPTS
    ),
    "prompts: not normalised after": Mutant(
        MATCHING, "_unit(_unit(texts).mean(axis=1))", "_unit(texts).mean(axis=1)", PROMPTS
    ),
    "recall: ties are found": Mutant(MATCHING, "similarity >= own", "similarity > own", RECALL),
    "cmmd: variance for width": Mutant(MATCHING, "2.0 * BANDWIDTH**2", "2.0 * BANDWIDTH", FORM),
    "clip score: without its bound": Mutant(
        MATCHING, "np.maximum(np.sum(_unit(images) * _unit(texts), axis=1), 0.0)",
        "np.sum(_unit(images) * _unit(texts), axis=1)", FORM,
    ),
    "retrieval: paraphrases": Mutant(
        "judging/alignment.py", 'meanings(batch["attributes"])', 'batch["attributes"]', DISTINCT
    ),
    "clip score: a deviation for its error": Mutant(
        "judging/alignment.py",
        "scores.std(ddof=1) / np.sqrt(count)",
        "scores.std(ddof=1)",
        SCORES + "the_clip_score_and_its_error",
    ),
    "clip score: of the data twice": Mutant(
        "judging/alignment.py",
        "scores, own = matching.clip_scores(made, texts)",
        "scores, own = matching.clip_scores(reals, texts)",
        SCORES + "the_clip_score_and_its_error",
    ),
    "cmmd: the floor of images with themselves": Mutant(
        "judging/alignment.py",
        "matching.cmmd(reals[count:], reals[:count])",
        "matching.cmmd(reals[:count], reals[:count])",
        SCORES + "cmmd_is_beside_that_of_other_reals",
    ),
    "r-precision: among all captions": Mutant(
        "judging/alignment.py",
        "range(0, count, GROUP)",
        "range(0, count, count)",
        SCORES + "r_precision_is_among_a_hundred",
    ),
    "shares: an interval without its correction": Mutant(
        "evaluation/uncertainty.py",
        "hits * (n - hits) / n + z**2 / 4",
        "hits * (n - hits) / n",
        SCORES + "the_interval_of_a_share_is_wilsons",
    ),
    "resnet: a sum that is not cut at zero": Mutant(
        "nn/clip_resnet.py",
        "return nn.relu(h + x)",
        "return h + x",
        CONVOLUTIONS + "clips_resnet",
    ),
    "clip: branches that begin too large": Mutant(
        "nn/clip_layers.py",
        "x.shape[-1] ** -0.5 * (2 * self.layers) ** -0.5",
        "x.shape[-1] ** -0.5",
        "test_first_weights_of_transformers.py::test_first_weights",
    ),
    "clip: positions as large as words": Mutant(
        "nn/text_tower.py",
        '"position_embedding", 0.01)',
        '"position_embedding", 0.02)',
        "test_first_weights_of_transformers.py::test_first_weights",
    ),
}  # fmt: skip
