"""StyleGAN2 on Fashion-MNIST, padded to 32 x 32 pixels; `:labels` with its classes.

paper: Karras, Laine, Aittala, Hellsten, Lehtinen & Aila 2020, Analyzing and Improving the Image
  Quality of StyleGAN, arXiv 1912.04958
command: python launch.py --config=configs/stylegan2_fashion.py --workdir=runs/stylegan2_fashion
hardware: one of 2 CPU cores (Intel Xeon), float32
time: of :labels 57 min, part of it beside other runs
metric: fd_classifier_fashion_mnist: Fréchet distance of 5000 samples to 5000 training images on
  the 64 features of a small classifier of the same data, mean of ten random choices of the reals;
  not FID. Of :labels also the share of samples whose class the classifier finds
departs: maps of min(512 / r, 64) features (the paper: min(32768 / r, 512)), z and w of 64 numbers,
  a mapping of 2 layers (8), gamma 1 (10): images are smaller and fewer
reference: real against real at the same N
measured: of :labels fd 6.14, real against real 0.485: 12.7 times; classes agree in 0.853 ± 0.011
  (the classifier's accuracy is 0.911); without labels not yet
target: fd at most 15 times real against real; of :labels an agreement of 0.86
again: python launch.py --workdir=runs/stylegan2_fashion --mode=evaluate
status: unverified

A round has a step of G and one of D, in every 4th and 16th one more for its regulariser.
`:published` is the authors' configuration for FFHQ at 1024 x 1024, a folder of pictures below
--config.data.path=FOLDER. Their network pickles are opened by --config.weights=FILE: with steps=0
they are sampled (configs/stylegan2.py), else trained further.
"""

from gm_jax.recipes import recipe

FFHQ = 25_000_000  # images


def get_config(variant=""):
    widths = dict(base=512, most=64)
    adam = dict(name="adam", learning_rate=2e-3, b1=0.0, b2=0.99, eps=1e-8)
    return recipe(
        variant,
        dict(
            system="stylegan2",
            steps=10_000,
            batch_size=32,
            data=dict(name="fashion_mnist", size=32, pad=True),
            conditional=False,
            generator=dict(
                **widths, latents=64, styles=64, mapping=2, mixing=0.9,
                path=dict(weight=2.0, every=4, shrink=2), optimizer=adam,
            ),
            discriminator=dict(
                **widths, group=4, r1=dict(gamma=1.0, every=16), optimizer=adam
            ),
            average=dict(half_life=10_000.0),
            augmentation=dict(name=""),
            show=dict(every=1000, counts=dict(sample=64, mixing=16, truncation=16)),
            evaluate=dict(batch_size=100, score=5000),
        ),
        labels=dict(
            conditional=True,
            discriminator=dict(mapping=2),
            show=dict(counts=dict(classes=8)),
            evaluate=dict(agreement=1000),
        ),
        published=dict(
            steps=FFHQ // 32,
            data=dict(name="folder", size=1024, pad=False),
            generator=dict(base=32768, most=512, latents=512, styles=512, mapping=8),
            discriminator=dict(base=32768, most=512, r1=dict(gamma=10.0)),
            evaluate=dict(score=0, metrics="fid", samples=50_000),
        ),
        smoke=dict(
            steps=4, batch_size=8, data=dict(size=8),
            generator=dict(base=32, most=4, latents=6, styles=5),
            discriminator=dict(base=32, most=4, mapping=2),
            show=dict(counts=dict(sample=8, mixing=2, truncation=0)),
            evaluate=dict(batch_size=8, score=0, agreement=0),
        ),
    )  # fmt: skip
