"""What recipes have of their papers, or of their authors' code, as ../shared/reference quotes them.

As `PINNED` of test_recipes.py has them, which holds them against the recipes.
"""

TWO_RATES = {
    "generator.optimizer": {"name": "adam", "learning_rate": 1e-4, "b1": 0.0, "b2": 0.9},
    "discriminator.optimizer": {"name": "adam", "learning_rate": 4e-4, "b1": 0.0, "b2": 0.9},
}
BLOCKS = tuple(f"relu{block}_1" for block in range(1, 6))
VGG19 = {"network": "vgg19", "distance": "absolute", "weights": "", "layers": BLOCKS}
GROWING_DEEPER = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)
STYLEGAN2_ADAM = {"learning_rate": 2e-3, "b1": 0.0, "b2": 0.99, "eps": 1e-8}
FALLING = {
    "name": "adam", "learning_rate": 1e-4, "schedule": "linear", "hold_steps": 100_000,
    "decay_steps": 100_001, "final_rate": 1e-5,
}  # fmt: skip

OTHERS = {
    "stylegan2_fashion:published": {
        "batch_size": 32,
        "generator": {
            "base": 32768, "most": 512, "latents": 512, "styles": 512, "mapping": 8, "mixing": 0.9,
            "architecture": "skip", "path": {"weight": 2.0, "every": 4, "shrink": 2},
            "optimizer": STYLEGAN2_ADAM,
        },
        "discriminator": {
            "base": 32768, "most": 512, "group": 4, "architecture": "resnet",
            "r1": {"gamma": 10.0, "every": 16}, "optimizer": STYLEGAN2_ADAM,
        },
        "average.half_life": 10_000.0,
        "augmentation": {"name": "", "target": 0.6, "speed": 500_000.0, "every": 4},
    },
    "spade_scenes:published": TWO_RATES
    | {
        "value_function": "hinge",
        "matching": 10.0,
        "perceptual": 10.0,
        "kl": 0.05,
        "generator": {"width": 64, "levels": 5, "hidden": 128, "normalization": "batch"},
        "discriminator": {"scales": 2, "width": 64, "layers": 3},
        "encoder": {"size": 256, "width": 64, "levels": 6},
        "stages.features": VGG19 | {"scale": "none", "importance": GROWING_DEEPER},
        "data": {"resize": 286, "size": 256, "crop": "random", "flip": True},
    },
    "srgan_scenes:published": {
        "factor": 4,
        "batch_size": 16,
        "steps": 1_000_000,
        "network": {"width": 64, "blocks": 16},
        "optimizer": {"name": "adam", "learning_rate": 1e-4},
        "game": {
            "steps": 200_000, "value_function": "non_saturating", "adversarial": 1e-3,
            "perceptual": 0.006, "pixels": 0.0, "optimizer": FALLING,
            "discriminator": {"width": 64, "levels": 4, "hidden": 1024, "optimizer": FALLING},
        },
        "stages.features": {
            "network": "vgg19", "layers": ("relu5_4",), "distance": "squares", "weights": "",
        },
    },
    "simgan_scenes:published": {
        "batch_size": 512,
        "steps": 1000,
        "discriminator_steps": 200,
        "value_function": "non_saturating",
        "regularization": 0.5,
        "history": 25_600,
        "refiner": {"width": 64, "blocks": 4, "times": 2, "optimizer.learning_rate": 1e-3},
        "discriminator": {"width": 96, "times": 1, "optimizer.learning_rate": 1e-3},
    },
    "first_order_motion_dancers:published": {
        "perceptual": 10.0,
        "pixels": 0.0,
        "scales": 4,
        "equivariance": 10.0,
        "detector": {
            "keypoints": 10, "factor": 4, "width": 32, "levels": 5, "widest": 1024,
            "temperature": 0.1,
        },
        "dense_motion": {"factor": 4, "width": 64, "levels": 5, "widest": 1024},
        "generator": {"width": 64, "halvings": 2, "blocks": 6, "widest": 512, "skips": False},
        "optimizer": {"learning_rate": 2e-4, "b1": 0.5},
        "stages.features": VGG19 | {"importance": (1.0,) * 5},
    },
    "dance_dancers:published": {
        "perceptual": 10.0,
        "distance": 0.0,
        "matching": 10.0,
        "generator": {"width": 64, "levels": 4, "blocks": 9},
        "discriminator": {"scales": 2, "width": 64, "layers": 3},
        "face": {"size": 128, "levels": 3, "blocks": 5, "adversarial": 2.0},
        "stages.features": VGG19 | {"scale": "none", "importance": GROWING_DEEPER},
    },
    "dbn_mnist:published": {"widths": (500,), "units": 2000, "data.binarize": "redrawn"},
    "ride_photographs:published": {
        "network": {"layers": 2, "units": 64, "components": 32, "scales": 4, "features": 32},
        "optimizer": {"name": "sgd", "learning_rate": 0.5, "momentum": 0.9},
        "batch_size": 50,
    },
    "vpn_moving_digits:published": {
        "known": 10,
        "output": "sigmoid",
        "batch_size": 64,
        "data": {"size": 64, "movers": 2, "frames": 20},
        "encoder": {"width": 128, "dilations": (1, 2, 4, 8, 1, 2, 4, 8)},
        "decoder": {"width": 128, "blocks": 12, "size": 3, "first_size": 7},
        "optimizer": {"name": "rmsprop", "learning_rate": 3e-4},
    },
    "acgan_mnist": {
        "generator.optimizer": {"name": "adam", "learning_rate": 2e-4, "b1": 0.5},
        "discriminator.optimizer": {"name": "adam", "learning_rate": 2e-4, "b1": 0.5},
    },
}  # fmt: skip
