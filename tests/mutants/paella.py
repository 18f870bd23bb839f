"""Mistakes in Paella. Traps are of its published scripts."""

from mutants import Mutant

RENOISED, SYSTEM = "multimodal/shared/renoised.py", "multimodal/paella.py"
NETWORK = "nn/code_unet.py"
TESTS, TWINS = "test_paella.py::test_", "twins/test_paella.py::test_"
RANDOM = TESTS + "random_codes_are_uniform"
ENDS = TESTS + "of_share_one_nothing_is_left_and_of_share_zero_all"
EACH = TESTS + "each_code_is_noised_with_the_probability_of_its_example"
WEIGHTS = TESTS + "codes_that_are_shown_weigh_less_the_less_is_noised"
FIRST = TESTS + "what_is_noised_again_always_shows_the_first_noise_at_positions_drawn_anew"
ROUNDS = TESTS + "only_the_first_rounds_are_followed_by_noise"
KNOWN = TESTS + "known_codes_are_shown_in_each_round_and_stay"
START = TESTS + "a_start_in_between_keeps_a_share_of_the_codes"
COLD = TESTS + "the_temperature_goes_from_the_first_rounds_to_the_last_ones"
GRID = TESTS + "the_network_sees_the_grid_and_the_share"
LOSS, SAMPLES = TWINS + "the_loss", TWINS + "samples"
VARY = TWINS + "variations_begin_at_the_images_codes"
HALF = TWINS + "the_known_half_stays_when_the_other_is_made_anew"

PAELLAS = {
    "paella: one value is never drawn": Mutant(
        RENOISED, "(length,), 0, count)", "(length,), 1, count)", RANDOM
    ),
    "paella: the codes that stay are noised": Mutant(
        RENOISED,
        "chosen = uniform(keys, codes.shape[1:]) < share",
        "chosen = uniform(keys, codes.shape[1:]) > share",
        f"{ENDS} {EACH}",
    ),
    "paella: one coin for all codes of an example": Mutant(
        RENOISED, "uniform(keys, codes.shape[1:])", "uniform(keys, (1,))", EACH
    ),
    "paella: noised codes weigh less": Mutant(RENOISED, "(1.0 - chosen)", "chosen", WEIGHTS),
    "paella: the more is noised, the less shown codes weigh": Mutant(
        RENOISED, "(1.0 - share[:, None])", "share[:, None]", WEIGHTS
    ),
    "paella trap: fresh noise in each round": Mutant(
        RENOISED,
        "codes, _ = noised(codes, noise, share, keys)",
        "fresh = random_codes(keys, codes.shape[1], 5)\n"
        "        codes, _ = noised(codes, fresh, share, keys)",
        FIRST,
    ),
    "paella trap: the same positions in each round": Mutant(
        RENOISED, "at(own[:, 1], drawn, again)", "at(first, drawn, again)", FIRST
    ),
    "paella: as much noise as before": Mutant(
        RENOISED, "jnp.where(number < renoised, next_share, 0.0)", "share", FIRST
    ),
    "paella: noise after each round": Mutant(
        RENOISED, "jnp.where(number < renoised, next_share, 0.0)", "next_share", ROUNDS
    ),
    "paella: one round's draws in all": Mutant(
        RENOISED, "jax.random.fold_in(key, number + 1)", "jax.random.fold_in(key, 1)", FIRST
    ),
    "paella: the network is told the next share": Mutant(
        RENOISED, "logits_of(shown, share)", "logits_of(shown, next_share)", FIRST
    ),
    "paella: known codes are drawn again": Mutant(
        RENOISED,
        "return jnp.where(known, codes, at(own[:, 1], drawn, again)), None",
        "return at(own[:, 1], drawn, again), None",
        KNOWN,
    ),
    "paella: known codes are noised at first": Mutant(
        RENOISED,
        "begun = jnp.where(known, codes,",
        "begun = jnp.where(known & False, codes,",
        KNOWN,
    ),
    "paella: all is noise at first": Mutant(
        RENOISED, "jnp.full(len(codes), start)", "jnp.ones(len(codes))", START
    ),
    "paella: shares fall from one whatever the start": Mutant(
        RENOISED, "jnp.linspace(start, 0.0,", "jnp.linspace(1.0, 0.0,", START
    ),
    "paella: from cold to hot": Mutant(
        RENOISED,
        "jnp.linspace(*temperatures, steps)",
        "jnp.linspace(*temperatures[::-1], steps)",
        COLD,
    ),
    "paella: the grid's columns read as rows": Mutant(
        NETWORK,
        "h = h.reshape(-1, *self.shape, unet.width)",
        "h = h.reshape(-1, *self.shape, unet.width).swapaxes(1, 2)",
        GRID,
    ),
    "paella: the share is told as a number below one": Mutant(
        NETWORK, "TIMES * share", "share", GRID
    ),
    "paella: the network sees what it is to find": Mutant(
        SYSTEM, "(shown, share), hidden", "(z, share), hidden", LOSS
    ),
    "paella: one share for all examples": Mutant(
        SYSTEM,
        "share = uniform(share_keys, ())",
        "share = uniform(share_keys, ())[:1].repeat(len(z))",
        LOSS,
    ),
    "paella trap: one coin for the captions of a batch": Mutant(
        SYSTEM, "model.hidden(hide_keys)", "model.hidden(hide_keys[:1])[0]", LOSS
    ),
    "paella: no smoothing": Mutant(SYSTEM, "outputs, settings.smoothing", "outputs, 0.0", LOSS),
    "paella: a loss of noised codes alone": Mutant(
        SYSTEM, "settings.smoothing, weight)", "settings.smoothing, weight * chosen)", LOSS
    ),
    "paella: weights that do not sum to one": Mutant(
        SYSTEM,
        "weight / jnp.sum(weight, axis=1, keepdims=True)",
        "weight / model.tokens.length",
        LOSS,
    ),
    "paella: the network is told another share": Mutant(
        SYSTEM, "(codes, share))", "(codes, 1.0 - share))", SAMPLES
    ),
    "paella: one temperature": Mutant(
        SYSTEM, "sampler.temperature, sampler.last_temperature", "1.0, 1.0", SAMPLES
    ),
    "paella: variations of nothing": Mutant(
        SYSTEM, "jnp.zeros(z.shape, bool), sampler.variation", "jnp.zeros(z.shape, bool)", VARY
    ),
    "paella: what is known is made anew": Mutant(
        SYSTEM, "codes, noise, known, keys", "codes, noise, ~known, keys", HALF
    ),
    "paella: what is noised and by what by one key": Mutant(
        "multimodal/paella.py",
        "example_keys(k, batch) for k in jax.random.split(key, 5)",
        "example_keys(key, batch) for k in jax.random.split(key, 5)",
        "twins/test_keys.py::test_every_draw_has_a_key_of_its_own",
    ),
}
