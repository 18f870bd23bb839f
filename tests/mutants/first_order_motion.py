"""Mistakes in the first-order motion model. Traps are of public ports."""

from mutants import Mutant

SYSTEM, NETWORKS = "translation/first_order_motion.py", "shared/motion.py"
WARPING = "shared/warping.py"
TESTS, TWINS = "test_first_order_motion.py::test_", "twins/test_first_order_motion.py::test_"
LOSS, FUNCTIONS = TWINS + "the_loss", TWINS + "the_functions"
EQUIVARIANT = TESTS + "an_equivariant_detector_has_no_equivariance_loss"
AFFINE = TESTS + "keypoints_of_a_film_that_moves_affinely_say_how_each_pixel_moves"
HEAT = TESTS + "heat_at_a_pixel_is_a_keypoint_there"
DEFORMED = TESTS + "a_deformation_is_affine_and_a_spline_of_absolute_distances"
PARAMETERS = TESTS + "the_published_networks_have_the_papers_layers"
WARPED = TESTS + "a_warp_by_an_affine_map_is_exact_to_interpolation"
RELATIVE = TESTS + "a_film_of_the_same_person_moves_it_as_it_moved"

FIRST_ORDER_MOTIONS = {
    "fomm trap: T applied to the driving points": Mutant(
        SYSTEM, "jnp.abs(driving.at - moved)", "jnp.abs(moved - moved + found.at - driving.at)",
        EQUIVARIANT,
    ),
    "fomm trap: without the slope of T": Mutant(
        SYSTEM,
        "motion.inverse(driving.jacobian) @ slopes @ found.jacobian",
        "motion.inverse(driving.jacobian) @ found.jacobian",
        LOSS,
    ),
    "fomm trap: no padding of the detector's heads": Mutant(
        NETWORKS,
        "heat = nn.Conv(count, (7, 7), padding=3,",
        "heat = nn.Conv(count, (7, 7), padding=0,",
        HEAT,
    ),
    "fomm: maps that begin at zero": Mutant(
        NETWORKS, "bias_init=identity,", "bias_init=nn.initializers.zeros,", HEAT
    ),
    "fomm: the transpose for the inverse": Mutant(
        NETWORKS,
        "linear = source.jacobian @ inverse(driving.jacobian)",
        "linear = source.jacobian @ driving.jacobian.swapaxes(-1, -2)",
        AFFINE,
    ),
    "fomm: the maps in the other order": Mutant(
        NETWORKS,
        "linear = source.jacobian @ inverse(driving.jacobian)",
        "linear = inverse(driving.jacobian) @ source.jacobian",
        AFFINE,
    ),
    "fomm: away from the source's points": Mutant(
        NETWORKS,
        "away = coordinates - driving.at[:, :, None, None]",
        "away = coordinates - source.at[:, :, None, None]",
        AFFINE,
    ),
    "fomm: heat of the source less that of the driving frame": Mutant(
        NETWORKS,
        "heat_maps(driving.at, at) - heat_maps(source.at, at)",
        "heat_maps(source.at, at) - heat_maps(driving.at, at)",
        TESTS + "the_motion_network_sees_where_keypoints_come_from_and_go",
    ),
    "fomm: another blur of keypoints": Mutant(
        NETWORKS,
        "jnp.exp(-0.5 * squares / BLUR)",
        "jnp.exp(-squares / BLUR)",
        TESTS + "the_motion_network_sees_where_keypoints_come_from_and_go",
    ),
    "fomm: the ground's heat beside the others": Mutant(
        NETWORKS,
        "((0, 0), (1, 0), (0, 0), (0, 0))",
        "((0, 0), (0, 1), (0, 0), (0, 0))",
        TESTS + "the_motion_network_sees_where_keypoints_come_from_and_go",
    ),
    "fomm: nothing is occluded": Mutant(
        NETWORKS,
        "return warp(x, flow) * shown + hidden * (1 - shown)",
        "return warp(x, flow) + hidden * (1 - shown)",
        TESTS + "stillness_shows_the_map_and_occlusion_hides_it",
    ),
    "fomm: what is occluded beside what hides it": Mutant(
        NETWORKS,
        "return warp(x, flow) * shown + hidden * (1 - shown)",
        "return warp(x, flow) * shown + hidden",
        TESTS + "with_skips_the_image_itself_is_seen_where_nothing_is_occluded",
    ),
    "fomm: residual blocks activated after": Mutant(
        NETWORKS,
        "h = nn.relu(BatchNorm(train, self.dtype)(h))",
        "h = nn.relu(h)",
        PARAMETERS,
    ),
    "fomm: a softmax without temperature": Mutant(
        NETWORKS, ".reshape(batch, -1, count) / self.temperature", ".reshape(batch, -1, count)",
        HEAT,
    ),
    "fomm: relative motion without the source's map": Mutant(
        NETWORKS, "turned @ own.jacobian)", "turned)", RELATIVE
    ),
    "fomm: absolute points in relative motion": Mutant(
        NETWORKS, "Keypoints(own.at + now.at - first.at,", "Keypoints(now.at,", RELATIVE
    ),
    "fomm: the maps of relative motion the other way": Mutant(
        NETWORKS,
        "turned = now.jacobian @ inverse(first.jacobian)",
        "turned = first.jacobian @ inverse(now.jacobian)",
        RELATIVE,
    ),
    "fomm: x and y exchanged": Mutant(WARPING, "(y, x), order=1", "(x, y), order=1", WARPED),
    "fomm trap: coordinates of pixels' edges": Mutant(
        WARPING,
        "(at + 1.0) / 2.0 * (sides - 1.0)",
        "(at + 1.0) / 2.0 * sides - 0.5",
        WARPED,
    ),
    "fomm: squares of distances in the spline": Mutant(
        WARPING,
        "far = jnp.sum(jnp.abs(points[:, None] - controls), axis=-1)",
        "far = jnp.sqrt(jnp.sum((points[:, None] - controls) ** 2, axis=-1) + 1e-12)",
        DEFORMED,
    ),
    "fomm: a deviation of another factor": Mutant(
        WARPING,
        "np.exp(-(away**2) / (2 * deviation**2))",
        "np.exp(-(away**2) / deviation**2)",
        TESTS + "a_reduced_image_is_blurred_first",
    ),
    "fomm: borders brighter than they are": Mutant(
        WARPING,
        "return np.float32(tap(away) / whole)",
        "return np.float32(tap(away) / tap(away).sum(1, keepdims=True))",
        TESTS + "a_reduced_image_is_blurred_first",
    ),
    "fomm: zeros beyond the border of a deformed frame": Mutant(
        SYSTEM,
        'return warp(image, points, "mirror")',
        'return warp(image, points, "constant")',
        TWINS + "the_deformed_frame_is_of_the_driving_frame",
    ),
    "fomm: the source deformed": Mutant(
        SYSTEM,
        "deformed(driving, deformation)])",
        "deformed(source, deformation)])",
        TWINS + "the_deformed_frame_is_of_the_driving_frame",
    ),
    "fomm: source and driving exchanged": Mutant(
        SYSTEM,
        "dense.train(variables, source, of_source, of_driving)",
        "dense.train(variables, source, of_driving, of_source)",
        LOSS,
    ),
    "fomm: the driving frame given to the generator": Mutant(
        SYSTEM,
        "generator.train(variables, source, moves)",
        "generator.train(variables, driving, moves)",
        LOSS,
    ),
    "fomm: one scale": Mutant(
        SYSTEM, "for level in range(settings.scales):", "for level in range(1):", LOSS
    ),
    "fomm: features of images in [0, 1]": Mutant(
        SYSTEM,
        "seen = (2.0 * image - 1.0 for image in small)",
        "seen = iter(small)",
        TWINS + "features_are_compared_at_all_scales",
    ),
    "fomm: images in [-1, 1] to the networks": Mutant(
        SYSTEM, "return (image.astype(wide) + 1.0) / 2.0", "return image.astype(wide)", LOSS
    ),
    "fomm: outputs left in [0, 1]": Mutant(
        SYSTEM,
        "return 2.0 * generator(variables, x, dense(variables, x, of_source, of_driving)) - 1.0",
        "return generator(variables, x, dense(variables, x, of_source, of_driving))",
        FUNCTIONS,
    ),
    "fomm: relative to the driver's later frame": Mutant(
        SYSTEM,
        "points = motion.relative(own, first, now)",
        "points = motion.relative(own, now, first)",
        FUNCTIONS,
    ),
    "dancers: a driver who moves on its own": Mutant(
        "data/dancers.py",
        "driver = double(person, drawn(indices, first + OTHERS)[0])",
        "driver = drawn(indices, first + OTHERS)[0]",
        "test_dancers.py::test_a_driver_is_another_person_who_does_the_same",
    ),
}  # fmt: skip
