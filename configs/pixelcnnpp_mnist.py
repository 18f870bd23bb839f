"""PixelCNN++ on MNIST with 256 grey values.

paper: Salimans, Karpathy, Chen & Kingma 2017, PixelCNN++, arXiv 1701.05517
command: python launch.py --config=configs/pixelcnnpp_mnist.py --workdir=runs/pixelcnnpp_mnist
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 54 min (shared machine)
metric: bits per dimension, exactly, on all 10,000 test images with their 256 grey values
reference: none published for grey MNIST; the paper's 2.92 bits are of CIFAR-10
measured: 1.1600 ± 0.0027 bits per dimension: the target is missed; samples are strokes, few of
  them digits. On the first 2,000 test images 1.285 after 1,000 rounds, 1.226, 1.189, 1.175 and
  1.169 after 2,000 to 5,000
target: below 1 bit per dimension within an hour of two cores
again: python launch.py --config=configs/pixelcnnpp_mnist.py --workdir=runs/pixelcnnpp_mnist
  --mode=evaluate --config.evaluate.counts.log_prob=10000
status: unverified
departs: MNIST in place of CIFAR-10, and so a network far smaller than the paper's, without its
  dropout; all maps at full resolution; plain weights in place of weight normalisation; a cosine
  decay and clipped gradients

While it trains, the log-likelihood of the first 2,000 test images is logged every 1000 steps.
"""

from gm_jax.recipes import recipe


def get_config(variant=""):
    return recipe(
        variant,
        dict(
            system="pixelcnnpp",
            steps=5_000,
            batch_size=16,
            average=0.999,
            data=dict(name="mnist"),
            conditional=False,
            components=5,
            network=dict(blocks=3, width=24, dropout=0.0),
            optimizer=dict(
                name="adam", learning_rate=1e-3, warmup_steps=100, decay_steps=5_000, clip_norm=1.0
            ),
            sampler=dict(temperature=1.0, top_k=0, top_p=1.0),
            show=dict(every=1000, counts=dict(sample=64, complete=32)),
            evaluate=dict(every=1000, counts=dict(log_prob=2000)),
        ),
        smoke=dict(
            steps=4, batch_size=16, components=2,
            network=dict(blocks=1, width=4, dropout=0.1),
            data=dict(name="digits"), show=dict(every=0), sample=dict(count=32),
            evaluate=dict(every=0, counts=dict(log_prob=16)),
        ),
    )  # fmt: skip
