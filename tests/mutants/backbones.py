"""Mistakes in LPIPS, its networks, and what opens published denoisers."""

from mutants import Mutant

NETWORKS, BACKBONE, LPIPS = "nn/backbones.py", "features/backbone.py", "evaluation/lpips.py"
LAYERS = "test_backbones.py::test_every_layer_by_hand"
LPIPS_TESTS = "test_backbones.py::test_lpips_by_hand"
METRIC = "test_backbones.py::test_the_metric_is_the_distance"
FIRST = "test_backbones.py::test_the_loss_is_the_absolute_error_and_the_distance_of_features"
OPENED = "published/test_checkpoints.py::test_"

BACKBONES = {
    "backbone: the last window of a pool dropped": Mutant(
        NETWORKS, "(side - size) % 2 if ceil else 0", "0", f"{LAYERS}[squeezenet-45]"
    ),
    "backbone: what is squeezed is not rectified": Mutant(
        NETWORKS,
        'nn.relu(self.conv(self.squeeze, 1, 1, 0, name="squeeze")(x))',
        'self.conv(self.squeeze, 1, 1, 0, name="squeeze")(x)',
        f"{LAYERS}[squeezenet-45]",
    ),
    "backbone: AlexNet without its padding": Mutant(
        NETWORKS,
        "Conv(64, 11, 4, 2)",
        "Conv(64, 11, 4, 0)",
        "test_backbones.py::test_alexnets_first_map",
    ),
    "backbone: a VGG19 of three convolutions a block": Mutant(
        NETWORKS,
        "vgg(2, 2, 4, 4, 4)",
        "vgg(2, 2, 3, 4, 4)",
        "test_backbones.py::test_names_and_sizes_are_torchvisions[vgg19]",
    ),
    "lpips: the input as it is": Mutant(
        NETWORKS,
        "return (rgb(image) - jnp.array(MEAN)) / jnp.array(DEVIATION)",
        "return rgb(image)",
        f"{LPIPS_TESTS}[alexnet]",
    ),
    "lpips: ImageNet's constants of [0, 1]": Mutant(
        NETWORKS,
        "(-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)",
        "(0.485, 0.456, 0.406), (0.229, 0.224, 0.225)",
        f"{LPIPS_TESTS}[alexnet]",
    ),
    "lpips: without its heads": Mutant(
        BACKBONE,
        "feature_distance(x, y, heads)",
        "feature_distance(x, y)",
        f"{LPIPS_TESTS}[alexnet]",
    ),
    "lpips: the metric sees 0 to 255": Mutant(
        LPIPS, "images / 127.5 - 1.0", "1.0 * images", f"{METRIC}[alexnet]"
    ),
    "lpips: a file that is not the published one is taken": Mutant(
        "weights/backbones.py",
        "if not (official or stated):",
        "if False:",
        "test_backbones.py::test_what_cannot_be_opened_is_said_in_one_line[alexnet]",
    ),
    "first stage: the distance counts once, not for each number": Mutant(
        "autoencoders/first_stage.py",
        "settings.perceptual * x[0].size * sum",
        "settings.perceptual * sum",
        FIRST,
    ),
    "published: the network sees the time from 1": Mutant(
        "shared/processes.py",
        "lambda time, alpha, sigma: time - 1.0",
        "lambda time, alpha, sigma: time",
        f"{OPENED}a_published_network_sees_the_time_from_zero",
    ),
    "published: times in equal steps to 0": Mutant(
        "shared/grids.py",
        "np.linspace(schedule.steps - 1, 0.0, steps)",
        "np.linspace(schedule.steps - 1, 0.0, steps + 1)[:-1]",
        f"{OPENED}times_are_respaced_as_published",
    ),
    "dit: a patch channel by channel": Mutant(
        "weights/dit.py", ".transpose(0, 2, 3, 1)", "", f"{OPENED}patches_are_a_convolution"
    ),
    "dit: queries, keys and values where they are mixed": Mutant(
        "weights/dit.py",
        '("attn.proj", "mix")',
        '("attn.out", "mix")',
        f"{OPENED}the_names_and_sizes_of_dit_xl_2",
    ),
    "dit: other positions": Mutant(
        "shared/checkpoints.py",
        "or not np.allclose(stored.load(), ours, atol=1e-5)",
        "",
        f"{OPENED}a_dit_is_opened_through_stable_diffusions_first_stage",
    ),
    "adm: queries of all heads first": Mutant(
        "shared/checkpoints.py",
        'settings.attention_order == "parts"',
        "False",
        f"{OPENED}an_adm_is_opened_without_its_null_label",
    ),
    "stable diffusion: given captions are passed over": Mutant(
        "stable_diffusion/system.py",
        'if not sampler.prompt and "caption" in batch:',
        "if False:",
        "published/test_stable_diffusion.py::test_captions_are_given_as_strings",
    ),
}
