"""GAN (non-saturating, DCGAN networks) on the digits of scikit-learn.

paper: Goodfellow et al. 2014, Generative Adversarial Nets, arXiv 1406.2661; networks of Radford,
  Metz & Chintala 2016, arXiv 1511.06434
command: python launch.py --config=configs/gan_digits.py --workdir=runs/gan_digits
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 31 s
metric: fd_classifier_digits: Fréchet distance of 750 samples to 750 training images on the 64
  features of a small classifier of the same data (held-out accuracy .97), mean of ten random
  choices of the reals; not FID
departs: Radford et al.'s layers, cut to images of 8x8 pixels, with 64 normal latents (100 uniform
  ones), batches of 64 (128), and samples of an averaged G; Goodfellow et al. have perceptrons, D
  with maxout and dropout, and gradient descent with momentum
reference: 4.48, real against real at the same N (mean of ten random splits)
measured: fd 18.8 (4.2 x real against real)
target: at most 5 times real against real
again: python launch.py --workdir=runs/gan_digits --mode=evaluate
status: toy

With --config.value_function=minimax and one-sided smoothing (tricks.real_label 0.9): fd 21.8.

:r1 has a penalty on D's slope at real images (Mescheder et al. 2018, arXiv 1801.04406), no momentum
and twice the rounds: fd 13.3 and 13.1 of two seeds (3.0 and 2.9 x) in 173 s. What made the
difference, one change after another, times real against real on a busy machine, where the plain
recipe had 4.5: R1 of weight 1 3.7, of weight 10 4.8; weight 1 without momentum (b1 0) 3.3; with
twice the rounds 3.0, or with twice the features in both players 3.0, with both 3.1. Rates that fall
to 0 (6.0), spectral normalisation (4.8), and :r1 with rates of 1e-3 and b2 0.99 (3.7) did not help;
an average of .9995 is the same, as its decay has not risen to .999 by then; D has no hidden layer
to normalise at 8x8 pixels.
"""

from gm_jax.recipes import recipe


def get_config(variant=""):
    adam = dict(name="adam", learning_rate=2e-4, b1=0.5)
    return recipe(
        variant,
        dict(
            system="gan",
            steps=5000,
            batch_size=64,
            average=0.999,
            data=dict(name="digits"),
            latents=64,
            value_function="non_saturating",
            generator=dict(width=64, optimizer=adam),
            discriminator=dict(width=64, optimizer=adam, times=1),
            show=dict(every=1000, counts=dict(sample=64, interpolation=8)),
            evaluate=dict(score=750),
        ),
        r1=dict(
            steps=10_000,
            penalty=dict(name="r1", weight=1.0),
            generator=dict(optimizer=dict(b1=0.0)),
            discriminator=dict(normalization="none", optimizer=dict(b1=0.0)),
        ),
        smoke=dict(
            steps=4, batch_size=16, generator=dict(width=8), discriminator=dict(width=8),
            show=dict(counts=dict(sample=16)), sample=dict(count=32), evaluate=dict(score=32),
        ),
    )  # fmt: skip
