"""DALL-E's discrete VAE on MNIST in grey: 49 codes an image, out of 128.

paper: Ramesh et al. 2021, Zero-Shot Text-to-Image Generation, arXiv 2102.12092
command: python launch.py --config=configs/dvae_mnist.py --workdir=runs/dvae_mnist
hardware: 2 CPU cores (AMD EPYC), of which it had one, float32
time: about 20 min, beside other work
metric: bound on the log-likelihood of the 256 grey values in nats, one draw of z (not relaxed) and
  of the dequantising noise, all 10,000 test images; perplexity of the codes over the whole split
reference: none published for this setting; the paper's schedules, shortened in proportion; its
  weight of 6.6 on the KL is for 0.05 nats of codes a colour value, and here they have 0.30
measured: bound -1716.1 ± 2.9 nats (KL 89.5), perplexity 24.5, 69 of 128 codes in use; squared
  error 0.451, the reconstructions (the median of each pixel) are black: the target is missed. With
  a weight of 6.6 on the KL, reached in 400 rounds: -1789.6 (KL 40.4), 115 codes, dots; with 1, as
  slowly: -1719.4 (KL 236.4), squared error 0.150, digits that a person recognises, but 4 codes:
  while the weight is small the encoder settles on a few
target: a person recognises the reconstructions; more than half of the codes in use
again: python launch.py --workdir=runs/dvae_mnist --mode=evaluate
status: unverified
"""

from gm_jax.recipes import recipe


def get_config(variant=""):
    return recipe(
        variant,
        dict(
            system="dvae",
            steps=4000,
            batch_size=128,
            data=dict(name="mnist"),
            codes=dict(count=128, width=64),
            temperature=dict(end=1 / 16, steps=3000),
            beta=dict(end=2.0, steps=7),  # The paper's 5,000 of 3,000,000 rounds, in proportion.
            network=dict(widths=(32, 64), blocks=2),
            optimizer=dict(name="adam", learning_rate=1e-3, decay_steps=4000, clip_norm=4.0),
            show=dict(every=2000, counts=dict(sample=64, reconstruct=32)),
            evaluate=dict(counts=dict(bound=10_000, distortion=10_000)),
        ),
        smoke=dict(
            steps=4, batch_size=16, network=dict(widths=(4, 8), blocks=1),
            codes=dict(count=8, width=4), show=dict(every=0), sample=dict(count=32),
            evaluate=dict(counts=dict(bound=16, distortion=16)),
        ),
    )  # fmt: skip
