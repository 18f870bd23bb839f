"""DDPM on MNIST.

paper: Ho, Jain & Abbeel 2020, Denoising Diffusion Probabilistic Models, arXiv 2006.11239
command: python launch.py --config=configs/ddpm_mnist.py --workdir=runs/ddpm_mnist
hardware: one core of an Intel Xeon, float32
time: 44 min 39 s of training beside other runs, 10 min of evaluation
metric: fd_classifier_mnist: Fréchet distance of 1000 samples to 1000 training images on the 64
  features of a small classifier of the same data (held-out accuracy .987), mean of ten random
  choices of the reals; not FID
departs: MNIST (the paper: CIFAR-10 and larger images), a cosine schedule (the paper: linear), a
  network of 24 channels, 4,000 rounds of 32 by Adam at 1e-3 with a cosine decay (128 at 2e-4),
  averages of 0.999 (0.9999), and 100 steps of the sampler (1,000)
reference: 6.28, real against real at the same N (mean of ten random splits)
measured: fd 23.5 (3.7 x real against real)
target: as configs/ddpm_fashion_mnist.py: a person recognises the samples; the score recorded
again: python launch.py --workdir=runs/ddpm_mnist --mode=evaluate
status: toy
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
