"""Two stages on MNIST: a VQ-VAE, then a MaskGIT over its 49 codes, given the class.

paper: Chang, Zhang, Jiang, Liu & Freeman 2022, MaskGIT: Masked Generative Image Transformer,
  arXiv 2202.04200
command: python launch.py --config=configs/maskgit_mnist.py --workdir=runs/maskgit_mnist
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 13 min for the first stage and 34 min beside other runs
metric: share of 10,000 samples in which a classifier sees the class asked for; fd as in
  configs/gan_mnist.py
reference: configs/vqvae_prior_mnist.py, a PixelCNN over the same codes in 49 passes: agreement
  0.904, fd 16.2
measured: agreement 0.937 ± 0.002, fd 12.6 (10.6 x real against real) in 12 passes; one seed
target: agreement and fd at least those of the PixelCNN in a fourth of its passes
again: python launch.py --workdir=runs/maskgit_mnist --mode=evaluate
status: toy
departs: a transformer of 4 layers of 128 features over 7x7 codes of MNIST (24 of 768 over 16x16 of
  ImageNet), Adam's rate 1e-3 with a cosine decay (1e-4)

The first stage is configs/vqvae_mnist.py, trained first in the same workdir. To take one that is
trained already: --config=configs/maskgit_mnist.py:frozen --config.stages.codes=WORKDIR.
`:published` has the paper's network, for codes of one's own first stage.
"""

from pathlib import Path

from gm_jax.recipes import load_config, recipe

HERE = Path(__file__).parent


def get_config(variant=""):
    config = recipe(
        variant,
        dict(
            system="maskgit",
            steps=3000,
            batch_size=128,
            average=0.999,
            condition=dict(name="label"),
            condition_dropout=0.1,
            least=0.5,
            smoothing=0.1,
            network=dict(width=128, layers=4, heads=4, hidden=512, dropout=0.1),
            optimizer=dict(
                name="adamw", learning_rate=1e-3, b2=0.96, weight_decay=0.045, decay_steps=3000
            ),
            sampler=dict(steps=12, temperature=4.5, guidance=0.0),
            show=dict(every=1500, counts=dict(sample=100, inpaint=8)),
            evaluate=dict(agreement=10_000, score=5000),
        ),
        frozen=dict(stages=dict(codes="runs/vqvae_mnist")),
        published=dict(
            steps=1_500_000, batch_size=256,
            network=dict(width=768, layers=24, heads=8, hidden=3072),
            optimizer=dict(learning_rate=1e-4, decay_steps=0, warmup_steps=5000),
            sampler=dict(steps=8),
        ),
        smoke=dict(
            steps=4, batch_size=16, network=dict(width=8, layers=1, heads=2, hidden=8),
            optimizer=dict(decay_steps=0), sampler=dict(steps=3),
            show=dict(every=0, counts=dict(inpaint=0)), sample=dict(count=32),
            evaluate=dict(agreement=0, score=0),
        ),
    )  # fmt: skip
    codes = load_config(f"{HERE}/vqvae_mnist.py:{'smoke' if variant == 'smoke' else ''}")
    config.data = codes.data  # One data set for both stages, however it is overridden.
    if variant != "frozen":
        config.stages.codes = codes
    return config
