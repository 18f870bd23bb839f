"""Study: the value functions on a grid of 25 Gaussians, same networks, data and rounds.

paper: Metz et al. 2017, Unrolled Generative Adversarial Networks, arXiv 1611.02163 (networks, batch
  of 512, 25,000 rounds); Srivastava et al. 2017, VEEGAN, arXiv 1705.07761 (the grid)
command: python launch.py --config=configs/study_grid.py --workdir=runs/study_grid --mode=study
hardware: one core of an Intel Xeon; PacGAN-4 and Unrolled one of an AMD EPYC; float32
time: 2 h 7 min for 24 of the 36 runs (shared machine), 49 min for six others
metric: modes with a sample within 3 deviations, share of such samples, KL(such samples || uniform)
  over the modes, of 2500 samples; centres {-4, -2, 0, 2, 4}^2, deviation 0.05; every seed, mean and
  deviation
departs: no named paper trains all of these: networks, batch, latents and rounds of Metz et al.'s
  ring on VEEGAN's grid, and Adam at 1e-3 for both players; each entry as in configs/study_ring.py
reference: PacGAN's table 1 (other networks), modes / high quality / reverse KL: GAN 17.3 / 94.8 %
  / 0.70, ALI 24.1 / 95.7 % / 0.14, PacGAN-4 24.8 / 93.6 % / 0.04
measured: DRAGAN and WGAN-GP 25 of 25 modes on each of three seeds (reverse KL 0.010, 0.031); LSGAN
  24.7, minimax 24.0, Unrolled 22.0, PacGAN-4 19.7, non-saturating 19.0; as `:quick` (16 min of one
  core, five seeds): WGAN-GP 24.6; tables in docs/mode_coverage.md
target: some system covers at least 24 of 25 modes in the mean
again: the same command in a new workdir; finished runs are not repeated
status: toy
"""

from pathlib import Path

from gm_jax.recipes import derive


def get_config(variant=""):
    base = Path(__file__).with_name("study_ring.py")
    # Metz et al. have no grid. With D at a tenth of G's rate, as on their ring, most are lost.
    optimizer = dict(name="adam", learning_rate=1e-3, b1=0.5)
    changes = dict(data=dict(name="grid", deviation=0.05), discriminator=dict(optimizer=optimizer))
    config = derive(f"{base}:{variant}", changes)
    config.study.entries.unrolled_5.discriminator.optimizer.learning_rate = 1e-3
    del config.study.entries.non_saturating_fast  # Here all are fast.
    return config
