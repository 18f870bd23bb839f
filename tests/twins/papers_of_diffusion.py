"""Numbers of the papers on diffusion and on text and image, recipe by recipe.

As `PINNED` of test_recipes.py has them, which holds them against the recipes.
"""

MASKED = {
    "least": 0.5,
    "smoothing": 0.1,
    "condition_dropout": 0.1,
    "sampler": {"temperature": 4.5, "steps": 12},
    "optimizer": {"name": "adamw", "b2": 0.96, "weight_decay": 0.045},
}
EDM = {
    "schedule": "edm",
    "preconditioning": "edm",
    "prediction": "x0",
    "weighting.name": "edm",
    "sampler": {"name": "heun", "steps": 18, "spacing": "karras", "churn": 0.0},
}
DIFFUSION = {
    "ddpm_cifar10": {
        "times": 1000, "schedule": "linear", "prediction": "noise", "batch_size": 128,
        "average": 0.9999, "steps": 800_000, "data.flip": True,
        "network": {
            "width": 128, "multipliers": (1, 2, 2, 2), "blocks": 2, "attention": (16,),
            "dropout": 0.1, "groups": 32,
        },
        "optimizer": {"name": "adam", "learning_rate": 2e-4, "warmup_steps": 5000},
        "sampler": {"name": "ancestral", "steps": 1000, "clip": True},
    },
    "improved_ddpm_digits": {
        "objective": "hybrid", "hybrid": 0.001, "schedule": "cosine", "prediction": "noise",
        "sampler.variance": "learned",
    },
    "guided_ddpm_digits": {"conditional": True, "label_dropout": 0.1},
    "edm_digits": EDM,
    "rectified_flow_digits": {
        "schedule": "flow", "prediction": "velocity", "weighting.name": "simple",
        "sampler": {"name": "euler", "spacing": "even"},
    },
    "adm_imagenet64": {
        "objective": "hybrid", "schedule": "cosine", "batch_size": 2048, "average": 0.9999,
        "steps": 540_000, "network.dropout": 0.1,
        "optimizer": {"name": "adamw", "learning_rate": 3e-4, "weight_decay": 0.0},
        "sampler": {"steps": 250, "variance": "learned"},
    },
    "dit_imagenet": {
        "objective": "hybrid", "schedule": "linear", "times": 1000, "batch_size": 256,
        "average": 0.9999, "label_dropout": 0.1,
        "optimizer": {"name": "adamw", "learning_rate": 1e-4, "weight_decay": 0.0},
        "sampler": {"name": "ancestral", "steps": 250, "variance": "learned", "guidance": 0.5},
    },
    "super_resolution_digits": {"augmentation": 0.5, "label_dropout": 0.1},
    "latent_diffusion_emoji": {
        "schedule": "scaled_linear", "times": 1000, "label_dropout": 0.1, "scale": 0.0,
        "sampler.clip": False,
    },
    "first_stage_emoji": {
        "bottleneck": {"name": "kl", "weight": 1e-6, "channels": 4},
        "discriminator.weight": 0.5,
        "optimizer": {"name": "adam", "b1": 0.5, "b2": 0.9},
        "discriminator.optimizer": {"name": "adam", "b1": 0.5, "b2": 0.9},
    },
    "clip_shapes": {
        "temperature": 0.07,
        "optimizer": {"name": "adamw", "b2": 0.98, "eps": 1e-6},
    },
    "dalle_shapes:published": {
        "image_weight": 7.0, "batch_size": 1024, "network.kernel": 11,
        "optimizer": {"name": "adamw", "learning_rate": 4.5e-4, "b2": 0.96, "weight_decay": 0.045},
    },
    "unclip_prior_shapes": {
        "prediction": "x0", "schedule": "cosine", "weighting.name": "simple",
        "label_dropout": 0.1, "sampler": {"best_of": 2, "steps": 64, "clip": False},
    },
    "unclip_causal_prior_shapes:published": {
        "components": 319, "buckets": 1024, "condition_dropout": 0.1,
    },
    "unclip_shapes": EDM | {"label_dropout": 0.1, "words": 4},
    "dalle2_shapes": {"sampler": {"name": "ddim", "steps": 27}, "network.attention": ()},
    "make_a_video_shapes": EDM | {"label_dropout": 0.1, "words": 4},
    "maskgit_mnist": MASKED | {"network.dropout": 0.1},
    "maskgit_mnist:published": {
        "sampler.steps": 8, "batch_size": 256,
        "network": {"width": 768, "layers": 24, "heads": 8, "hidden": 3072},
    },
    "phenaki_shapes": MASKED,
    "paella_shapes": {
        "condition_dropout": 0.05, "smoothing": 0.1, "discount": 0.7,
        "sampler": {"steps": 12, "renoise_steps": 11},
        "optimizer": {"name": "adamw", "clip_norm": 1.0},
    },
    "parti_shapes:published": {
        "condition": {"name": "caption", "text.causal": False},
        "condition_dropout": 0.1, "smoothing": 0.0, "network.dropout": 0.1,
        "optimizer": {"learning_rate": 4.5e-5, "b2": 0.96, "warmup_steps": 10_000},
    },
}  # fmt: skip
