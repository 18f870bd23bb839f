"""Two stages on the shapes world: a VQ-VAE, then a MaskGIT over its 64 codes, given the caption.

paper: Chang, Zhang, Jiang, Liu & Freeman 2022, MaskGIT: Masked Generative Image Transformer,
  arXiv 2202.04200
command: python launch.py --config=configs/maskgit_shapes.py --workdir=runs/maskgit_shapes
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 65 min beside other runs, after 10 min of configs/vqvae_shapes.py
metric: share of 1,000 samples for captions of unseen scenes that show all their caption says, by
  the judge of the shapes world
reference: none on these data
measured: 0.534 [0.503, 0.565] shown right (captions shuffled 0.036), of one object 0.540, of two
  0.528, in 12 passes, guided twice as many: the target is missed. Of 500, with a guidance of 1
  0.546, of 4 with sampler.plausible=0.1 0.642; one seed, as `:frozen`
target: at least 0.8
again: python launch.py --workdir=runs/maskgit_shapes --mode=evaluate
status: unverified
departs: captions, read by a transformer that is trained along (classes of ImageNet); a transformer
  of 6 layers of 128 features over 8x8 codes of drawn scenes (24 of 768 over 16x16); guidance
  (none); Adam's rate 1e-3 with a cosine decay (1e-4)

The first stage is configs/vqvae_shapes.py, trained first in the same workdir. To take one that is
trained already: --config=configs/maskgit_shapes.py:frozen --config.stages.codes=WORKDIR.
configs/maskgit_mnist.py is the same given a class, with a `:published` network.
"""

from pathlib import Path

from gm_jax.recipes import load_config, recipe

HERE = Path(__file__).parent


def get_config(variant=""):
    config = recipe(
        variant,
        dict(
            system="maskgit",
            steps=5000,
            batch_size=64,
            average=0.999,
            condition=dict(name="caption", text=dict(width=96, layers=2, heads=3, hidden=384)),
            condition_dropout=0.1,
            least=0.5,
            smoothing=0.1,
            network=dict(width=128, layers=6, heads=4, hidden=512, dropout=0.1),
            optimizer=dict(
                name="adamw", learning_rate=1e-3, b2=0.96, weight_decay=0.045, warmup_steps=100,
                decay_steps=5000,
            ),
            sampler=dict(steps=12, temperature=4.5, guidance=2.0),
            show=dict(every=1000, counts=dict(sample=16, inpaint=8)),
            evaluate=dict(attributes=dict(sample=1000), split="unseen"),
        ),
        frozen=dict(stages=dict(codes="runs/vqvae_shapes")),
        smoke=dict(
            steps=4, batch_size=16, condition=dict(text=dict(width=8, layers=1, heads=2, hidden=8)),
            network=dict(width=8, layers=1, heads=2, hidden=8),
            optimizer=dict(warmup_steps=0, decay_steps=0), sampler=dict(steps=3),
            show=dict(every=0, counts=dict(inpaint=0)), sample=dict(count=32),
            evaluate=dict(attributes=dict(sample=16)),
        ),
    )  # fmt: skip
    codes = load_config(f"{HERE}/vqvae_shapes.py:{'smoke' if variant == 'smoke' else ''}")
    config.data = codes.data  # One data set for both stages, however it is overridden.
    if variant != "frozen":
        config.stages.codes = codes
    return config
