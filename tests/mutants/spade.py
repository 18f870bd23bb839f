"""Mistakes in SPADE. Traps are of public ports."""

from mutants import Mutant

SPADE, NETWORKS, PATCHGAN = "translation/spade.py", "translation/shared/spade.py", "nn/patchgan.py"
SCALES = "translation/shared/multiscale.py"
TESTS, TWINS = "test_spade.py::test_", "twins/test_spade.py::test_"
SCALED = TESTS + "spade_scales_by_one_and_what_is_learned"
NEAREST = TESTS + "label_maps_are_resized_by_their_nearest_label"
PARAMETERS = TESTS + "the_published_generator_has_as_many_parameters_as_the_authors"
FIRST = TESTS + "the_first_map_of_a_published_generator_is_a_32nd"
SEES = TESTS + "a_critic_pads_by_two_and_sees_70_pixels"
GENERATOR, FUNCTIONS = TWINS + "spades_generator", TWINS + "spades_functions"
DISCRIMINATOR = TWINS + "spades_discriminator"

SPADES = {
    "spade trap: gamma without 1": Mutant(
        NETWORKS, "return x * (1.0 + gamma) + beta", "return x * gamma + beta", SCALED
    ),
    "spade: no shift": Mutant(
        NETWORKS, "return x * (1.0 + gamma) + beta", "return x * (1.0 + gamma) + 0 * beta", SCALED
    ),
    "spade trap: labels as numbers": Mutant(
        SPADE, 'm = jax.nn.one_hot(batch["segmentation"], classes)',
        'm = batch["segmentation"][..., None] * jnp.ones(classes)', GENERATOR,
    ),
    "spade trap: label maps resized bilinearly": Mutant(
        NETWORKS, "return m[:, ::factor, ::factor]",
        "b, h, w, c = m.shape\n"
        "    return m.reshape(b, h // factor, factor, w // factor, factor, c).mean((2, 4))",
        NEAREST,
    ),
    "spade trap: the nearest as jax.image has it": Mutant(
        NETWORKS, "return m[:, ::factor, ::factor]",
        "return m[:, factor // 2 :: factor, factor // 2 :: factor]", NEAREST,
    ),
    "spade trap: label maps not mirrored with their pictures": Mutant(
        "data/kinds.py", '"segmentation": Kind(np.int32, mirror=lambda x: x[..., ::-1],',
        '"segmentation": Kind(np.int32, mirror=lambda x: x,',
        "test_kinds.py::test_all_that_belongs_to_an_example_is_mirrored_with_it",
    ),
    "spade trap: means of what lies beyond the border": Mutant(
        SCALES, "count_include_pad=False", "count_include_pad=True",
        TESTS + "halving_does_not_count_what_is_beyond_the_border",
    ),
    "spade: no spectral norm in the blocks": Mutant(
        NETWORKS, "return layer(module, True, train)(x)", "return layer(module, False, train)(x)",
        FIRST,
    ),
    "spade: no middle of the fewer channels": Mutant(
        NETWORKS, "min(x.shape[-1], self.features)", "x.shape[-1]", PARAMETERS
    ),
    "spade: critics that pad by one": Mutant(
        SCALES, "self.normalization, 2, self.dtype", "self.normalization, 1, self.dtype", SEES
    ),
    "spade: one scale seen twice": Mutant(
        SCALES, "            x = halved(x)\n", "", SEES
    ),
    "spade: critics without an instance norm": Mutant(
        PATCHGAN, '"instance" in self.normalization', 'self.normalization == "instance"',
        TESTS + "a_critics_inner_layers_have_both_norms_and_the_others_none",
    ),
    "spade: spectral norm on all of a critic's layers": Mutant(
        PATCHGAN, "spectral or (both and inner)", "spectral or both",
        TESTS + "a_critics_inner_layers_have_both_norms_and_the_others_none",
    ),
    "spade: D without labels": Mutant(
        SPADE, "pairs = [paired(m, image) for image in (batch[target], fake)]",
        "pairs = [paired(0 * m, image) for image in (batch[target], fake)]",
        DISCRIMINATOR,
    ),
    "spade: real and fake exchanged": Mutant(
        SCALES, "jnp.mean(of(real[0], fake[0]))", "jnp.mean(of(fake[0], real[0]))",
        DISCRIMINATOR,
    ),
    "spade: scales summed": Mutant(
        SPADE, "return sum(terms) / len(terms), Aux", "return sum(terms), Aux", DISCRIMINATOR
    ),
    "spade: squares of D's maps": Mutant(
        SCALES, "fake[1], power=1", "fake[1], power=2", GENERATOR
    ),
    "spade: the weight of matching left out": Mutant(
        SPADE, "settings.matching * metrics[", "1.0 * metrics[", GENERATOR
    ),
    "spade trap: the mean of KL over the batch": Mutant(
        SPADE, "jnp.mean(kl) * len(kl) * replicas.size()", "jnp.mean(kl)", GENERATOR
    ),
    "spade: a deviation that is the variance": Mutant(
        SPADE, "jnp.exp(0.5 * log_variance) * noise", "jnp.exp(log_variance) * noise", GENERATOR
    ),
    "spade: the layers' importance left out": Mutant(
        "features/backbone.py", "POWERS[settings.distance], settings.importance)",
        "POWERS[settings.distance])", GENERATOR,
    ),
    "spade trap: statistics of the batch in use": Mutant(
        SPADE, "return {target: generator(variables, labels(batch), z)}",
        "return {target: generator.train(variables, labels(batch), z)[0]}", FUNCTIONS,
    ),
    "spade: one style for all of a batch": Mutant(
        SPADE, "z = normal(example_keys(key, batch), (settings.encoder.size,)) if",
        "z = jnp.zeros((len(batch[target]), settings.encoder.size)) if", FUNCTIONS,
    ),
    "spade: borders to the right and below alone": Mutant(
        NETWORKS, "return (sides[0] | sides[1]).astype(jnp.float32)",
        "return jnp.pad(right, ((0, 0), (0, 0), (0, 1))).astype(jnp.float32)", GENERATOR,
    ),
}  # fmt: skip
