"""Mistakes in RIDE, in the video pixel network, and in moving digits."""

from mutants import Mutant

RIDE, MIXTURE = "autoregressive/ride.py", "nn/gaussian_scales.py"
LSTM, VPN = "shared/spatial_lstm.py", "autoregressive/video_pixel_network.py"
UNITS, MOVING = "nn/multiplicative.py", "data/moving.py"
OF_RIDE, OF_VPN, OF_MOVING = (
    f"test_{name}.py::test_" for name in ("ride", "video_pixels", "moving_digits")
)
TWIN, VPN_TWIN = (f"twins/test_spatial.py::test_{n}" for n in ("ride", "video_pixel_network"))
WALK = OF_RIDE + "the_spatial_lstm_against_a_walk_over_its_pixels"
EQUATIONS = OF_RIDE + "a_mixture_is_its_equations_and_a_density"
SIGHT = OF_VPN + "a_pixel_sees_all_before_it_and_nothing_of_itself_or_after"
STEPS = OF_MOVING + "a_digit_steps_first_then_stops_and_turns_at_an_edge"
MEMORY = OF_VPN + "the_memory_is_its_equations_and_goes_on_from_where_it_was"

SPATIAL = {
    "ride trap: an output gate outside the tanh": Mutant(
        LSTM, "jnp.tanh(c * nn.sigmoid(o))", "nn.sigmoid(o) * jnp.tanh(c)", WALK
    ),
    "ride: the cell above by the left one's gate": Mutant(
        LSTM, "left * nn.sigmoid(column) + above * nn.sigmoid(row)",
        "left * nn.sigmoid(row) + above * nn.sigmoid(column)", WALK,
    ),
    "ride: a diagonal that sees its own row twice": Mutant(
        LSTM, "tuple(_down(state) for state in states)", "states", WALK
    ),
    "ride: drawn after the left cell of the row above": Mutant(
        LSTM, "jnp.maximum(column - 1, 0), 2, False) * (column > 0)",
        "jnp.maximum(column - 1, 0), 2, False)",
        OF_RIDE + "samples_are_those_of_a_walk_that_applies_the_network_to_all_of_it_each_time",
    ),
    "ride: weights of another start": Mutant(
        LSTM, "uniform(0.16)(key, shape, dtype) - 0.08", "uniform(0.16)(key, shape, dtype) - 0.16",
        OF_RIDE + "it_begins_with_the_papers_weights",
    ),
    "ride trap: a gate without e^alpha": Mutant(
        MIXTURE, "0.5 * jnp.exp(scale) * energy[..., None]", "0.5 * energy[..., None]",
        OF_RIDE + "the_conditional_of_a_gaussian_scale_mixture_is_one",
    ),
    "ride trap: a gate over components alone": Mutant(
        MIXTURE, "jax.nn.logsumexp(gate, axis=(-2, -1), keepdims=True)",
        "jax.nn.logsumexp(gate, axis=-2, keepdims=True)", EQUATIONS,
    ),
    "ride: an expert's deviation as its precision": Mutant(
        MIXTURE, "0.5 * (log_precision - LOG_2PI - far)", "0.5 * (-log_precision - LOG_2PI - far)",
        EQUATIONS,
    ),
    "ride: features that are not squared": Mutant(
        MIXTURE, "(x @ features) ** 2 @ (weights**2).T", "(x @ features) @ (weights**2).T",
        EQUATIONS,
    ),
    "ride: draws of another component's mean": Mutant(
        MIXTURE, "mean[number // self.scales]", "mean[number % self.components]",
        OF_RIDE + "draws_follow_the_density",
    ),
    "ride trap: no log |det|": Mutant(
        RIDE, "net(variables, z) + jnp.log(t[SEEN, SEEN])", "net(variables, z)", TWIN
    ),
    "ride trap: pixels without noise": Mutant(
        RIDE, "(levels + uniform(keys, levels.shape[1:])) / LEVELS",
        "(levels + 0.0 * uniform(keys, levels.shape[1:])) / LEVELS", TWIN,
    ),
    "ride: bits without ln 2": Mutant(
        RIDE, "nats / (interior * math.log(2.0))", "nats / interior", TWIN
    ),
    "ride trap: the transposed factor": Mutant(
        RIDE, "solve_triangular(factor, identity, lower=True)",
        "solve_triangular(factor.T, identity, lower=False)",
        OF_RIDE + "whitened_pixels_have_covariance_one_with_their_noise",
    ),
    "ride: sees the pixel itself": Mutant(
        RIDE, "values[:, number // WIDE :, number % WIDE :]",
        "values[:, number // WIDE :, (number + number // 10) % WIDE :]",
        OF_RIDE + "what_each_pixel_sees",
    ),
    "ride: draws without the linear prediction": Mutant(
        RIDE, "(y - before @ t[SEEN, :SEEN]) / t[SEEN, SEEN]", "y / t[SEEN, SEEN]",
        OF_RIDE + "samples_are_those_of_a_walk_that_applies_the_network_to_all_of_it_each_time",
    ),
    "photographs: trained on their test columns": Mutant(
        "data/photographs.py", 'pictures[..., :-TEST] if split == "train"',
        'pictures if split == "train"',
        OF_RIDE + "photographs_are_crops_with_a_split_by_columns",
    ),
    "vpn trap: a multiplicative unit in the layer of mask A": Mutant(
        UNITS, 'x = point(2 * self.width, reach=self.reach, kind="A")(x)',
        'x = multiplicative(point(2 * self.width)(x),'
        ' point(8 * self.width, reach=self.reach, kind="A")(x))',
        SIGHT,
    ),
    "vpn: mask B in the first layer": Mutant(
        UNITS, 'reach=self.reach, kind="A"', 'reach=self.reach, kind="B"', SIGHT
    ),
    "vpn: a unit that does not carry h": Mutant(
        UNITS, "nn.sigmoid(g2) * h + nn.sigmoid(g3)", "nn.sigmoid(g2) + nn.sigmoid(g3)",
        OF_VPN + "a_multiplicative_unit_by_hand",
    ),
    "vpn: a memory without its forget gate": Mutant(
        UNITS, "nn.sigmoid(f) * c + nn.sigmoid(i)", "c + nn.sigmoid(i)", MEMORY
    ),
    "vpn: a memory of the pixels' columns and rows exchanged": Mutant(
        UNITS, "padded[:, i : i + height, j : j + width]",
        "padded[:, j : j + height, i : i + width]", MEMORY,
    ),
    "vpn trap: maps that know the frame itself": Mutant(
        VPN, "for x in (maps[:, known - 1 :], films[:, known:])",
        "for x in (maps[:, known - 1 :], films[:, known - 1 : -1])", VPN_TWIN,
    ),
    "vpn: one frame given less is scored": Mutant(
        VPN, "encoder(variables, films[:, :-1])", "encoder(variables, films[:, 1:])", VPN_TWIN
    ),
    "vpn trap: the likeliest in place of draws": Mutant(
        VPN, "here, math.prod(shape), maps, **sampler)",
        'here, math.prod(shape), maps, **sampler | {"temperature": 0.0})',
        OF_VPN + "films_are_drawn_as_by_networks_that_see_all_of_them_each_time",
    ),
    "vpn: draws forget the frame just drawn": Mutant(
        VPN, "encoder(variables, x[:, None], memory)", "encoder(variables, 0 * x[:, None], memory)",
        OF_VPN + "films_are_drawn_as_by_networks_that_see_all_of_them_each_time",
    ),
    "vpn: draws with one frame's keys": Mutant(
        VPN, "jax.random.fold_in, (0, None))(keys, number)",
        "jax.random.fold_in, (0, None))(keys, 0 * number)",
        OF_VPN + "films_are_drawn_as_by_networks_that_see_all_of_them_each_time",
    ),
    "vpn: white and black exchanged": Mutant(
        VPN, "jax.nn.sigmoid(outputs.astype", "jax.nn.sigmoid(-outputs.astype",
        OF_VPN + "one_logit_draws_the_grey_value_that_it_expects",
    ),
    "vpn trap: grey values drawn as black or white": Mutant(
        VPN, "distance = jnp.abs(position - jnp.arange(levels))",
        "distance = jnp.abs(position - jnp.arange(levels)) / (levels - 1)",
        OF_VPN + "one_logit_draws_the_grey_value_that_it_expects",
    ),
    "moving digits: a film that begins before its first step": Mutant(
        MOVING, "        at = at + velocity\n", "        at = at + velocity * bool(found)\n", STEPS
    ),
    "moving digits trap: a digit that bounces without stopping": Mutant(
        MOVING, "np.clip(at, 0.0, 1.0)", "1 - np.abs(1 - np.abs(at))", STEPS
    ),
    "moving digits trap: trained on the test digits": Mutant(
        MOVING, "base_of(dataclasses.replace(config, size=None), split)",
        'base_of(dataclasses.replace(config, size=None), "train")',
        OF_MOVING + "frames_show_a_digit_of_the_split_where_it_is",
    ),
    "moving digits: positions rounded to nearest": Mutant(
        MOVING, "((side - height) * path(*draws[1:], frames)).astype(int)",
        "((side - height) * path(*draws[1:], frames)).round().astype(int)",
        OF_MOVING + "frames_show_a_digit_of_the_split_where_it_is",
    ),
    "moving digits: the sum of two": Mutant(
        MOVING, "np.maximum(video, film)", "video + film",
        OF_MOVING + "of_two_digits_the_brighter_pixel_is_seen",
    ),
    "moving digits trap: nine frames of ten are scored": Mutant(
        "judging/continuations.py", "films[:, known:]\n", "films[:, known + 1 :]\n",
        OF_MOVING + "what_films_cost_without_a_model",
    ),
}  # fmt: skip
