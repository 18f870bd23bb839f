"""VQ-VAE on MNIST, binarised at each visit: 49 codes an image, out of 128.

paper: van den Oord, Vinyals & Kavukcuoglu 2017, Neural Discrete Representation Learning,
  arXiv 1711.00937
command: python launch.py --config=configs/vqvae_mnist.py --workdir=runs/vqvae_mnist
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 19 min 39 s, of which it stood still for 10 (beside another run)
metric: on all 10,000 test images, binarised once by a draw of their grey values: log p(x|z) in
  nats, mean squared error of the mean image (pixels -1 and 1), perplexity of the codes over the
  whole split and how many of the 128 occur in it
departs: MNIST, 128 codes of 16 numbers that follow moving averages and restart when unused, 32 and
  64 channels, 4,000 steps at 1e-3 with a cosine decay; the paper has CIFAR10 and ImageNet, 512
  codes moved by the gradient of eq. 3, 256 channels, 250,000 steps at 2e-4
reference: none published for this setting
measured: log p(x|z) -23.1 ± 0.1 nats, squared error 0.0349; perplexity 114.3, all 128 codes in use
target: a person recognises the reconstructions; more than half of the codes in use
again: python launch.py --workdir=runs/vqvae_mnist --mode=evaluate
status: toy

Its samples would decode codes drawn uniformly; configs/vqvae_prior_mnist.py learns their
prior.
"""

from gm_jax.recipes import recipe


def get_config(variant=""):
    return recipe(
        variant,
        dict(
            system="vqvae",
            steps=4000,
            batch_size=128,
            data=dict(name="mnist", binarize="redrawn"),
            quantizer=dict(
                name="averaged", count=128, width=16, beta=0.25,
                averaged=dict(decay=0.99, epsilon=1e-5, revive_below=0.5),
                lookup_free=dict(entropy=0.1, temperature=1.0),
            ),
            likelihood="bernoulli",
            network=dict(widths=(32, 64), blocks=2),
            optimizer=dict(name="adam", learning_rate=1e-3, decay_steps=4000),
            show=dict(every=2000, counts=dict(sample=0, reconstruct=32)),
            evaluate=dict(counts=dict(distortion=10_000)),
        ),
        smoke=dict(
            steps=4, batch_size=16, network=dict(widths=(4, 8), blocks=1),
            quantizer=dict(count=8, width=4), show=dict(every=0), sample=dict(count=32),
            evaluate=dict(counts=dict(distortion=16)),
        ),
    )  # fmt: skip
