"""FVBN (logistic autoregression) on MNIST, binarised once and for all.

paper: Frey, Hinton & Dayan 1996, Does the Wake-sleep Algorithm Produce Good Density Estimators?,
  NIPS 8; its number on MNIST is in Larochelle & Murray 2011, AISTATS
command: python launch.py --config=configs/fvbn_mnist.py --workdir=runs/fvbn_mnist
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 44 min on a core shared by ten processes; 4 min of its own
metric: nats, log p(x) exactly, on all 10,000 test images, binarised once by a draw of their
  grey values (data.binarize="fixed"; not Larochelle's file)
reference: -97.45 by Larochelle & Murray (recalled, not read again), on Larochelle's binarised MNIST
measured: log-likelihood -97.70 ± 0.23 nats
target: log-likelihood of -97.45 within two standard errors
again: python launch.py --workdir=runs/fvbn_mnist --mode=evaluate
status: reproduced
departs: Adam whose rate falls linearly to 0, with a small penalty on the weights, in place of
  stochastic gradient descent stopped early

The problem is convex, so it has one best model whatever the seed.
"""

from gm_jax.recipes import recipe


def get_config(variant=""):
    return recipe(
        variant,
        dict(
            system="fvbn",
            steps=18_000,
            batch_size=100,
            data=dict(name="mnist", binarize="fixed"),
            decay=1e-5,
            optimizer=dict(name="adam", learning_rate=2e-3, decay_steps=18_000, schedule="linear"),
            sampler=dict(temperature=1.0, top_k=0, top_p=1.0),
            show=dict(every=6000, counts=dict(sample=64, complete=32)),
            evaluate=dict(every=6000, counts=dict(log_prob=10_000)),
        ),
        smoke=dict(
            steps=4, batch_size=16,
            data=dict(name="digits"), show=dict(every=0), sample=dict(count=32),
            evaluate=dict(every=0, counts=dict(log_prob=16)),
        ),
    )  # fmt: skip
