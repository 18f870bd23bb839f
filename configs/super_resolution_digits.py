"""A cascade of two diffusion models on the digits of scikit-learn: 4x4, then 8x8, by class.

paper: Ho et al. 2022, Cascaded Diffusion Models for High Fidelity Image Generation,
  arXiv 2106.15282
command: python launch.py --config=configs/super_resolution_digits.py
  --workdir=runs/super_resolution_digits
hardware: 2 CPU cores (AMD EPYC, shared), float32
time: about 6 min of training, by the rates of the rounds that other work disturbed least
metric: fd_classifier_digits: Fréchet distance of 750 samples to 750 training images on the 64
  features of a small classifier of the same data (held-out accuracy .98), mean of ten random
  choices of the reals, not FID; agreement: share of 1,000 samples of the class that was asked for
  by that classifier; consistency: peak signal-to-noise ratio of what 297 test images become when
  enlarged and made small again, to the small images
departs: digits (the paper: ImageNet, 32x32 to 256x256), networks of 32 channels without attention,
  1,000 rounds of 64 at each stage, averages of 0.995, one cosine schedule for images and
  augmentation, which goes up to half of its times
reference: 4.53, real against real at the same N (mean of ten random splits; a classifier of .98)
measured: fd 5.37 (1.2 x real against real), agreement 0.976 ± 0.005, PSNR to the image 15.3 dB
  (bicubic 13.2), consistency 22.6 dB (24.1), one seed
target: at most 3 times real against real
again: python launch.py --workdir=runs/super_resolution_digits --mode=evaluate
status: toy

One command trains the base and the upsampler. `:alone` trains the upsampler by itself; a base comes
later, by --config.stages.base=WORKDIR.
"""

from pathlib import Path

from gm_jax.recipes import load_config, recipe

HERE = Path(__file__).parent


def get_config(variant=""):
    alone = variant == "alone"
    base = load_config(f"{HERE}/guided_ddpm_digits.py:{variant if variant == 'smoke' else ''}")
    base.data.size = 4  # The small images, of the same data.
    base.sampler.guidance = 0.0
    return recipe(
        variant,
        dict(
            system="super_resolution",
            steps=1000,
            batch_size=64,
            average=0.995,
            data=dict(name="digits"),
            factor=2,
            augmentation=0.5,
            condition=dict(name="label"),
            label_dropout=0.1,
            schedule="cosine",
            times=1000,
            prediction="noise",
            network=dict(width=32, multipliers=(1, 2), blocks=1, attention=(), dropout=0.0),
            optimizer=dict(name="adam", learning_rate=2e-3, warmup_steps=100),
            sampler=dict(name="ancestral", steps=50, variance="small", augmentation=0.1),
            show=dict(every=1000, counts=dict(sample=64, upsample=16, trajectory=0)),
            evaluate=dict(score=750, agreement=1000, counts=dict(restoration=0)),
        ),
        {} if alone else dict(stages=dict(base=base)),
        alone=dict(
            show=dict(counts=dict(sample=0)), evaluate=dict(score=0, agreement=0),
        ),
        smoke=dict(
            steps=4, batch_size=16, network=dict(width=8), sampler=dict(steps=4),
            show=dict(counts=dict(sample=16, upsample=4)), sample=dict(count=32),
            evaluate=dict(score=32, agreement=32, counts=dict(restoration=32)),
        ),
    )  # fmt: skip
