"""DDPM on the digits of scikit-learn, without labels, guided by a classifier of noised digits.

paper: Dhariwal & Nichol 2021, Diffusion Models Beat GANs on Image Synthesis, arXiv 2105.05233
command: python launch.py --config=configs/classifier_guided_digits.py
  --workdir=runs/classifier_guided_digits
hardware: one of 2 CPU cores (Intel Xeon), float32
time: 3 min 30 s, both trainings
metric: fd_classifier_digits: Fréchet distance of 750 samples to 750 training images on the 64
  features of a small classifier of the same data (held-out accuracy .97), mean of ten random
  choices of the reals, not FID; agreement: share of 1,000 samples of the class that was asked for
  by that classifier
departs: digits (the paper: ImageNet), the networks and rounds of configs/ddpm_digits.py and
  configs/classifier_digits.py; x0_hat is clipped after guidance (the paper's code: before it)
reference: 4.48, real against real at the same N (mean of ten random splits)
measured: fd 3.37 (0.75 x real against real), agreement 0.955 ± 0.007, one seed, at the scale 2. At
  the scales 1 and 4 (`again` with --config.sampler.classifier=1.0 or 4.0) fd 5.37 and 4.46,
  agreement 0.808 ± 0.012 and 0.980 ± 0.004; the scale was chosen by these numbers
target: at most 3 times real against real at the best scale; agreement above 0.9
later: python launch.py --workdir=runs/ddpm_digits --mode=sample
  --config.stages.classifier=runs/classifier_digits --config.sampler.classifier=2.0
again: python launch.py --workdir=runs/classifier_guided_digits --mode=evaluate
status: toy

One command trains the classifier and the model. The model does not see the classifier in training,
so one that is trained already is guided by the command `later`.
"""

from pathlib import Path

from gm_jax.recipes import derive, load_config

HERE = Path(__file__).parent


def get_config(variant=""):
    return derive(
        f"{HERE}/ddpm_digits.py:{variant}",
        dict(
            sampler=dict(classifier=2.0),
            stages=dict(classifier=load_config(f"{HERE}/classifier_digits.py:{variant}")),
            evaluate=dict(agreement=32 if variant == "smoke" else 1000),
        ),
    )
