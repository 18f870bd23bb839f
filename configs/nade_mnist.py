"""NADE on MNIST, binarised once and for all.

paper: Larochelle & Murray 2011, The Neural Autoregressive Distribution Estimator, AISTATS; Uria et
  al. 2016, arXiv 1605.02226
command: python launch.py --config=configs/nade_mnist.py --workdir=runs/nade_mnist
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 43 min
metric: nats, log p(x) exactly, on all 10,000 test images, binarised once by a draw of their
  grey values (data.binarize="fixed"; not Larochelle's file)
reference: the paper's -88.33, on Larochelle's binarised MNIST
measured: log-likelihood -92.93 ± 0.23 nats
target: log-likelihood better than -95 within an hour of two cores
again: python launch.py --config=configs/nade_mnist.py --workdir=runs/nade_mnist
  --mode=evaluate --config.evaluate.counts.log_prob=10000
status: toy
departs: Adam with a cosine decay, clipped gradients and averaged parameters in place of stochastic
  gradient descent

While it trains, the log-likelihood of the first 2,000 test images is logged every 2000 steps.
The completions are of the pixels that come later in the model's own random order.
"""

from gm_jax.recipes import recipe


def get_config(variant=""):
    return recipe(
        variant,
        dict(
            system="nade",
            steps=12_000,
            batch_size=64,
            average=0.999,
            data=dict(name="mnist", binarize="fixed"),
            units=500,
            optimizer=dict(
                name="adam", learning_rate=1e-3, warmup_steps=100, decay_steps=12_000, clip_norm=1.0
            ),
            sampler=dict(temperature=1.0, top_k=0, top_p=1.0),
            show=dict(every=2000, counts=dict(sample=64, complete=32)),
            evaluate=dict(every=2000, counts=dict(log_prob=2000)),
        ),
        smoke=dict(
            steps=4, batch_size=16, units=8,
            data=dict(name="digits"), show=dict(every=0), sample=dict(count=32),
            evaluate=dict(every=0, counts=dict(log_prob=16)),
        ),
    )  # fmt: skip
