"""pix2pix on scenes of 64 x 64: from maps to photographs; `:l1` is the baseline without D.

paper: Isola et al. 2017, Image-to-Image Translation with Conditional Adversarial Networks,
  arXiv 1611.07004
command: python launch.py --config=configs/pix2pix_scenes.py --workdir=runs/pix2pix_scenes
hardware: one of 2 CPU cores (Intel Xeon), float32
time: 27 min
metric: of 1,000 held-out scenes: L1 distance to the true photograph on the scale 0 to 1;
  contrast, the mean difference between a disc's halves, of the truth's (an average over both lights
  has 0); scores by a segmenter of photographs
departs: 64 pixels with six halvings (the paper: 256, eight), width 24 (64), D with patches of 34
  pixels (70), a fresh scene at each visit in place of jitter
reference: L1 0.0427 of the median over lights and exposures, 0.067 of each class' median colour
measured: L1 0.0563 ± 0.0006 (the map copied 0.176), contrast 0.85, PSNR 22.3 dB, SSIM 0.743; pixel,
  class and IoU 0.994 0.976 0.951 (truth 0.994 0.976 0.955); retrieval 0.952 ± 0.010. `:l1` not
  measured to its end: after 4,000 rounds L1 0.0529 ± 0.0005, contrast 0.04, SSIM 0.785
target: L1 below 0.060 and contrast at least 0.7; `:l1` below 0.050 with contrast near 0
again: python launch.py --workdir=runs/pix2pix_scenes --mode=evaluate
status: toy

`:published` has the paper's networks, for the pictures of 256 x 256 pixels beside one another that
its data sets have: 200 epochs of the 400 facades below train/ of --config.data.path=FOLDER.
"""

from gm_jax.recipes import recipe


def get_config(variant=""):
    adam = dict(name="adam", learning_rate=2e-4, b1=0.5)
    return recipe(
        variant,
        dict(
            system="pix2pix",
            steps=20_000,
            batch_size=1,
            data=dict(name="scenes", domains=("map", "photo"), flip=True),
            value_function="non_saturating",
            adversarial=1.0,
            distance=100.0,
            generator=dict(width=24, levels=6, dropout=0.5, optimizer=adam),
            discriminator=dict(width=24, layers=2, normalization="batch", optimizer=adam),
            show=dict(every=1000, counts=dict(sample=0, compare=16)),
            evaluate=dict(batch_size=1, translation=1000),
        ),
        l1=dict(adversarial=0.0),
        published=dict(
            steps=80_000,
            data=dict(
                name="pairs", layout="halves", domains=("A", "B"), size=256, resize=286,
                crop="random",
            ),
            generator=dict(width=64, levels=8),
            discriminator=dict(width=64, layers=3),
            evaluate=dict(split="val", translation=100),
        ),
        smoke=dict(
            steps=4, batch_size=4, data=dict(size=16), generator=dict(width=4, levels=3),
            discriminator=dict(width=4, layers=1), show=dict(counts=dict(compare=4)),
            evaluate=dict(batch_size=4, translation=8),
        ),
    )  # fmt: skip
