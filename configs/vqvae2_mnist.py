"""VQ-VAE-2 on MNIST, binarised at each visit: 49 codes on top, 196 below, out of 32.

paper: Razavi, van den Oord & Vinyals 2019, Generating Diverse High-Fidelity Images with VQ-VAE-2,
  arXiv 1906.00446
command: python launch.py --config=configs/vqvae2_mnist.py --workdir=runs/vqvae2_mnist
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 39 min (shared machine; interrupted)
metric: as configs/vqvae_mnist.py; perplexity and codes in use of each level, which has its own
  codebook
departs: 28x28 digits with a Bernoulli likelihood, 32 codes of 8 numbers, 32 and 64 channels, 3,000
  steps, unused codes restart; the paper has images of 256 and 1,024 pixels with squared error, 512
  codes of 64 numbers and 128 channels
reference: none published for this setting
measured: log p(x|z) -1.5 ± 0.02 nats, squared error 0.0021; perplexity 24.1 on top and 21.4 below,
  all 32 codes in use on both
target: a person recognises the reconstructions; more than half of the codes of each level in use
again: python launch.py --workdir=runs/vqvae2_mnist --mode=evaluate
status: toy
"""

from gm_jax.recipes import recipe


def get_config(variant=""):
    return recipe(
        variant,
        dict(
            system="vqvae2",
            steps=3000,
            batch_size=128,
            data=dict(name="mnist", binarize="redrawn"),
            quantizer=dict(
                name="averaged", count=32, width=8, beta=0.25,
                averaged=dict(decay=0.99, epsilon=1e-5, revive_below=0.5),
                lookup_free=dict(entropy=0.1, temperature=1.0),
            ),
            likelihood="bernoulli",
            network=dict(widths=(32,), top_widths=(64,), blocks=2),
            optimizer=dict(name="adam", learning_rate=1e-3, decay_steps=3000),
            show=dict(every=1000, counts=dict(sample=64, reconstruct=32)),
            evaluate=dict(counts=dict(distortion=10_000)),
        ),
        smoke=dict(
            steps=4, batch_size=16, network=dict(widths=(4,), top_widths=(4,), blocks=1),
            quantizer=dict(count=8, width=4), show=dict(every=0), sample=dict(count=32),
            evaluate=dict(counts=dict(distortion=16)),
        ),
    )  # fmt: skip
