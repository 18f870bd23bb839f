"""LPIPS: the distance of images by features of a published classifier, as a stage of other systems.

paper: Zhang, Isola, Efros, Shechtman & Wang 2018, The Unreasonable Effectiveness of Deep Features
  as a Perceptual Metric, arXiv 1801.03924
command: python launch.py --config=configs/lpips.py --workdir=runs/lpips
  reads and checks the weights; a loss takes them in configs/first_stage_emoji.py:lpips
data: none of its own
hardware: 2 CPU cores (AMD EPYC, shared), float32
time: trains nothing
metric: none of its own; equality with a float64 twin at full width and random weights
reference: the paper's networks and version 0.1 of its heads, which come with the library
measured: equal within 1e-4 (relative)
target: equal within 1e-5
again: python -m pytest tests/test_backbones.py
departs: in nothing that is known; the networks' weights, torchvision's, are the user's
status: unverified

Perceptual losses take VGG16; `:alexnet` is the usual metric. `:random` needs no file: He's initial
weights, named after their seed.
"""

from gm_jax.recipes import recipe


def get_config(variant=""):
    return recipe(
        variant,
        dict(
            system="backbone",
            steps=0,
            batch_size=1,
            network="vgg16",
            distance="lpips",
            data=dict(name="none"),
            show=dict(every=0, counts={}),
        ),
        alexnet=dict(network="alexnet"),
        random=dict(weights="random"),
        smoke=dict(
            weights="random", layers=("relu1_2", "relu2_2"), distance="plain",
            data=dict(name="digits"),
        ),
    )  # fmt: skip
