"""DDPM on CIFAR-10, as published.

paper: Ho, Jain & Abbeel 2020, Denoising Diffusion Probabilistic Models, arXiv 2006.11239
command: python launch.py --config=configs/ddpm_cifar10.py --workdir=runs/ddpm_cifar10
data: TFDS, prepared by tfds build cifar10 --file_format=array_record
hardware: none of ours; the paper's run took 10.6 hours for 800,000 rounds on a TPU v3-8
time: not measured yet
metric: FID of 50,000 samples to the training images, tf2015 Inception
departs: nothing known; the network has 35.7 million parameters, as in the paper
reference: FID 3.17 (the paper)
measured: not yet
target: FID within 0.3 of the paper's
again: python launch.py --workdir=runs/ddpm_cifar10 --mode=evaluate
  --config.evaluate.weights=FILE
status: unverified
"""

from gm_jax.nn import configurations
from gm_jax.recipes import recipe


def get_config(variant=""):
    return recipe(
        variant,
        dict(
            system="ddpm",
            steps=800_000,
            batch_size=128,
            average=0.9999,
            data=dict(name="cifar10", flip=True),
            schedule="linear",
            times=1000,
            prediction="noise",
            network=configurations.DDPM_CIFAR10,
            optimizer=dict(name="adam", learning_rate=2e-4, warmup_steps=5000, clip_norm=1.0),
            sampler=dict(name="ancestral", steps=1000, variance="large"),
            show=dict(every=20_000, counts=dict(sample=64, trajectory=8)),
            evaluate=dict(metrics="fid", samples=50_000),
        ),
        smoke=dict(
            steps=4, batch_size=8, data=dict(name="digits", flip=False),
            network=dict(width=8, multipliers=(1, 2), blocks=1, attention=(4,), groups=4),
            sampler=dict(steps=4), show=dict(counts=dict(sample=8, trajectory=2)),
            sample=dict(count=8), evaluate=dict(metrics="", samples=8),
        ),
    )  # fmt: skip
