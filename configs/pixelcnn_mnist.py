"""PixelCNN on MNIST, binarised once and for all.

paper: van den Oord, Kalchbrenner & Kavukcuoglu 2016, Pixel Recurrent Neural Networks, arXiv
  1601.06759
command: python launch.py --config=configs/pixelcnn_mnist.py --workdir=runs/pixelcnn_mnist
hardware: one of 2 CPU cores (AMD EPYC), float32, shared
time: 65 min
metric: nats, log p(x) exactly, on all 10,000 test images, binarised once by a draw of their
  grey values (data.binarize="fixed"; not Larochelle's file)
reference: the paper's -81.30, on Larochelle's binarised MNIST
measured: log-likelihood -89.84 ± 0.21 nats
target: log-likelihood better than -90 within an hour of two cores
again: python launch.py --config=configs/pixelcnn_mnist.py --workdir=runs/pixelcnn_mnist
  --mode=evaluate --config.evaluate.counts.log_prob=10000
status: toy
departs: Adam with a cosine decay, clipped gradients and averaged parameters in place of RMSProp; a
  small network (7 blocks of 2x16 features), of a size that the paper does not state for MNIST

While it trains, the log-likelihood of the first 2,000 test images is logged every 2000 steps.
"""

from gm_jax.recipes import recipe


def get_config(variant=""):
    return recipe(
        variant,
        dict(
            system="pixelcnn",
            steps=12_000,
            batch_size=32,
            average=0.999,
            data=dict(name="mnist", binarize="fixed"),
            network=dict(layers=7, width=16, head=32, size=3, first_size=7),
            optimizer=dict(
                name="adam", learning_rate=2e-3, warmup_steps=100, decay_steps=12_000, clip_norm=1.0
            ),
            sampler=dict(temperature=1.0, top_k=0, top_p=1.0),
            show=dict(every=2000, counts=dict(sample=64, complete=32)),
            evaluate=dict(every=2000, counts=dict(log_prob=2000)),
        ),
        smoke=dict(
            steps=4, batch_size=16, network=dict(layers=2, width=4, head=8),
            data=dict(name="digits"), show=dict(every=0), sample=dict(count=32),
            evaluate=dict(every=0, counts=dict(log_prob=16)),
        ),
    )  # fmt: skip
