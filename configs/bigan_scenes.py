"""BiGAN between maps and photographs of scenes of 32 x 32: one discriminator of pairs, no cycle.

paper: Donahue et al. 2017, Adversarial Feature Learning, arXiv 1605.09782, as a baseline of Zhu et
  al. 2017, Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks,
  arXiv 1703.10593, section 5.1.1
command: python launch.py --config=configs/bigan_scenes.py --workdir=runs/bigan_scenes
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 9 min 23 s beside other runs
metric: of 1,000 held-out scenes, both ways: pixel accuracy, class accuracy and class IoU, of maps
  by their nearest colour, of photographs by a segmenter; share of the first 500 whose nearest true
  picture is their own
departs: networks, rates and rounds of configs/cyclegan_scenes.py, so that they differ in their loss
  alone
reference: configs/cyclegan_scenes.py; the authors' numbers are of other data
measured: pixel, class and IoU 0.717 0.381 0.302 of maps, 0.777 0.407 0.335 of photographs;
  retrieval 0.002 and 0.004 (copied 0.030): the horizon stays, and the same false objects stand in
  all pictures
target: none: a baseline, which CycleGAN should be above
again: python launch.py --workdir=runs/bigan_scenes --mode=evaluate
status: toy
"""

from pathlib import Path

from gm_jax.recipes import derive, only

BASE = Path(__file__).with_name("cyclegan_scenes.py")


def get_config(variant=""):
    only(variant, "smoke")
    return derive(f"{BASE}:{variant}", dict(system="bidirectional_gan"))
