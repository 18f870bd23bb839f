"""Mistakes of chance and of use: draws, keys, modes of networks, rates, where chains start."""

from mutants import Mutant

DRAWS, STYLES = "augmentation/draws.py", "shared/style_functions.py"
STYLEGAN, STYLEGAN2 = "adversarial/stylegan.py", "stylegan2/system.py"
BELIEF, RBM, DEEP = "energy/deep_belief.py", "energy/rbm.py", "energy/deep_boltzmann.py"
ANNEALING = "energy/shared/annealing.py"
GAN, LATENTS = "adversarial/gan.py", "adversarial/shared/styles.py"

SIZES = (
    "test_augmentation.py::test_changes_are_as_large_as_the_authors_and_know_nothing_of_one_another"
)
OWN_SIDE = (
    "test_stylegan.py::test_a_phase_has_the_rates_of_its_own_side_and_groups_of_the_recipes_size"
)
ROWS = (
    "twins/test_stylegan2.py::"
    "test_all_images_of_a_row_have_its_noise_and_films_follow_the_great_circle"
)
LAYER = "test_deep_belief.py::test_a_layers_gradient_is_outer_products_of_draws_of_what_is_below"
STARTS = "test_energy_starts.py::test_visible_units_begin_with_the_means_of_the_first_batch"
RUNS = "test_energy_starts.py::test_annealing_draws_whatever_the_machines_own_chains_do"
PAPERS = "twins/test_recipes.py::test_numbers_of_the_papers"

CHANCES = {
    "ada: scales of twice the deviation": Mutant(
        DRAWS, "scale=factor(0.2)", "scale=factor(0.4)", SIZES
    ),
    "ada: brightness of half the deviation": Mutant(
        DRAWS, "brightness=lambda key: 0.2 *", "brightness=lambda key: 0.1 *", SIZES
    ),
    "ada: contrast of a whole octave": Mutant(
        DRAWS, "contrast=factor(0.5)", "contrast=factor(1.0)", SIZES
    ),
    "ada: saturation of half an octave": Mutant(
        DRAWS, "saturation=factor(1.0)", "saturation=factor(0.5)", SIZES
    ),
    "ada: turns to one side": Mutant(
        DRAWS, "jax.random.uniform(key, minval=-1.0, maxval=1.0)",
        "jax.random.uniform(key, minval=0.0, maxval=1.0)", SIZES,
    ),
    "ada: shifts by a quarter": Mutant(
        DRAWS, "minval=-0.125, maxval=0.125", "minval=-0.25, maxval=0.25", SIZES
    ),
    "ada: one key for whether and for how much": Mutant(
        DRAWS, "gate, own = jax.random.split(jax.random.fold_in(key, number))",
        "gate = own = jax.random.fold_in(key, number)", SIZES,
    ),
    "ada: one key for all changes": Mutant(
        DRAWS, "jax.random.split(jax.random.fold_in(key, number))", "jax.random.split(key)", SIZES
    ),
    "ada: reals changed as the fakes beside them": Mutant(
        STYLEGAN2, 'self.judged(variables, batch["image"], batch, seen_real)',
        'self.judged(variables, batch["image"], batch, seen_fake)',
        "twins/test_stylegan2.py::test_all_that_d_sees_is_augmented",
    ),
    "ada: a target of 0.7": Mutant(
        "augmentation/probability.py", "target: float | None = 0.6", "target: float | None = 0.7",
        PAPERS + "[stylegan2_fashion:published]",
    ),
    "stylegan: rates of the data's side in every phase": Mutant(
        STYLEGAN, "_at(own.optimizer, growth.side)", "_at(own.optimizer, nets.shape[0])", OWN_SIDE
    ),
    "stylegan: groups of four whatever the recipe says": Mutant(
        STYLEGAN, "Critic(group=settings.discriminator.group, blur=True",
        "Critic(blur=True", OWN_SIDE,
    ),
    "styles: cuts by the keys of the latents": Mutant(
        LATENTS, "cuts(example_keys(keys[2], batch), share, nets.layers)",
        "jnp.where(jax.vmap(jax.random.bernoulli)(example_keys(keys[0], batch)), 1, nets.layers)",
        "twins/test_stylegan2.py::test_the_generator",
    ),
    "styles: rows of other examples' noise": Mutant(
        STYLES, "jnp.repeat(x, count, axis=0) for x in maps",
        "jnp.tile(x, (count, 1, 1, 1)) for x in maps", ROWS,
    ),
    "styles: variations of one noise": Mutant(
        STYLES, "maps = nets.maps(example_keys(k, batch))",
        "maps = nets.maps(example_keys(second, batch))", ROWS,
    ),
    "styles: films along the chord": Mutant(
        STYLES, "z = path(*(latents(nets, k, batch) for k in keys), FRAMES)",
        "a, b = (latents(nets, k, batch) for k in keys)\n"
        "        z = a[:, None] + jnp.linspace(0.0, 1.0, FRAMES)[:, None] * (b - a)[:, None]",
        ROWS,
    ),
    "projection: w shaken by ten times as much": Mutant(
        "stylegan2/projection.py", "scale = 0.05 * sigma", "scale = 0.5 * sigma",
        "test_stylegan2_projection.py::test_w_is_shaken_by_less_and_less",
    ),
    "projection: w shaken to the end": Mutant(
        "stylegan2/projection.py", "jnp.maximum(0.0, 1.0 - share / 0.75) ** 2",
        "(1.0 - share) ** 2", "test_stylegan2_projection.py::test_w_is_shaken_by_less_and_less",
    ),
    "path length: steps in the first half of a path": Mutant(
        "shared/path_length.py", "t = uniform(example_keys(t_key, batch), ())",
        "t = 0.5 * uniform(example_keys(t_key, batch), ())",
        "test_stylegan2_projection.py::"
        "test_both_images_of_a_step_have_one_noise_and_steps_begin_anywhere_on_the_path",
    ),
    "path length: each batch begins with the first class": Mutant(
        "shared/path_length.py", "index = first + jnp.arange(", "index = 0 * first + jnp.arange(",
        "test_stylegan2_projection.py::test_path_lengths_are_of_all_classes_in_turn_or_of_one",
    ),
    "lapgan: classes of the data's labels": Mutant(
        "adversarial/lapgan.py", 'sample(variables, {**batch, "label": jnp.full_like(',
        'sample(variables, {**batch, "label": 0 * jnp.full_like(',
        "twins/test_lapgan.py::test_classes_are_shown_in_turn_by_the_same_noise",
    ),
    "aae: the manifold from end to end": Mutant(
        "autoencoders/adversarial_autoencoder.py", "steps = (jnp.arange(FRAMES) + 0.5) / FRAMES",
        "steps = (jnp.arange(FRAMES) + 0.5) / (FRAMES + 1)",
        "twins/test_adversarial_autoencoders.py::test_functions_of_codes",
    ),
    "progan: D's fakes by running statistics": Mutant(
        "adversarial/progan.py",
        "fakes, _ = generator.train(variables, latents(batch, latent_key), share)",
        "fakes = generator(variables, latents(batch, latent_key), share)",
        "twins/test_progan.py::test_a_stable_phase",
    ),
    "srgan: G judged by D's running statistics": Mutant(
        "translation/srgan.py",
        "(discriminator.train(variables, image)[0] for image in (x, y))",
        "(discriminator(variables, image) for image in (x, y))",
        "twins/test_srgan.py::test_srgans_generator[None]",
    ),
    "gan: real and fake labels by one key": Mutant(
        GAN, "tricks.noisy_labels(fake_keys, *trick.fake_label)",
        "tricks.noisy_labels(real_keys, *trick.fake_label)",
        "twins/test_gan.py::test_soft_labels",
    ),
    "gan: the penalty's two draws by one key": Mutant(
        GAN, "tricks.pack(uniform(shift_keys, game.shape), packing)",
        "tricks.pack(uniform(mix_keys, game.shape), packing)",
        "twins/test_gan.py::test_penalties[dragan]",
    ),
    "dbn: layers below with the top's decay": Mutant(
        BELIEF, "loss = data - model + 0.5 * own.decay",
        "loss = data - model + 0.5 * settings.decay", LAYER,
    ),
    "dbn: layers below by one step whatever the recipe says": Mutant(
        BELIEF, "example_keys(of_chains, batch), v, below.negatives)",
        "example_keys(of_chains, batch), v, 1)", LAYER,
    ),
    "dbn: chains of layers below from noise": Mutant(
        BELIEF, "example_keys(of_chains, batch), v, below.negatives)",
        "example_keys(of_chains, batch), 1.0 - v, below.negatives)", LAYER,
    ),
    "rbm: visible biases that begin at 0": Mutant(
        RBM, '        params["b"] = biases_of(state["mean"])\n', "", STARTS + "[rbm]"
    ),
    "rbm: Gaussian units begin with log odds": Mutant(
        RBM, '"gaussian": lambda mean: mean}', '"gaussian": machine.logit}', STARTS + "[gaussian]"
    ),
    "dbm: visible biases that begin at 0": Mutant(
        DEEP, 'return first | {"b": machine.logit(mean)}, second, mean',
        "return first, second, mean", STARTS + "[deep_boltzmann]",
    ),
    "annealing: runs of means": Mutant(
        ANNEALING, "return rbm._replace(drawn=True).sweep(", "return rbm.sweep(", RUNS
    ),
    "annealing: independent units' Z without the hidden ones": Mutant(
        ANNEALING, " + len(params[\"c\"]) * jnp.log(2.0)", "", RUNS
    ),
    "classifier: what is held out is trained on": Mutant(
        "evaluation/classifier.py", "images, labels = images[order[held:]], labels[order[held:]]",
        "images, labels = images[order], labels[order]",
        "evaluation/test_classifier.py::"
        "test_the_tenth_whose_labels_are_compared_is_not_trained_on",
    ),
    "srgan: features with ten times their weight": Mutant(
        "configs/srgan_scenes.py", "perceptual=0.006,", "perceptual=0.06,",
        PAPERS + "[srgan_scenes:published]",
    ),
    "spade: one rate for both players": Mutant(
        "configs/spade_scenes.py", "optimizer=adam(4e-4)", "optimizer=adam(1e-4)",
        PAPERS + "[spade_scenes:published]",
    ),
    "simgan: lambda of the smaller pictures": Mutant(
        "configs/simgan_scenes.py", "regularization=0.5, history=25_600,", "history=25_600,",
        PAPERS + "[simgan_scenes:published]",
    ),
    "motion: heat maps of another temperature": Mutant(
        "shared/motion.py", "temperature: Annotated[float, above(0.0)] = 0.1",
        "temperature: Annotated[float, above(0.0)] = 1.0",
        PAPERS + "[first_order_motion_dancers:published]",
    ),
}  # fmt: skip
