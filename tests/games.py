"""Small games for the tests: one for each shape, all that can go wrong switched on."""

import functools
import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sample_files import text_file, wav_folder

import gm_jax
from gm_jax import run
from gm_jax.training import loop, parallel, state
from gm_jax.training.checkpoint import Progress

# A constant added to a critic cancels between its two terms.
CRITICS_CONSTANT = ("['discriminator']['Dense_0']['bias']",)

# Of a softmax's keys, to which a constant may be added.
KEYS = tuple(
    f"['{tower}']['encoder']['layers_0']['self_attn']['k_proj']['bias']"
    for tower in ("image", "text")
)

KEYS_OF_TEXT = KEYS[1:]

KEYS_OF_FILMS = tuple(
    f"['{net}']['attention']['{axis}']['layers_0']['self_attn']['k_proj']['bias']"
    for net in ("decoder", "encoder") for axis in ("space", "time")
)  # fmt: skip

SCALES = tuple(f"['discriminator']['PatchGAN_{number}']['Conv_2']['bias']" for number in (0, 1))

FIRST_STAGE = (
    "['discriminator']['Conv_2']['bias']",
    "['autoencoder']['decoder']['mid_block']['attentions_0']['to_k']['bias']",
    "['autoencoder']['encoder']['mid_block']['attentions_0']['to_k']['bias']",
)

VIT_VQGAN = tuple(
    f"['{tower}']['tower']['encoder']['layers_0']['self_attn']['k_proj']['bias']"
    for tower in ("encoder", "decoder")
)

# A generator that is kept as it is in the second phase.
KEPT = (
    *(f"['generator']['Conv_{number}']['kernel']" for number in range(6)),
    "['generator']['Conv_5']['bias']",
    *(f"['generator']['TransposedConv_{number}']['kernel']" for number in (0, 1)),
)


def _before_a_norm(blocks):
    """Biases of a residual generator that the next batch normalisation undoes."""
    return tuple(
        f"['generator']['UpBlock_{block}']['Conv_{conv}']['bias']"
        for block in blocks for conv in range(3)
    )  # fmt: skip


TEXT = str(text_file())


class Game(NamedTuple):
    """A recipe made small, with everything that depends on the split over devices switched on.

    without_gradient  leaves of zero gradient by construction, such as a shift that a batch
                      normalisation undoes
    undecided         leaves that may move or not: the bias of keys, whose gradient is zero but for
                      rounding, or a critic's constant, which a hinge cancels within its margin
    slow              one system per shape of game is tested each time, the others in test-all
    steps             the setting that holds the rounds of the last phase
    """

    recipe: str
    overrides: dict
    without_gradient: tuple[str, ...] = ()
    undecided: tuple[str, ...] = ()
    slow: bool = False
    steps: str = "steps"


GAMES = {
    "vae": Game(
        "vae_digits",
        {
            "network.name": "mlp",
            "network.widths": (16,),
            "data.binarize": "redrawn",
            "average": 0.9,
        },
        slow=True,
    ),
    # Of 16x16 pixels, so that both networks have a normalised layer.
    "gan": Game("gan_digits", {"discriminator.times": 2, "data.flip": True, "data.name": "npz"}),
    "ddpm": Game(
        "ddpm_digits",
        {
            "network.multipliers": (1,),
            "network.dropout": 0.2,
            "conditional": True,
            "label_dropout": 0.3,
        },
        slow=True,
    ),
    "ddpm_dit": Game("dit_digits", {"average": 0.9, "label_dropout": 0.3}, slow=True),
    "classifier": Game("classifier_digits", {"average": 0.9}, slow=True),
    # Times drawn by a history of all devices' terms; a learned variance.
    "ddpm_vlb": Game(
        "ddpm_digits",
        # Adam would make the rounding of the gradient of the keys' bias, which is zero, large. With
        # that mended it needs a large rate: all but the last layer begin with hardly a gradient.
        {
            "objective": "vlb",
            "times": 8,
            "network.multipliers": (1,),
            "average": 0.9,
            "optimizer.eps": 0.1,
            "optimizer.learning_rate": 0.1,
        },
        slow=True,
    ),
    # A base and an upsampler, whose conditions are dropped and noised by position.
    "super_resolution": Game(
        "super_resolution_digits",
        {"network.dropout": 0.2, "label_dropout": 0.3, "average": 0.9},
        slow=True,
    ),
    "edm": Game("edm_digits", {"network.multipliers": (1,)}, slow=True),
    # Another player's optimizer inside an objective; a pool, packs and noise by position.
    "unrolled": Game(
        "unrolled_ring",
        {
            "value_function": "non_saturating",
            "unroll.steps": 1,
            "tricks.packing": 2,
            "tricks.flips": 0.2,
            "tricks.real_label": (0.7, 1.0),
            "tricks.noise.deviation": 0.3,
            "tricks.noise.steps": 9,
            "tricks.replay.size": 32,
        },
        slow=True,
    ),
    "wgan": Game(
        "wgan_digits",
        {
            "discriminator.times": 1,
            "discriminator.often.times": 3,
            "discriminator.often.first": 2,
            # `perturb` would move the constant out of the paper's limit, and the move back to it.
            "discriminator.optimizer.clip_weights": 1.0,
        },
        CRITICS_CONSTANT,
        slow=True,
    ),
    "wgan_gp": Game("wgan_gp_digits", {"data.name": "npz"}, CRITICS_CONSTANT, slow=True),
    "dragan": Game("dragan_digits", {"data.name": "npz"}, slow=True),
    "sngan": Game("sngan_digits", {"data.name": "npz"}, CRITICS_CONSTANT, slow=True),
    "wgan_gp_resnet": Game(
        "wgan_gp_resnet_digits",
        {"data.name": "npz"},
        CRITICS_CONSTANT,
        undecided=_before_a_norm((0, 1)),
        slow=True,
    ),
    # Labels beside the input; spectral norm and batch norm by labels.
    "sngan_resnet": Game(
        "sngan_resnet_mnist", {"data.name": "npz"}, undecided=_before_a_norm((0, 1)), slow=True
    ),
    # Attention.
    "sagan": Game(
        "sagan_fashion",
        {"data.name": "npz"},
        undecided=(*_before_a_norm((0, 1)), *CRITICS_CONSTANT),
        slow=True,
    ),
    # A penalty on weights, the same on all devices.
    "biggan": Game(
        "biggan_fashion",
        {"data.name": "npz", "generator.orthogonal": 1e-3},
        undecided=(*_before_a_norm((0, 1)), *CRITICS_CONSTANT),
        slow=True,
    ),
    "cgan": Game("cgan_mnist", {"data.name": "npz", "tricks.joint_batches": True}, slow=True),
    "infogan": Game("infogan_mnist", {"data.name": "npz"}, slow=True),
    "acgan": Game("acgan_mnist", {"data.name": "npz"}, slow=True),
    "ebgan": Game("ebgan_digits", {}, slow=True),
    "began": Game("began_digits", {}, slow=True),
    "bigan": Game(
        "bigan_mnist", {"data.name": "npz", "stochastic": True, "encoder.width": 8}, slow=True
    ),
    "ali": Game(
        "bigan_mnist",
        {
            "data.name": "ring",
            "networks": "points",
            "discriminator.normalization": "none",
            "stochastic": True,
            "encoder.width": 8,
            "show.counts.interpolation": 0,
        },
        slow=True,
    ),
    "cogan": Game("cogan_mnist", {"data.base": "npz"}, slow=True),
    # Lazy regularisers, mixed styles, groups over devices, and augmentation with a moving p.
    "stylegan2": Game(
        "stylegan2_fashion",
        {
            "data.name": "npz",
            "data.pad": False,
            "augmentation.name": "color",
            "augmentation.p": 0.5,
            "discriminator.r1.every": 2,
            "generator.path.every": 2,
        },
        slow=True,
    ),
    # An average of w, mixed styles, groups over devices; test_progan.py has a fade.
    "stylegan": Game(
        "stylegan_fashion",
        # Adam would make the rounding of the slope that a norm takes away, which is zero, large.
        {"generator.optimizer.eps": 1e-4},
        undecided=("['synthesis']['block_4']['Styled_0']['bias']",),
        slow=True,
    ),
    "vaegan": Game("vaegan_digits", {"data.name": "npz", "encoder.width": 8}, slow=True),
    # Deviations of groups of the whole batch, an average that goes on; test_progan.py has a fade.
    "progan": Game("progan_fashion", {"average": 0.9}, slow=True),
    "progan_discrimination": Game(
        "progan_fashion",
        {
            "generator.normalization": "batch",
            "generator.tanh": True,
            "discriminator.normalization": "layer",
            "discriminator.statistics": "discrimination",
            "equalized": False,
            "drift": 0.0,
            # Slopes of a thousand differ by their rounding; and a norm's gain has next to none as
            # long as biases are 0, which Adam would make large.
            "penalty": 0.01,
            "generator.optimizer.eps": 1e-5,
            "discriminator.optimizer.eps": 1e-5,
        },
        undecided=tuple(
            f"['discriminator']['{layer}']['bias']" for layer in ("output", "discrimination")
        ),
        slow=True,
    ),
    # Four players; dropout and noise by position. Slopes of the smallest G are faint at the start.
    "lapgan": Game("lapgan_cifar", {"generator.optimizer.learning_rate": 0.05}, slow=True),
    # Two players of two networks each, and pools that take one fake of a batch after another.
    "cyclegan": Game("cyclegan_scenes", {"average": 0.9}, slow=True),
    "bidirectional_gan": Game("bigan_scenes", {"average": 0.9}, slow=True),
    # The last of three phases; half of each global batch is old.
    "simgan": Game("simgan_scenes", {"average": 0.9}, slow=True, steps="game_steps"),
    # Three networks of one player, batch statistics of three frames, deformations by position.
    "first_order_motion": Game(
        "first_order_motion_dancers", {"average": 0.9, "perceptual": 0.0}, slow=True
    ),
    "pix2pix": Game("pix2pix_scenes", {"average": 0.9, "evaluate.batch_size": 16}, slow=True),
    # The second of two phases, which begins by itself here; frozen features.
    "srgan": Game("srgan_scenes", {"average": 0.9}, slow=True, steps="game.steps"),
    # A term that is summed over the batch of all devices.
    "spade": Game("spade_scenes", {"average": 0.9}, undecided=SCALES, slow=True),
    # Rows of styles that a batch may not show; frozen features. What a block adds to all positions,
    # the next norms take away.
    "cin": Game(
        "style_cin",
        {"average": 0.9},
        undecided=("['net']['StyleNorm_4']['beta']",),
        slow=True,
    ),
    "adain": Game("style_adain", {"average": 0.9}, slow=True),
    # Both phases: films of two frames, and squares of each frame's own.
    "everybody_dance_now": Game("dance_dancers", {"average": 0.9, "face.steps": 0}, slow=True),
    "everybody_dance_now_face": Game(
        "dance_dancers", {"average": 0.9}, KEPT, slow=True, steps="face.steps"
    ),
    "vqvae": Game(
        "vqvae_mnist",
        {"data.name": "digits", "quantizer.averaged.revive_below": 0.95, "average": 0.9},
    ),
    "vqvae_lookup_free": Game(
        "vqvae_mnist",
        {"data.name": "digits", "quantizer.name": "lookup_free"},
        slow=True,
    ),
    "vqvae_learned": Game(
        "vqvae_mnist",
        {"data.name": "digits", "quantizer.name": "learned", "likelihood": "gaussian"},
        slow=True,
    ),
    "vqvae2": Game(
        "vqvae2_mnist", {"data.name": "digits", "quantizer.averaged.revive_below": 0.95}, slow=True
    ),
    "cvivit": Game(
        "cvivit_shapes",
        {"quantizer.averaged.revive_below": 0.95, "average": 0.9},
        undecided=KEYS_OF_FILMS,
        slow=True,
    ),
    "dvae": Game("dvae_fashion_mnist", {"data.name": "digits", "beta.steps": 2}, slow=True),
    # Negatives of all devices; test_clip.py has their gradients each time.
    "clip": Game("clip_shapes", {"average": 0.9}, undecided=KEYS, slow=True),
    "clip_resnet": Game(
        "clip_shapes",
        {"image.name": "resnet", "image.resnet.width": 8, "image.resnet.layers": (1, 1, 1, 1)},
        undecided=(*KEYS, "['image']['attnpool']['k_proj']['bias']"),
        slow=True,
    ),
    # Two players and an average, a weight by gradients of the whole batch.
    "first_stage": Game(
        "first_stage_emoji",
        {"average": 0.9, "discriminator.start": 1},
        undecided=FIRST_STAGE,
        slow=True,
    ),
    "first_stage_vq": Game(
        "first_stage_emoji",
        {"bottleneck.name": "vq", "bottleneck.codes": 8, "discriminator.start": 1},
        undecided=FIRST_STAGE,
        slow=True,
    ),
    # Two players, of which one moves codes by averages of the whole batch.
    "vit_vqgan": Game(
        "vit_vqgan_shapes",
        {
            "average": 0.9,
            "discriminator.start": 1,
            "quantizer.averaged.revive_below": 0.95,
        },
        undecided=VIT_VQGAN,
        slow=True,
    ),
    # A frozen first stage, and the scale of its latents by the first batch of all devices.
    "latent_diffusion": Game(
        "latent_diffusion_emoji",
        {
            "average": 0.9,
            "label_dropout": 0.3,
            "stages.first.batch_size": 16,
            "optimizer.warmup_steps": 0,
        },
        slow=True,
    ),
    "latent_diffusion_dit": Game(
        "latent_diffusion_emoji",
        {
            "stages.first.batch_size": 16,
            "optimizer.warmup_steps": 0,
            "network.name": "dit",
            "network.dit.width": 8,
            "network.dit.layers": 1,
            "network.dit.heads": 2,
        },
        slow=True,
    ),
    "dae": Game("dae_mnist", {"data.name": "digits", "latents": 32}, slow=True),
    "iwae": Game("iwae_mnist", {"data.name": "digits"}, slow=True),
    "vae_mixture": Game("vae_digits", {"posterior.name": "mixture", "samples": 2}, slow=True),
    "vae_categorical": Game(
        "vae_digits",
        {"posterior.name": "categorical", "show.counts.manifold": 0},
        slow=True,
    ),
    "latent_prior": Game(
        "vqvae_prior_mnist",
        {"data.name": "digits", "stages.codes.quantizer.averaged.revive_below": 0.95},
        slow=True,
    ),
    "dalle": Game(
        "dalle_shapes",
        {
            "average": 0.9,
            "condition_dropout": 0.3,
            "network.dropout": 0.2,
            "network.bias": False,
            "stages.codes.batch_size": 16,
        },
        slow=True,
    ),
    "parti": Game(
        "parti_shapes",
        {
            "average": 0.9,
            "condition_dropout": 0.3,
            "network.dropout": 0.2,
            "network.bias": False,
            "stages.codes.batch_size": 16,
        },
        undecided=KEYS_OF_TEXT,
        slow=True,
    ),
    # Pictures and texts of other devices; frozen texts.
    "unclip_prior": Game(
        "unclip_prior_shapes",
        {
            "average": 0.9,
            "label_dropout": 0.3,
            "network.dropout": 0.2,
            "stages.clip.batch_size": 16,
            # Adam would make the rounding of the keys' biases, whose gradient is zero, large.
            "optimizer.eps": 1e-3,
        },
        undecided=KEYS_OF_TEXT,
        slow=True,
    ),
    # Two phases; moments of the global batch.
    "unclip_causal_prior": Game(
        "unclip_causal_prior_shapes",
        {
            "average": 0.9,
            "condition_dropout": 0.3,
            "network.dropout": 0.2,
            "network.bias": False,
            "stages.clip.batch_size": 16,
            "optimizer.eps": 1e-4,
        },
        undecided=KEYS_OF_TEXT,
        slow=True,
    ),
    "unclip": Game(
        "unclip_shapes",
        {
            "average": 0.9,
            "label_dropout": 0.3,
            "network.dropout": 0.2,
            "stages.clip.batch_size": 16,
            "stages.clip.stages.clip.batch_size": 16,
        },
        slow=True,
    ),
    "make_a_video": Game(
        "make_a_video_shapes",
        {
            "average": 0.9,
            "label_dropout": 0.3,
            "data.frames": 3,
            "frames": 2,
            "batch_size": 8,
            **{
                f"stages.image.{of}batch_size": 8
                for of in ("", "stages.clip.", "stages.clip.stages.clip.")
            },
        },
        slow=True,
    ),
    "gan_cls": Game("gan_cls_shapes", {"average": 0.9, "stages.clip.batch_size": 16}, slow=True),
    "maskgit": Game(
        "maskgit_mnist",
        {
            "data.name": "digits",
            "stages.codes.quantizer.averaged.revive_below": 0.95,
            "network.dropout": 0.2,
        },
        slow=True,
    ),
    # A caption by a transformer that is trained along; weights by example.
    "paella": Game(
        "paella_shapes",
        {
            "condition_dropout": 0.3,
            "network.dropout": 0.2,
            "stages.codes.quantizer.averaged.revive_below": 0.95,
        },
        undecided=KEYS_OF_TEXT,
        slow=True,
    ),
    # A first stage of films.
    "phenaki": Game(
        "phenaki_shapes",
        {
            "condition_dropout": 0.3,
            "network.dropout": 0.2,
            "stages.codes.quantizer.averaged.revive_below": 0.95,
        },
        undecided=KEYS_OF_TEXT,
        slow=True,
    ),
    # JAX's attention takes its softmax in float32 always: rounding, which Adam would make large in
    # the bias of the keys, whose gradient is zero.
    "latent_prior_gpt": Game(
        "vqvae_prior_mnist",
        {"data.name": "digits", "network.name": "gpt", "network.gpt.bias": False},
        slow=True,
    ),
    "gpt": Game("gpt_tinyshakespeare", {"data.path": TEXT, "network.dropout": 0.2}, slow=True),
    "bengio": Game("bengio_tinyshakespeare", {"data.path": TEXT}, slow=True),
    "ngram": Game("ngram_tinyshakespeare", {"data.path": TEXT}, slow=True),
    "wavenet": Game("wavenet_fsdd", {"data.path": str(wav_folder())}, slow=True),
    "gated_pixelcnn": Game("gated_pixelcnn_mnist", {"average": 0.9}, slow=True),
    "pixelcnn": Game("pixelcnn_mnist", {}, slow=True),
    "pixelcnnpp": Game("pixelcnnpp_mnist", {"conditional": True}, slow=True),
    "pixelrnn": Game("pixelrnn_mnist", {}, slow=True),
    "row_pixelrnn": Game("pixelrnn_mnist", {"network.lstm": "row"}, slow=True),
    # Whitened by the first batch; noise by position.
    "ride": Game("ride_photographs", {"average": 0.9}, slow=True),
    "video_pixel_network": Game("vpn_moving_digits", {}, slow=True),
    "nade": Game("nade_mnist", {}, slow=True),
    "fvbn": Game("fvbn_mnist", {"average": 0.9}, slow=True),
    # Means of the batch of all devices, and a number of units that falls.
    "sparse_autoencoder": Game(
        "sparse_ae_mnist", {"average": 0.9, "sparsity": "kl", "decay": 0.01}, slow=True
    ),
    "k_sparse": Game("sparse_ae_mnist", {"decay": 0.01}, slow=True),
    # The last of three phases; test_sparse_autoencoders.py has the others.
    "stacked_autoencoder": Game("sdae_mnist", {"average": 0.9}, slow=True),
    "bernoulli_mixture": Game("bernoulli_mixture_mnist", {}, slow=True),
    # Chains that all devices move alike, and chains that start at the examples.
    "rbm": Game("rbm_mnist", {"average": 0.9, "decay": 0.1}, slow=True),
    "gaussian_rbm": Game(
        "rbm_mnist",
        {"visible.name": "gaussian", "data.binarize": "", "negatives.name": "cd"},
        slow=True,
    ),
    # Statistics of two passes over all devices, and the latest images of all.
    "ladder": Game("ladder_mnist", {"data.base": "npz", "average": 0.9}, slow=True),
    # Images without and with labels, each with draws of its own; noise beside the image.
    "adversarial_autoencoder": Game(
        "aae_mnist",
        {
            "data.name": "half_labelled",
            "data.base": "npz",
            "posterior.name": "universal",
            "average": 0.9,
        },
        slow=True,
    ),
    "semi_supervised_aae": Game(
        "aae_mnist_semi",
        {"data.base": "npz", "posterior.name": "gaussian", "likelihood": "gaussian"},
        slow=True,
    ),
    "deep_boltzmann": Game("dbm_mnist", {}, slow=True),
    "deep_belief": Game("dbn_mnist", {"average": 0.9}, slow=True),
    "deep_autoencoder": Game("deep_ae_mnist", {"average": 0.9}, slow=True),
    "sparse_coding": Game("sparse_coding_patches", {"average": 0.9}, slow=True),
    # Another solver, whose codes the encoder pulls at.
    "psd": Game(
        "psd_patches",
        {"average": 0.9, "inference.name": "coordinates", "refinement.steps": 0},
        slow=True,
    ),
    # The second of two phases, which begins by itself here.
    "psd_encoder": Game(
        "psd_patches",
        {"average": 0.9, "encoder.name": "lista"},
        slow=True,
        steps="refinement.steps",
    ),
    # A frozen stage of the same kind below.
    "psd_two_layers": Game(
        "psd_two_layers_patches",
        {"average": 0.9, "stages.below.batch_size": 16, "refinement.steps": 0},
        slow=True,
    ),
}
EVERY_GAME = [
    pytest.param(name, marks=pytest.mark.slow if game.slow else ()) for name, game in GAMES.items()
]
# Batch statistics and codebooks each time; the others in test-all.
GAMES_WITH_MEMORY = [
    pytest.param(
        name,
        marks=() if name in ("gan", "vqvae") else pytest.mark.slow,
    )
    for name in GAMES
]


def stages_of(settings, prefix: str = ""):
    """How the settings of each recipe among the stages begin, those of stages of stages, too."""
    for name, stage in settings.stages.items():
        if stage and not isinstance(stage, str):
            yield f"{prefix}stages.{name}."
            yield from stages_of(stage, f"{prefix}stages.{name}.")


def config(name: str, data_path, **overrides):
    """The smoke variant of a game's recipe in batches of 16; npz data is that at data_path."""
    game = GAMES[name]
    settings = gm_jax.load_config(f"configs/{game.recipe}.py:smoke")
    changes = {"data.path": str(data_path), "batch_size": 16}
    if "dtype" in overrides:  # Of all that is computed.
        changes |= {f"{stage}dtype": overrides["dtype"] for stage in stages_of(settings)}
    with settings.unlocked():
        settings.update_from_flattened_dict({**changes, **game.overrides, **overrides})
    return settings


def refuses(recipe: str, overrides: dict, message: str) -> None:
    """Asserts that a recipe's smoke variant with these settings is refused with this message."""
    settings = gm_jax.load_config(f"configs/{recipe}.py:smoke")
    with settings.unlocked():
        if "stages" in overrides:
            settings.stages = overrides["stages"]
        else:
            settings.update_from_flattened_dict(overrides)
    with pytest.raises(gm_jax.UserError, match=message):
        gm_jax.build(settings)


def opening(settings, devices=None, dtype=None, before=0):
    """The last phase, its batches, and its variables before the first move, on the devices given.

    Its stages are as they begin. With `before` the phase that many before the last.
    """
    phase, batches, variables = _begin(settings, devices, dtype, create, before=before)
    return phase, batches, parallel.replicate(variables, devices)


def outline(settings):
    """What `opening` returns, with shapes for variables: nothing is compiled or computed."""

    def shapes(model, prepare, raw, key):
        return jax.eval_shape(functools.partial(create, model, prepare), raw, key)

    def averaged(model, variables):
        return jax.eval_shape(functools.partial(state.averaged, model), variables)

    return _begin(settings, jax.devices()[:1], None, shapes, averaged)


def create(model, prepare, raw, key):
    """The variables of a model at its first move, from a raw batch."""
    first = jax.jit(prepare)(raw, jax.random.fold_in(key, 1))
    return state.create(model, jax.random.fold_in(key, 2), first, None)


def _begin(settings, devices, dtype, create, averaged=state.averaged, before=0):
    ended, phase, variables = {}, None, None
    plan = [(own, following) for own, phases in run.plan(settings) for following in phases]
    for own, following in plan[: len(plan) - before]:
        if phase:
            ended[phase.name] = averaged(phase.model, variables)
        phase = run.with_stages(following, ended)
        batches = run.batches_of(phase, own, run.rows_of(own, devices))
        variables = create(phase.model, batches.prepare, batches.first, jax.random.key(own.seed))
        if dtype is not None:
            variables = jax.tree.map(
                lambda x: x.astype(dtype) if jnp.issubdtype(x.dtype, jnp.floating) else x,
                variables,
            )
        variables = variables._replace(frozen=state.frozen(phase))
    return phase, batches, variables


def play(settings, rounds: int, devices=None, dtype=None, before=0) -> list:
    """The variables and metrics, on the host, after each round of a phase; see `opening`."""
    phase, batches, variables = opening(settings, devices, dtype, before)
    start = jax.random.key(0), Progress(), devices, 0, settings.parallel
    game = loop.rounds(phase.model, variables, batches, *start)
    return [jax.device_get(after[2:]) for after in itertools.islice(game, rounds)]


def perturb(variables, scale: float = 0.05):
    """All arrays moved by normal noise, which is a function of their sizes, and compiles nothing.

    A block that begins at zero would hide the gradient of what is before it.
    """

    def move(x):
        noise = np.random.default_rng(x.size).normal(scale=scale, size=x.shape)
        return jnp.asarray(x + noise.astype(x.dtype))

    return jax.tree.map(move, jax.device_get(variables))
