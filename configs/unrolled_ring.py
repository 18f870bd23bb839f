"""Unrolled GAN (five steps) on a ring of eight Gaussians.

paper: Metz et al. 2017, Unrolled Generative Adversarial Networks, arXiv 1611.02163
command: python launch.py --config=configs/unrolled_ring.py --workdir=runs/unrolled_ring
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 33 min (interrupted); 17 and 15 min for seeds 1 and 2
metric: modes with a sample within 3 deviations, share of such samples, KL(such samples || uniform)
  over the modes, of 2500 samples; radius 2, deviation 0.02
departs: networks, batch, latents and rates are those of the authors' notebook; D's Adam has 1e-12
  under its root, beside the usual eps
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
    # G's gradient flows through D's optimizer, whose root has no slope at 0.
    adam = dict(name="adam", learning_rate=1e-4, b1=0.5, eps_root=1e-12)
    changes = dict(unroll=dict(steps=5), discriminator=dict(optimizer=adam))
    return derive(f"{base}:{variant}", dict(value_function="minimax", **changes))
