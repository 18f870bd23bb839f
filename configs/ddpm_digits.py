"""DDPM on the digits of scikit-learn: the main job of `make demo`.

paper: Ho, Jain & Abbeel 2020, Denoising Diffusion Probabilistic Models, arXiv 2006.11239
command: python launch.py --config=configs/ddpm_digits.py --workdir=runs/ddpm_digits
hardware: 2 CPU cores (AMD EPYC, shared), float32
time: 3 min 26 s, installation and scoring included (training 1 min 41 s)
metric: fd_classifier_digits: Fréchet distance of 750 samples to 750 training images on the 64
  features of a small classifier of the same data (held-out accuracy .97), mean of ten random
  choices of the reals; not FID
departs: digits (the paper: CIFAR-10 and larger images), a cosine schedule (the paper: linear), a
  network without attention and of 32 channels, 1,000 rounds of 64 by Adam at 2e-3 (128 at 2e-4),
  averages of 0.995 (0.9999), and 50 steps of the sampler (1,000)
reference: 4.48, real against real at the same N (mean of ten random splits)
measured: fd 4.95 (1.1 x real against real)
target: at most 3 times real against real, within 5 minutes
variants: linear (the paper's schedule), v and x0 (what is predicted): not measured yet
again: python launch.py --workdir=runs/ddpm_digits --mode=evaluate
status: toy
"""

from gm_jax.recipes import recipe


def get_config(variant=""):
    return recipe(
        variant,
        dict(
            system="ddpm",
            steps=1000,
            batch_size=64,
            average=0.995,
            data=dict(name="digits"),
            conditional=False,
            label_dropout=0.0,
            schedule="cosine",
            times=1000,
            prediction="noise",
            network=dict(width=32, multipliers=(1, 2), blocks=1, attention=(), dropout=0.0),
            optimizer=dict(name="adam", learning_rate=2e-3, warmup_steps=100),
            sampler=dict(
                name="ancestral", steps=50, variance="small", eta=0.0, clip=True, guidance=0.0
            ),
            show=dict(every=500, counts=dict(sample=64, trajectory=8)),
            evaluate=dict(score=750),
        ),
        smoke=dict(
            steps=4, batch_size=16, network=dict(width=8), sampler=dict(steps=4),
            show=dict(counts=dict(sample=16, trajectory=2)), sample=dict(count=32),
            evaluate=dict(score=32),
        ),
        linear=dict(schedule="linear"),
        v=dict(prediction="v"),
        x0=dict(prediction="x0"),
    )  # fmt: skip
