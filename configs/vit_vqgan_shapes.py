"""ViT-VQGAN on the shapes world: 64 codes a picture of 32 x 32, out of 256, by transformers.

paper: Yu et al. 2021, Vector-quantized Image Modeling with Improved VQGAN, arXiv 2110.04627
command: python launch.py --config=configs/vit_vqgan_shapes.py --workdir=runs/vit_vqgan_shapes
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 21 min beside other runs
metric: share of 1,000 scenes of unseen pairs of colour and shape whose reconstruction shows all
  that the scene does, by the judge of the shapes world; mean squared error (pixels -1 and 1)
departs: drawn scenes, 256 codes of 8 numbers (the paper: 8,192 of 32) that follow moving averages
  and restart when unused (moved by the gradient), two transformers of 3 blocks of 64 features on
  patches of 4 pixels (8 of 512 and more on patches of 8), logit-Laplace of scale 1, a discriminator
  of patches with two strided layers from round 6,000, weighed 0.01 (StyleGAN's, .1), no perceptual
  term (.1), Adam at 1e-3 with a cosine decay, 8,000 steps of 32 pictures (1e-4, 500,000 of 256)
reference: none on these data; configs/vqvae_shapes.py has the same pictures and convolutions
measured: 0.883 [0.862, 0.902] (shape 0.923, colour 0.954), squared error 0.0047, 255 codes in use:
  the share is missed. After 3,000 steps, with the discriminator from 2,000 on and a weight of 0.1,
  0.714 and 0.0156: it drew textures, which were not there at 2,000
target: at least 0.9 of the reconstructions show all; more than half of the codes in use
again: python launch.py --workdir=runs/vit_vqgan_shapes --mode=evaluate
status: unverified

A first stage for configs/parti_shapes.py:frozen and its neighbours, by --config.stages.codes=.
Gate: on the same 16 pictures, at 2e-3 and before the discriminator plays, all reconstructions are
judged as their originals from step 600 of a decay over 1,500 on (squared error 0.0016, 0.0005 at
1,000), 15 of 16 after 700 steps whose decay ends there; tests/test_vit_vqgan.py plays it.
`:published` is the small network of the paper, Parti's first stage, for pictures of one's own; its
perceptual term is by configs/lpips.py.
"""

from pathlib import Path

from gm_jax.recipes import load_config, recipe

LPIPS = f"{Path(__file__).parent}/lpips.py"


def get_config(variant=""):
    return recipe(
        variant,
        dict(
            system="vit_vqgan",
            steps=8000,
            batch_size=32,
            data=dict(name="shapes", captions="words"),
            quantizer=dict(
                name="averaged", count=256, width=8, beta=0.25, normalised=True,
                averaged=dict(decay=0.99, epsilon=1e-5, revive_below=0.5),
            ),
            pixels=dict(squared=1.0, absolute=0.0, logit_laplace=0.1),
            perceptual=0.0,
            network=dict(patch=4, width=64, layers=3, heads=4, hidden=256),
            discriminator=dict(
                width=8, layers=2, normalization="batch", start=6000, weight=0.01,
                optimizer=dict(name="adam", learning_rate=5e-4, b1=0.5, b2=0.9),
            ),
            optimizer=dict(
                name="adam", learning_rate=1e-3, b2=0.99, warmup_steps=100, decay_steps=8000,
            ),
            show=dict(every=1000, counts=dict(sample=0, reconstruct=16)),
            evaluate=dict(
                counts=dict(distortion=1000), attributes=dict(reconstruct=1000), split="unseen"
            ),
        ),
        published=dict(
            steps=500_000, batch_size=256, perceptual=0.1, stages=dict(features=load_config(LPIPS)),
            data=dict(name="folder", size=256),
            quantizer=dict(name="learned", count=8192, width=32),
            network=dict(patch=8, width=512, layers=8, heads=8, hidden=2048),
            discriminator=dict(width=64, layers=3, start=0, weight=0.1),
            optimizer=dict(
                name="adamw", learning_rate=1e-4, weight_decay=1e-4, warmup_steps=50_000,
                decay_steps=500_000,
            ),
            evaluate=dict(attributes=dict(reconstruct=0), split="test"),
        ),
        smoke=dict(
            steps=4, batch_size=16, network=dict(width=8, layers=1, heads=2, hidden=8),
            quantizer=dict(count=8, width=4), discriminator=dict(width=4, layers=1, start=2),
            optimizer=dict(warmup_steps=0, decay_steps=0), show=dict(every=0),
            sample=dict(count=32),
            evaluate=dict(counts=dict(distortion=16), attributes=dict(reconstruct=16)),
        ),
    )  # fmt: skip
