"""Study: the weight of classifier-free guidance on the digits, one model.

paper: Ho & Salimans 2022, Classifier-Free Diffusion Guidance, arXiv 2207.12598, figure 4
command: python launch.py --config=configs/study_guidance.py --workdir=runs/study_guidance
  --mode=study
hardware: one of 2 CPU cores (AMD EPYC, shared), float32
time: 24 min for the three seeds, beside other runs
metric: fd_classifier_digits: Fréchet distance of 750 samples to 750 training images on the 64
  features of a small classifier of the same data, mean of ten random choices of the reals; not FID.
  Agreement: share of 750 samples in which the same classifier finds the class that was asked for;
  every seed, mean and deviation
departs: digits (the paper: ImageNet), the agreement of a classifier for the inception score
reference: 4.48, real against real at the same N (mean of ten random splits)
measured: score 3.8, 7.3, 12.2, 21, 34, 49 (means of three seeds) at weights 0, 0.5, 1, 2, 4, 8;
  agreement 0.972, 0.997, then 1 (0.998 at 8): both grow as they should on every seed
target: agreement grows with the weight from 0 to 1, and the distance from 1 to 8
again: the same command in a new workdir; finished runs are not repeated
status: toy

The model of configs/guided_ddpm_digits.py, trained once a seed. Entries are named by ten times the
weight.
"""

from pathlib import Path

from gm_jax.recipes import derive

WEIGHTS = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)


def get_config(variant=""):
    entries = {f"w_{10 * w:02.0f}": dict(sampler=dict(guidance=w)) for w in WEIGHTS}
    changes = dict(
        show=dict(every=0),
        evaluate=dict(agreement=32 if variant == "smoke" else 750),
        study=dict(
            entries=entries,
            seeds=(0,) if variant == "smoke" else (0, 1, 2),
            measures=("fd_classifier_digits", "agreement"),
            against="sampler.guidance",
        ),
    )
    return derive(Path(__file__).with_name(f"guided_ddpm_digits.py:{variant}"), changes)
