"""CoGAN on maps and photographs of scenes of 32 x 32: pairs from one latent, none ever seen.

paper: Liu & Tuzel 2016, Coupled Generative Adversarial Networks, arXiv 1606.07536, section 5
command: python launch.py --config=configs/cogan_scenes.py --workdir=runs/cogan_scenes
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 32 min beside other runs, 17 min more for evaluation, most of it the search
metric: of 1,000 held-out scenes, both ways: pixel accuracy, class accuracy and class IoU, of maps
  by their nearest colour, of photographs by a segmenter; share of the first 500 whose nearest true
  picture is their own
departs: scenes (the paper: faces, and depth), networks and rates of configs/cogan_mnist.py, 3,000
  rounds, latents sought by 200 steps of Adam from the best of 32 draws (L-BFGS)
reference: configs/cyclegan_scenes.py; the authors' numbers are of other data
measured: pixel, class and IoU 0.909 0.509 0.458 of maps, 0.903 0.480 0.444 of photographs;
  retrieval 0.266 ± 0.020 and 0.216 ± 0.018 (copied 0.030); in photographs 0.39 of
  the discs' pixels are drawn, 0.01 of the squares', 0.02 of the triangles'
target: none: a baseline, which CycleGAN should be above
again: python launch.py --workdir=runs/cogan_scenes --mode=evaluate
status: toy
"""

from pathlib import Path

from gm_jax.recipes import derive, only

BASE = Path(__file__).with_name("cogan_mnist.py")


def get_config(variant=""):
    only(variant, "smoke")
    few = variant == "smoke"
    return derive(
        f"{BASE}:{variant}",
        dict(
            steps=3000,
            data=dict(
                name="scenes", domains=("map", "photo"), unpaired=True, size=16 if few else 32,
                flip=True,
            ),
            show=dict(counts=dict(sample=0, pairs=32)),
            evaluate=dict(batch_size=8 if few else 50, agreement=0, translation=8 if few else 1000),
        ),
    )  # fmt: skip
