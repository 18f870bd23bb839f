"""Study: from Metz et al.'s ring to PacGAN's, one difference after another.

paper: Metz et al. 2017, Unrolled Generative Adversarial Networks, arXiv 1611.02163; Lin et al.
  2018, PacGAN, arXiv 1712.04086, section 4.1
command: python launch.py --config=configs/study_protocols.py --workdir=runs/study_protocols
  --mode=study
hardware: one of 2 CPU cores (Intel Xeon), float32, beside other work
time: 7 min 45 s
metric: modes with a sample within 3 deviations, share of such samples, KL(such samples || uniform)
  over the modes, of 2500 samples; every seed, mean and deviation
departs: neither paper's experiment: 4,000 rounds of 128 (Metz et al.: 25,000 of 512, PacGAN:
  400,000 of 100), with Metz et al.'s networks throughout
reference: PacGAN's table 1, modes / high quality / reverse KL: GAN 6.3 / 98.2 % / 0.45, PacGAN-4
  7.8 / 95.9 % / 0.07, after 400,000 rounds of 100 with wider networks than these
measured: on Metz et al.'s ring 7.6 ± 0.9 of 8 modes, 8 on each of five seeds with equal rates; on
  PacGAN's ring 7.4 ± 1.3, with packs of four 7.2 ± 1.1; table in docs/mode_coverage.md
target: what each difference does is recorded
again: the same command in a new workdir; finished runs are not repeated
status: toy

Each entry keeps the changes of those before it. 4,000 rounds of batches of 128, as
`study_ring.py:quick` has them.
"""

from pathlib import Path

from gm_jax.recipes import derive

EQUAL_RATES = dict(discriminator=dict(optimizer=dict(name="adam", learning_rate=1e-3, b1=0.5)))
TWO_LATENTS = EQUAL_RATES | dict(latents=2)
THEIR_RING = TWO_LATENTS | dict(data=dict(radius=1.0, deviation=0.01))
ENTRIES = {
    "1_metz": {},
    "2_equal_rates": EQUAL_RATES,
    "3_two_latents": TWO_LATENTS,
    "4_ring_of_pacgan": THEIR_RING,
    "5_packs_of_four": THEIR_RING | dict(tricks=dict(packing=4), batch_size=4 * 128),
}


def get_config(variant=""):
    study = dict(
        entries=ENTRIES, seeds=(0, 1, 2, 3, 4), measures=("modes", "high_quality", "reverse_kl")
    )
    changes = dict(study=study, batch_size=128, steps=4000)
    return derive(Path(__file__).with_name(f"gan_ring.py:{variant}"), changes)
