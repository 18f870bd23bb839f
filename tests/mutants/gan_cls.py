"""Mistakes in GAN-INT-CLS. Traps are of public ports."""

from mutants import Mutant

CONVOLUTIONS = "test_convolutions_by_hand.py::test_"
GAN, NETWORKS = "multimodal/gan_cls.py", "shared/text_gan.py"
CLIP = "clip_stage.py"
TESTS, TWINS = "test_gan_cls.py::test_", "twins/test_gan_cls.py::test_"
JUDGING, DRAWING = TWINS + "the_discriminators_loss", TWINS + "the_generators_loss"
SAMPLES = TWINS + "samples_of_captions_and_of_a_prompt"
ALIKE = TESTS + "eight_devices_pair_texts_and_pictures_as_one_does"
LAYERS = TESTS + "the_published_networks_have_the_authors_layers"

GAN_CLSES = {
    "gan_cls trap: a wrong picture that fits the text": Mutant(
        GAN, 'differs = jnp.any(captions[following] != batch["caption"][:, None], axis=-1)',
        "differs = jnp.ones(following.shape, bool)", f"{JUDGING} {ALIKE}",
    ),
    "gan_cls trap: weights 1 + 1 + 1": Mutant(
        GAN, "loss = (1.0 - m) * log_loss(real, fake) + m * log_loss(real, wrong)",
        "loss = log_loss(real, fake) + jax.nn.softplus(wrong)", JUDGING,
    ),
    "gan_cls: the text is exchanged": Mutant(
        GAN, "discriminator.train(variables, others(batch), t)",
        'discriminator.train(variables, batch["image"], jnp.roll(t, -1, 0))', JUDGING,
    ),
    "gan_cls trap: interpolation in D": Mutant(
        GAN, "fakes, _ = generator.train(variables, latent(key, batch), t)",
        "fakes, _ = generator.train(variables, latent(key, batch), 0.5 * (t + jnp.roll(t, 8, 0)))",
        JUDGING,
    ),
    "gan_cls: D judges real, wrong and fake in one batch of the norm": Mutant(
        GAN, 'real, state = discriminator.train(variables, batch["image"], t)',
        'real = discriminator(variables, batch["image"], t); '
        'state = variables.state["discriminator"]', JUDGING,
    ),
    "gan_cls: neighbours for halves": Mutant(
        GAN, "(every[own] + every[own + half])", "(every[2 * own] + every[2 * own + 1])",
        f"{DRAWING} {ALIKE}",
    ),
    "gan_cls: each device pairs its own texts": Mutant(
        GAN, "every = replicas.gather(t)", "every = jnp.tile(t, (replicas.size(), 1))", ALIKE
    ),
    "gan_cls: means have the latents of their texts": Mutant(
        GAN, "latent(jax.random.fold_in(key, 1), own)", "latent(key, own)", DRAWING
    ),
    "gan_cls: means alone": Mutant(
        GAN, "jnp.concatenate([t, means])", "jnp.concatenate([means, means, means])", DRAWING
    ),
    "gan_cls: embeddings of unit length": Mutant(
        CLIP, '["embedding"] * width**0.5', '["embedding"]', f"{JUDGING} {DRAWING}"
    ),
    "gan_cls: the prompt is not read": Mutant(
        GAN, "clip.text(variables, asked(batch), key)", "clip.text(variables, batch, key)", SAMPLES
    ),
    "gan_cls: batch statistics in use": Mutant(
        GAN, 'return {"image": generator(variables, latent(key, batch), t)}',
        'return {"image": generator.train(variables, latent(key, batch), t)[0]}', SAMPLES,
    ),
    "gan_cls: G without the text": Mutant(
        NETWORKS, "jnp.concatenate([z.astype(t.dtype), t], axis=-1)", "z", LAYERS
    ),
    "gan_cls: an activation between the last two maps": Mutant(
        NETWORKS, "x = x if level == levels - 1 > 1 else leaky(x)", "x = leaky(x)",
        TESTS + "between_the_last_two_maps_there_is_no_activation",
    ),
    "gan_cls: a bottleneck of half the channels": Mutant(
        NETWORKS, "h = self.activation(conv(x, features // 4, 1))",
        "h = self.activation(conv(x, features // 2, 1))", LAYERS,
    ),
    "gan_cls: one bottleneck in G": Mutant(NETWORKS, "if level < 2:", "if level < 1:", LAYERS),
    "gan_cls: any stage will do": Mutant(
        CLIP, 'if not {"encode_image", "encode_text"} <= set(model.functions):', "if False:",
        TESTS + "a_clip_of_other_captions_is_refused",
    ),
    "gan_cls: any captions will do": Mutant(
        CLIP,
        "if (theirs.shape, tuple(theirs.symbols)) != (caption.shape, tuple(caption.symbols)):",
        "if False:", TESTS + "a_clip_of_other_captions_is_refused",
    ),
    "gan_cls: patches judged by another slope": Mutant(
        "nn/patchgan.py",
        "nn.leaky_relu(norm(x), 0.2)",
        "nn.leaky_relu(norm(x), 0.1)",
        CONVOLUTIONS + "the_discriminator_of_patches",
    ),
    "gan_cls: D's block without its activation": Mutant(
        "multimodal/shared/text_gan.py",
        "x = leaky(Bottleneck(leaky, train, self.dtype)(x))",
        "x = Bottleneck(leaky, train, self.dtype)(x)",
        CONVOLUTIONS + "the_networks_of_texts",
    ),
    "gan_cls: G's text is cut at zero": Mutant(
        "multimodal/shared/text_gan.py",
        "t = leaky(nn.Dense(self.text, kernel_init",
        "t = nn.relu(nn.Dense(self.text, kernel_init",
        CONVOLUTIONS + "the_networks_of_texts",
    ),
    "gan_cls: patches' first weights by their number": Mutant(
        "nn/patchgan.py",
        "                kernel_init=WEIGHTS, dtype=self.dtype,",
        "                dtype=self.dtype,",
        "test_first_weights_of_transformers.py::test_first_weights",
    ),
}  # fmt: skip
