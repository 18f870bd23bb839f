"""Mixtures of Bernoullis on MNIST, binarised once and for all, fitted by EM.

paper: Bishop 2006, Pattern Recognition and Machine Learning, section 9.3.3; compared in
  Larochelle & Murray 2011, AISTATS
command: python launch.py --config=configs/bernoulli_mixture_mnist.py --workdir=runs/mixture
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 51 min on a core shared by ten processes; 1 min 17 s of its own
metric: nats, log p(x) exactly, on all 10,000 test images, binarised once by a draw of their
  grey values (data.binarize="fixed"; not Larochelle's file)
reference: -137.64 with 500 components by Larochelle & Murray (recalled, not read again), on
  Larochelle's binarised MNIST
measured: log-likelihood -125.59 ± 0.41 nats, 498 components used; :independent -205.84 ± 0.45
target: log-likelihood better than -137.64 with 500 components
again: python launch.py --workdir=runs/mixture --mode=evaluate
status: reproduced
departs: how the paper fitted its mixture was not looked up

Fifteen passes over the training images, an M step after each. :ten and :hundred have as many
components, :independent one, which makes the pixels independent.
"""

from gm_jax.recipes import recipe


def get_config(variant=""):
    return recipe(
        variant,
        dict(
            system="bernoulli_mixture",
            steps=900,
            batch_size=1000,
            data=dict(name="mnist", binarize="fixed"),
            components=500,
            batches=60,
            smoothing=0.1,
            report=dict(every=60),
            show=dict(every=0, counts=dict(sample=64, components=100)),
            evaluate=dict(counts=dict(log_prob=10_000, encode=10_000)),
        ),
        hundred=dict(components=100),
        ten=dict(components=10),
        independent=dict(components=1, steps=60),
        smoke=dict(
            steps=4, batch_size=16, components=4, batches=2, data=dict(name="digits"),
            sample=dict(count=32),
            evaluate=dict(counts=dict(log_prob=16, encode=16)),
        ),
    )  # fmt: skip
