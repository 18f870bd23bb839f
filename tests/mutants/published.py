"""Mistakes in readers of published weights, tokenizers and Stable Diffusion."""

from mutants import Mutant

CONVOLUTIONS = "test_convolutions_by_hand.py::test_"
BY_HAND = "published/test_stable_diffusion_by_hand.py::test_"
TOWER, LAYERS, FIRST = "nn/text_tower.py", "nn/clip_layers.py", "nn/latent_autoencoder.py"
GENERATE, NETWORKS = "stable_diffusion/generate.py", "stable_diffusion/networks.py"
TEXT = "published/test_text_tower.py::test_every_output"
KL = "published/test_first_stages.py::test_kl"
PIPELINE = "published/test_pipelines.py::test_a_pipeline"
CLIP = "tokenizers/test_byte_pairs.py::test_"
SCHEDULERS = "test_diffusion_golden.py::test_configurations_beyond_stable_diffusions"

PUBLISHED = {
    "scheduler: the noise of a clipped image": Mutant(
        "shared/published.py", "(limited - x0)", "0.0 * x0", SCHEDULERS
    ),
    "scheduler: DDPM's last step without noise": Mutant(
        "shared/published_steps.py", ", starts.time > 1)", ")", SCHEDULERS
    ),
    "scheduler: Heun's own betas": Mutant(
        "shared/published_steps.py", '{"beta_start": 0.00085, "beta_end": 0.012}', "{}", SCHEDULERS
    ),
    "scheduler: another's solver_type": Mutant(
        "shared/published_steps.py", "kind if kind in own else own[0]", "kind", SCHEDULERS
    ),
    "scheduler: a half rounded down": Mutant(
        "shared/published_steps.py", "np.linspace(0, total - 1, steps + ends)\n",
        "np.linspace(total - 1, 0, steps + ends)[::-1]\n", SCHEDULERS,
    ),
    "scheduler: an old file's first time": Mutant(
        "stable_diffusion/inputs.py", '{**config, "steps_offset": 1, "clip_sample": False}',
        "dict(config)", "published/test_stable_diffusion.py"
        "::test_an_old_schedulers_settings_are_those_that_the_reference_corrects",
    ),
    "text: Flax's epsilon": Mutant(LAYERS, "EPSILON = 1e-5", "EPSILON = 1e-6", TEXT),
    "text: exact GELU for quick GELU": Mutant(
        LAYERS, '"quick_gelu": quick_gelu', '"quick_gelu": gelu', TEXT
    ),
    "text: tanh GELU for the exact one": Mutant(
        LAYERS, "approximate=False", "approximate=True", TEXT
    ),
    "text: not causal": Mutant(
        TOWER, "self.activation, self.causal, self.dtype", "self.activation, False, self.dtype",
        TEXT,
    ),
    "text: pooled at the largest symbol": Mutant(
        TOWER, "jnp.argmax(ids == self.end, axis=1)", "ids.shape[1] - 1 - jnp.argmax("
        "ids[:, ::-1] == self.end, axis=1)", TEXT,
    ),
    "text: the state before the last without the norm": Mutant(
        TOWER, "TextFeatures(norm(hidden[-1 - skip])", "TextFeatures(hidden[-1 - skip]", TEXT
    ),
    "vae: the U-Net's epsilon": Mutant(FIRST, "EPSILON = 1e-6", "EPSILON = 1e-5", KL),
    "vae: zeros on both sides": Mutant(
        FIRST, "padding = ((0, 1), (0, 1))", "padding = ((1, 1), (1, 1))", KL
    ),
    "vae: the variance for the deviation": Mutant(
        FIRST, "jnp.exp(0.5 * jnp.clip", "jnp.exp(jnp.clip", KL
    ),
    "weights: kernels not transposed": Mutant(
        "weights/assigning.py", "x.transpose(2, 3, 1, 0)", "x.transpose(3, 2, 1, 0)",
        "weights/test_assigning.py::test_parameters_by_name_and_back",
    ),
    "weights: a name that occurs twice": Mutant(
        "weights/reading.py", "if len(names) != len(set(names)):", "if False:",
        "weights/test_reading.py::test_a_name_that_occurs_twice_is_refused",
    ),
    "weights: what a file names is imported": Mutant(
        "weights/pth.py", "return self.unknown.setdefault((module, name), inert())",
        "return super().find_class(module, name)",
        "weights/test_reading.py::test_what_lightning_saves_beside_the_state_dict_is_inert",
    ),
    "clip: pairs merged from the left": Mutant(
        "tokenizers/clip.py", "best = min(pairs, key=lambda pair: ranks.get(pair, len(ranks)))",
        "best = next((p for p in pairs if p in ranks), pairs[0])",
        f"{CLIP}merges_go_by_rank_not_from_left_to_right",
    ),
    "clip: numbers in one word": Mutant(
        "tokenizers/clip.py", 're.compile("L+|N|O+")', 're.compile("L+|N+|O+")',
        f"{CLIP}letters_numbers_and_signs_are_cut_as_unicode_has_them",
    ),
    "clip: an end that is cut off": Mutant(
        "tokenizers/clip.py", "*found[:most], numbers[END]]", "*found[:most]]",
        f"{CLIP}a_text_is_padded_and_a_long_one_names_what_it_loses",
    ),
    "sd: times counted from 1": Mutant(GENERATE, "at.time - 1.0", "at.time", PIPELINE),
    "sd: guidance of w for 1 + w": Mutant(GENERATE, "(1.0 + guidance) *", "guidance *", PIPELINE),
    "sd: latents that are not scaled": Mutant(
        GENERATE, 'latents / nets.vae.config["scaling_factor"]', "latents", PIPELINE
    ),
    "sd: the known part noised to the level before": Mutant(
        GENERATE, "known, at.alpha * known + at.sigma * noise", "known, known", PIPELINE
    ),
    "sd: the known part never clean": Mutant(
        GENERATE, "jnp.where(number == last, known,", "jnp.where(number < 0, known,", PIPELINE
    ),
    "sd: the masked image in full": Mutant(
        GENERATE, "hidden = image * (mask < 0.5)", "hidden = image * 1.0",
        "published/test_pipelines.py::test_a_pipeline",
    ),
    "sd: frequencies that reach 1e-4": Mutant(
        NETWORKS, "time_shift=0", "time_shift=1", PIPELINE
    ),
    "lora: an update that is not zero at first": Mutant(
        "stable_diffusion/tuning.py", "jnp.zeros((rank, outputs))", "jnp.ones((rank, outputs))",
        "published/test_stable_diffusion.py::test_a_rank_or_a_scale_of_zero_is_the_base",
    ),
    "sd: fine-tuning tells times from 1": Mutant(
        "stable_diffusion/system.py",
        "level.time - 1.0, context=context",
        "level.time, context=context",
        BY_HAND + "the_loss",
    ),
    "sd: fine-tuning never hides a caption": Mutant(
        "stable_diffusion/system.py",
        "ids = jnp.where(drop[:, None], jnp.asarray(null), ids)",
        "ids = jnp.where(0 * drop[:, None], jnp.asarray(null), ids)",
        BY_HAND + "the_loss",
    ),
    "text: the last end for the first": Mutant(
        "nn/text_tower.py",
        "end = jnp.argmax(ids == self.end, axis=1)",
        "end = ids.shape[1] - 1 - jnp.argmax((ids == self.end)[:, ::-1], axis=1)",
        "test_transformers_by_hand.py::test_clips_towers",
    ),
    "vae: attention in place of what it reads": Mutant(
        "nn/latent_autoencoder.py",
        'return x + dense(mixed, "to_out_0").reshape(x.shape)',
        'return dense(mixed, "to_out_0").reshape(x.shape)',
        CONVOLUTIONS + "the_first_stage_with_a_gaussian",
    ),
}  # fmt: skip
