"""Gated PixelCNN on MNIST, binarised at each visit.

paper: van den Oord et al. 2016, Conditional Image Generation with PixelCNN Decoders, arXiv
  1606.05328
command: python launch.py --config=configs/gated_pixelcnn_mnist.py
  --workdir=runs/gated_pixelcnn_mnist
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 47 min
metric: nats, log p(x) exactly, on all 10,000 test images, binarised once by a draw of their
  grey values
reference: pytorch-generative reports -81.50 on MNIST binarised at each visit
measured: log-likelihood -86.91 ± 0.20 nats
target: log-likelihood better than -88 within an hour of two cores
again: python launch.py --config=configs/gated_pixelcnn_mnist.py --workdir=runs/gated_pixelcnn_mnist
  --mode=evaluate --config.evaluate.counts.log_prob=10000
status: toy
departs: MNIST, of which the paper has no result, and so a network far smaller than the paper's (6
  layers of 24 features); Adam with a cosine decay, clipped gradients and averaged parameters

While it trains, the log-likelihood of the first 2,000 test images is logged every 1000 steps.
:conditional is the same model of each digit's class.
"""

from gm_jax.recipes import recipe


def get_config(variant=""):
    return recipe(
        variant,
        dict(
            system="gated_pixelcnn",
            steps=6_000,
            batch_size=32,
            average=0.999,
            data=dict(name="mnist", binarize="redrawn"),
            conditional=False,
            network=dict(
                layers=6, width=24, head=64, size=3, first_size=7, embedding=0
            ),
            optimizer=dict(
                name="adam", learning_rate=2e-3, warmup_steps=100, decay_steps=6_000, clip_norm=1.0
            ),
            sampler=dict(temperature=1.0, top_k=0, top_p=1.0),
            show=dict(every=1000, counts=dict(sample=64, complete=32)),
            evaluate=dict(every=1000, counts=dict(log_prob=2000)),
        ),
        conditional=dict(conditional=True),
        smoke=dict(
            steps=4, batch_size=16, conditional=True,
            network=dict(layers=2, width=4, head=8, first_size=5),
            data=dict(name="digits"), show=dict(every=0), sample=dict(count=32),
            evaluate=dict(every=0, counts=dict(log_prob=16)),
        ),
    )  # fmt: skip
