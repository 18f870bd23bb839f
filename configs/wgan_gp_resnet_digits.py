"""WGAN-GP with residual networks on the digits of scikit-learn.

paper: Gulrajani et al. 2017, Improved Training of Wasserstein GANs, arXiv 1704.00028
command: python launch.py --config=configs/wgan_gp_resnet_digits.py
  --workdir=runs/wgan_gp_resnet_digits
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 5 min 48 s beside other runs
metric: fd_classifier_digits: Fréchet distance of 750 samples to 750 training images on the 64
  features of a small classifier of the same data (held-out accuracy .97), mean of ten random
  choices of the reals; not FID
departs: digits, 32 features (128), 2,000 rounds (100,000) at 1e-3 (2e-4), and samples of an
  averaged G with batch statistics of its own. No noise is added to the levels of the pixels, D
  moves first in a round. The penalty, Adam, its decay to 0, five steps of D, G's batches of 2 x 64
  and the first weights are those of the authors' code
reference: 4.48, real against real at the same N (mean of ten random splits); wgan_gp_digits, 16.8
measured: 7.25, 1.6 times real against real, one seed; 2,000 rounds of the same networks in
  configs/study_timeline.py, with 64 latents: 5.03. Not measured at 2e-4
target: at most 3.8 times real against real, as wgan_gp_digits
again: python launch.py --workdir=runs/wgan_gp_resnet_digits --mode=evaluate
status: toy

`:published` is the paper's model of CIFAR-10 without labels (Inception score 7.86, table 3).
"""

from gm_jax.recipes import recipe

STEPS, CRITICS = 2000, 5


def adam(rate, steps):
    """A rate that falls to 0 in so many steps of its player."""
    decay = dict(decay_steps=steps, schedule="linear", final_rate=0.0)
    return dict(name="adam", learning_rate=rate, b1=0.0, b2=0.9, **decay)


def players(rate, steps, width):
    return dict(
        generator=dict(width=width, samples=2, optimizer=adam(rate, steps)),
        discriminator=dict(
            width=width, normalization="none", times=CRITICS,
            optimizer=adam(rate, CRITICS * steps),
        ),
    )  # fmt: skip


def get_config(variant=""):
    return recipe(
        variant,
        dict(
            system="gan",
            steps=STEPS,
            batch_size=64,
            average=0.999,
            data=dict(name="digits"),
            networks="wgan_gp_resnet",
            latents=128,
            value_function="wasserstein",
            penalty=dict(name="wgan_gp", weight=10.0),
            **players(1e-3, STEPS, 32),
            sampler=dict(standing=16),
            show=dict(every=1000, counts=dict(sample=64, interpolation=8)),
            evaluate=dict(score=750),
        ),
        published=dict(
            steps=100_000, average=0.0, data=dict(name="cifar10"), **players(2e-4, 100_000, 128),
            sampler=dict(standing=0),
            show=dict(every=10_000), evaluate=dict(score=0, metrics="fid,is", samples=50_000),
        ),
        smoke=dict(
            steps=4, batch_size=16, **players(1e-3, 4, 4), sampler=dict(standing=2),
            show=dict(counts=dict(sample=16)), sample=dict(count=32), evaluate=dict(score=32),
        ),
    )  # fmt: skip
