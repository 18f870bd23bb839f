"""DDPM on the digits of scikit-learn, without labels, guided by a classifier of noised digits.

paper: Dhariwal & Nichol 2021, Diffusion Models Beat GANs on Image Synthesis, arXiv 2105.05233
command: python launch.py --config=configs/classifier_guided_digits.py
  --workdir=runs/classifier_guided_digits
hardware: not measured yet
time: not measured yet
metric: not measured yet
departs: not measured yet
reference: not measured yet
measured: not yet
target: not measured yet
again: python launch.py --workdir=runs/classifier_guided_digits --mode=evaluate
status: unverified

One command trains the classifier and the model. The model does not see the classifier in training,
so one that is trained already can be guided, too:

    python launch.py --workdir=runs/ddpm_digits --mode=sample
      --config.stages.classifier=runs/classifier_digits --config.sampler.classifier=1.0
"""

from pathlib import Path

from gm_jax.recipes import derive, load_config

HERE = Path(__file__).parent


def get_config(variant=""):
    return derive(
        f"{HERE}/ddpm_digits.py:{variant}",
        dict(
            sampler=dict(classifier=1.0),
            stages=dict(classifier=load_config(f"{HERE}/classifier_digits.py:{variant}")),
            evaluate=dict(agreement=32 if variant == "smoke" else 1000),
        ),
    )
