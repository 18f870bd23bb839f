"""Mistakes in denoisers, most of which move their outputs by less than a float32 run shows."""

from mutants import Mutant

UNET, ATTENTION, DIT, TIME = "nn/unet.py", "nn/attention.py", "nn/dit.py", "nn/time_features.py"
DOT_PRODUCTS = "nn/dot_product_attention.py"
PARTS = "test_denoiser_parts.py::test_"


def _golden(name: str, dtype: str = "float64") -> str:
    return f"test_denoisers.py::test_unets_at_some_pixels[{name}-{dtype}]"


SD, ADM = _golden("unet_inpaint"), _golden("guided_adagn")

DENOISERS = {
    "Stable Diffusion: the transformer's group norm at 1e-5": Mutant(
        ATTENTION, "self.groups, 1e-6, name", "self.groups, 1e-5, name", SD
    ),
    "Stable Diffusion: layer norms at Flax's epsilon": Mutant(
        ATTENTION, "nn.LayerNorm(1e-5,", "nn.LayerNorm(1e-6,", SD
    ),
    "U-Net: group norms at Flax's epsilon": Mutant(
        ATTENTION, "GroupNorm(groups, self.epsilon, self.dtype)",
        "GroupNorm(groups, 1e-6, self.dtype)", f"{SD} {ADM}",
    ),
    "U-Net: time features in float32": Mutant(
        TIME, "jnp.promote_types(jnp.float32, dtype)", "jnp.float32", SD
    ),
    "U-Net: stride 2 padded as SAME": Mutant(
        UNET, '((1, 1), (1, 1)) if self.symmetric else "SAME"', '"SAME"', SD
    ),
    "GEGLU with the approximate GELU": Mutant(
        ATTENTION, "approximate=False", "approximate=True", SD
    ),
    "GEGLU with its halves exchanged": Mutant(ATTENTION, "h, gate = jnp", "gate, h = jnp", SD),
    "frequencies that reach 1e-4 in every network": Mutant(
        TIME, "(half - shift)", "(half - 1)", f"{SD} {PARTS}sinusoids_of_every_convention"
    ),
    "sines before cosines in every network": Mutant(
        TIME, "waves[::-1] if cosines_first else waves", "waves",
        f"{SD} {PARTS}sinusoids_of_every_convention",
    ),
    "a head's width taken for the number of heads": Mutant(
        UNET, "return channels // head_width if head_width else", "return",
        f"{PARTS}heads_are_counted_or_have_a_width",
    ),
    "a number of heads taken for a head's width": Mutant(
        UNET, "else heads[min(depth, len(heads) - 1)]",
        "else channels // heads[min(depth, len(heads) - 1)]", SD,
    ),
    "a zero token more in the context": Mutant(
        ATTENTION, 'heads_of("k", context), heads_of("v", context)',
        'heads_of("k", jnp.pad(context, ((0, 0), (0, 1), (0, 0)))),'
        ' heads_of("v", jnp.pad(context, ((0, 0), (0, 1), (0, 0))))',
        f"{SD} {PARTS}attention_to_one_key_is_linear_and_ignores_the_query",
    ),
    "self-attention that reads the context": Mutant(
        ATTENTION, 'name="self_attention")(h, h)', 'name="self_attention")(h, context)', SD
    ),
    "cross-attention that reads the image": Mutant(
        ATTENTION, 'name="cross_attention")(h, context)', 'name="cross_attention")(h, h)', SD
    ),
    "queries, keys and values split before heads": Mutant(
        ATTENTION, "jnp.split(joint.reshape(b, height * width, self.heads, -1), 3, axis=-1)",
        "jnp.split(joint.reshape(b, height * width, 3 * self.heads, -1), 3, axis=2)", ADM,
    ),
    "AdaGN with shift and scale exchanged": Mutant(
        UNET, "scale, shift = jnp.split", "shift, scale = jnp.split",
        f"{ADM} {PARTS}an_adaptive_block_begins_as_the_identity_and_scales_before_it_shifts",
    ),
    "AdaGN that scales by s for 1 + s": Mutant(
        UNET, "norm(h) * (1 + scale) + shift", "norm(h) * scale + shift",
        f"{ADM} {PARTS}an_adaptive_block_begins_as_the_identity_and_scales_before_it_shifts",
    ),
    "the level added after the norm": Mutant(UNET, "norm(h + level)", "norm(h) + level", SD),
    "a residual block that does not begin as the identity": Mutant(
        UNET, "nn.Conv(self.features, (3, 3), kernel_init=ZERO,", "nn.Conv(self.features, (3, 3),",
        f"{PARTS}an_adaptive_block_begins_as_the_identity_and_scales_before_it_shifts",
    ),
    "residual halving that keeps one pixel of four": Mutant(
        UNET, 'nn.avg_pool(x, (2, 2), (2, 2), "SAME", count_include_pad=False)', "x[:, ::2, ::2]",
        ADM,
    ),
    "odd sides that grow from centres, as in TensorFlow": Mutant(
        UNET, "    if symmetric or size ==", "    if not symmetric or size ==",
        f"{PARTS}odd_sides_grow_as_in_pytorch",
    ),
    "skips before what comes from below": Mutant(
        UNET, "[x, skips.pop()]", "[skips.pop(), x]", f"{SD} {ADM}"
    ),
    "ADM: a null label that its checkpoints have not": Mutant(
        "weights/guided_diffusion.py", '"null_label": False', '"null_label": True', ADM
    ),
    "ADM: all queries first, read as heads in turn": Mutant(
        "weights/guided_diffusion.py", "_exchanged(tensor.load(), (3, -1), unet)", "tensor.load()",
        "weights/test_guided_diffusion.py",
    ),
    "the default U-Net with ADM's sinusoids": Mutant(
        UNET, 'one_of(TIME_FEATURES)] = "sines_first"', 'one_of(TIME_FEATURES)] = "cosines_first"',
        "test_denoisers.py::test_the_default_unet_is_as_it_always_was",
    ),
    "Fourier features drawn by another seed": Mutant(
        TIME, "RandomState(0)", "RandomState(1)",
        f"{PARTS}fourier_features_are_fixed_and_none_of_the_parameters",
    ),
    "DiT: gates that begin at one": Mutant(
        DIT, 'x + gate * dense(width, "mix")', 'x + (1 + gate) * dense(width, "mix")',
        f"{PARTS}each_block_of_a_dit_begins_as_the_identity",
    ),
    "DiT: a context read by a layer that does not begin at zero": Mutant(
        DIT, "self.dtype, ZERO, bias=True", "self.dtype, bias=True",
        f"{PARTS}each_block_of_a_dit_begins_as_the_identity",
    ),
    "DiT: an output that does not begin at zero": Mutant(
        DIT, "h = Dense(outputs, kernel_init=ZERO,", "h = Dense(outputs,",
        f"{PARTS}a_denoiser_begins_as_zero_reads_all_its_inputs_and_runs_in_bfloat16",
    ),
    "DiT: rows before columns": Mutant(
        DIT, "in (columns, rows)", "in (rows, columns)", f"{PARTS}patches_and_positions_of_a_dit"
    ),
    "DiT: a patch's columns before its rows": Mutant(
        DIT, "*grid, patch, patch, -1).swapaxes(2, 3)",
        "*grid, patch, patch, -1).transpose(0, 1, 4, 2, 3, 5)",
        f"{PARTS}patches_and_positions_of_a_dit",
    ),
    "U-Net: odd sides doubled by repeating": Mutant(
        "nn/unet.py", "if symmetric or size == (2 * x.shape[1], 2 * x.shape[2]):", "if True:",
        "test_nn.py::test_a_unet_doubles_as_jax_resizes",
    ),
    "group norm: each channel by itself": Mutant(
        "nn/layers.py", "mean = jnp.mean(each, axis=-1, keepdims=True)", "mean = each",
        "test_nn.py::test_groups_are_normalised_as_by_linen",
    ),
    "group norm: one mean for all examples": Mutant(
        "nn/layers.py", "mean = jnp.mean(each, axis=-1, keepdims=True)",
        "mean = jnp.mean(each, axis=(0, 2), keepdims=True)",
        "test_nn.py::test_groups_are_normalised_as_by_linen",
    ),
    "group norm: statistics in bfloat16": Mutant(
        "nn/layers.py", "wide = full_precision(x)\n\n        def of_group", 
        "wide = x\n\n        def of_group",
        "test_nn.py::test_groups_are_normalised_as_by_linen",
    ),
    "dense layers: gradients that sum over several axes": Mutant(
        "nn/layers.py", "functools.partial(nn.Dense, dot_general=product_of_rows)",
        "functools.partial(nn.Dense)",
        "test_nn.py::test_layers_at_each_position_are_linens_with_gradients_of_one_product",
    ),
    "convolutions of 1x1: gradients of convolutions": Mutant(
        "nn/layers.py", ", conv_general_dilated=_at_each_pixel", "",
        "test_nn.py::test_layers_at_each_position_are_linens_with_gradients_of_one_product",
    ),
    "attention: scores that are not scaled": Mutant(
        DOT_PRODUCTS, "scores = scores * q.shape[-1] ** -0.5", "scores = scores * 1.0",
        "test_nn.py::test_short_sequences_are_attended_to_as_by_jax",
    ),
    "attention: a mask turned round": Mutant(
        DOT_PRODUCTS, "jnp.where(seen, scores, jnp.finfo(wide).min)",
        "jnp.where(seen, jnp.finfo(wide).min, scores)",
        "test_nn.py::test_short_sequences_are_attended_to_as_by_jax",
    ),
    "attention: causal, and blind to itself": Mutant(
        DOT_PRODUCTS, "k.shape[2], first, dtype=bool)", "k.shape[2], first - 1, dtype=bool)",
        "test_nn.py::test_short_sequences_are_attended_to_as_by_jax",
    ),
    "attention: of float64, a softmax in float32": Mutant(
        DOT_PRODUCTS, "jax.nn.softmax(scores).astype(v.dtype)",
        "jax.nn.softmax(scores.astype(jnp.float32)).astype(v.dtype)",
        "test_nn.py::test_short_sequences_are_attended_to_as_by_jax",
    ),
    "causal attention by blocks: all as if they were the first": Mutant(
        DOT_PRODUCTS, "v[:, :, :end], first)", "v[:, :, :end])",
        "test_nn.py::test_causal_sequences_are_attended_to_by_blocks",
    ),
    "causal attention by blocks: each reads its own block alone": Mutant(
        DOT_PRODUCTS, "k[:, :, :end], v[:, :, :end], first)",
        "k[:, :, first:end], v[:, :, first:end])",
        "test_nn.py::test_causal_sequences_are_attended_to_by_blocks",
    ),
    "attention by blocks: weights that do not sum to 1": Mutant(
        DOT_PRODUCTS, "return read / jnp.sum(weights, axis=-1, keepdims=True).astype(v.dtype)",
        "return read", "test_nn.py::test_long_sequences_are_attended_to_by_blocks",
    ),
    "attention by blocks: scores that are not scaled": Mutant(
        DOT_PRODUCTS, "full_precision(q @ k.T) * q.shape[-1] ** -0.5", "full_precision(q @ k.T)",
        "test_nn.py::test_long_sequences_are_attended_to_by_blocks",
    ),
}  # fmt: skip
