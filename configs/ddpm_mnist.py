"""DDPM on MNIST.

paper: Ho, Jain & Abbeel 2020, Denoising Diffusion Probabilistic Models, arXiv 2006.11239
command: python launch.py --config=configs/ddpm_mnist.py --workdir=runs/ddpm_mnist
hardware: 2 CPU cores (AMD EPYC, shared), float32
time: not measured yet
metric: as evaluate.score and evaluate.counts say
departs: MNIST (the paper: CIFAR-10 and larger images), a cosine schedule (the paper: linear), a
  network of 24 channels, 4,000 rounds of 32 by Adam at 1e-3 with a cosine decay (128 at 2e-4),
  averages of 0.999 (0.9999), and 100 steps of the sampler (1,000)
reference: none yet
measured: not yet
target: not set yet
again: python launch.py --workdir=runs/ddpm_mnist --mode=evaluate
status: unverified
"""

from gm_jax.recipes import recipe


def get_config(variant=""):
    return recipe(
        variant,
        dict(
            system="ddpm",
            steps=4000,
            batch_size=32,
            average=0.999,
            data=dict(name="mnist"),
            conditional=False,
            label_dropout=0.0,
            schedule="cosine",
            times=1000,
            prediction="noise",
            network=dict(width=24, multipliers=(1, 2, 2), blocks=1, attention=(7,), dropout=0.0),
            optimizer=dict(name="adam", learning_rate=1e-3, warmup_steps=100, decay_steps=4000),
            sampler=dict(
                name="ancestral", steps=100, variance="small", eta=0.0, clip=True, guidance=0.0
            ),
            show=dict(every=1000, counts=dict(sample=64, trajectory=8)),
            evaluate=dict(score=1000),
        ),
        smoke=dict(
            steps=4, batch_size=16, network=dict(width=8), sampler=dict(steps=4),
            show=dict(counts=dict(sample=16, trajectory=2)), sample=dict(count=32),
            evaluate=dict(score=32),
        ),
    )  # fmt: skip
