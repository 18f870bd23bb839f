"""Unrolled GAN (five steps) on a ring of eight Gaussians.

paper: Metz et al. 2017, Unrolled Generative Adversarial Networks, arXiv 1611.02163
command: python launch.py --config=configs/unrolled_ring.py --workdir=runs/unrolled_ring
hardware: 2 CPU cores (AMD EPYC), of which it had one, float32
time: 33 min, halted in between; 17 and 15 min in seeds 1 and 2
metric: modes with a sample within 3 deviations, share of such samples, KL(such samples || uniform)
  over the modes, of 2500 samples; radius 2, deviation 0.02
reference: none in this protocol
measured: 8 of 8 modes, high quality 0.891, reverse KL 0.0009 (entry unrolled_5 of
  configs/study_ring.py, seed 0; seeds 1 and 2: 8 of 8)
target: 8 of 8 modes
again: python launch.py --workdir=runs/unrolled_ring --mode=evaluate
status: toy
"""

from pathlib import Path

from gm_jax.recipes import derive


def get_config(variant=""):
    base = Path(__file__).with_name("gan_ring.py")
    # G's slope goes through D's optimizer, whose root has none at 0.
    adam = dict(name="adam", learning_rate=1e-4, b1=0.5, eps_root=1e-12)
    changes = dict(unroll=dict(steps=5), discriminator=dict(optimizer=adam))
    return derive(f"{base}:{variant}", dict(value_function="minimax", **changes))
