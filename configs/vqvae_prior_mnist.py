"""Two stages on MNIST: a VQ-VAE, then a gated PixelCNN over its 49 codes, given the class.

paper: van den Oord, Vinyals & Kavukcuoglu 2017, Neural Discrete Representation Learning,
  arXiv 1711.00937
command: python launch.py --config=configs/vqvae_prior_mnist.py --workdir=runs/vqvae_prior_mnist
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 13 min 51 s for the first stage, 15 min 27 s for the prior
metric: on all 10,000 test images, binarised once by a draw of their grey values, in nats: log
  p(x|z) + log p(z|class), which is a bound on log p(x|class), and its two terms; share of 10,000
  samples in which a classifier (accuracy .988) sees the class asked for; fd as in
  configs/gan_mnist.py
reference: none published for this setting
measured: agreement 0.904 ± 0.003; bound -200.0 ± 0.2 nats (x given codes -22.8, codes -177.2); fd
  16.2 at N = 5000 (13 x real against real)
target: a person recognises the samples
again: python launch.py --workdir=runs/vqvae_prior_mnist --mode=evaluate
status: toy
departs: a gated PixelCNN of 5 layers of 48 features over 7x7 codes of MNIST, of a class; the paper
  has a PixelCNN over 32x32 codes of ImageNet. Adam with a cosine decay for the prior

The first stage is configs/vqvae_mnist.py, trained first in the same workdir. To take one that is
trained already, as was measured: --config=configs/vqvae_prior_mnist.py:frozen
--config.stages.codes=WORKDIR.
"""

from pathlib import Path

from gm_jax.recipes import load_config, recipe

HERE = Path(__file__).parent


def get_config(variant=""):
    config = recipe(
        variant,
        dict(
            system="latent_prior",
            steps=3000,
            batch_size=128,
            conditional=True,
            network=dict(
                name="gated_pixelcnn",
                gated_pixelcnn=dict(
                    layers=5, width=48, head=96, size=3, first_size=3, embedding=32
                ),
                gpt=dict(layers=4, heads=4, width=128, dropout=0.0),
            ),
            optimizer=dict(name="adam", learning_rate=1e-3, decay_steps=3000),
            sampler=dict(temperature=1.0, top_k=0, top_p=1.0),
            show=dict(every=1500, counts=dict(sample=100)),
            evaluate=dict(counts=dict(bound=10_000), agreement=10_000, score=5000),
        ),
        frozen=dict(stages=dict(codes="runs/vqvae_mnist")),
        smoke=dict(
            steps=4, batch_size=16, network=dict(
                gated_pixelcnn=dict(layers=1, width=4, head=4, embedding=2),
                gpt=dict(layers=1, heads=2, width=8),
            ),
            show=dict(every=0), sample=dict(count=32),
            evaluate=dict(counts=dict(bound=16), agreement=0, score=0),
        ),
    )  # fmt: skip
    codes = load_config(f"{HERE}/vqvae_mnist.py:{'smoke' if variant == 'smoke' else ''}")
    config.data = codes.data  # One data set for both stages, however it is overridden.
    if variant != "frozen":
        config.stages.codes = codes
    return config
