"""SRGAN after SRResNet on photographs of scenes: 16 x 16 pixels to 64 x 64, in two phases.

paper: Ledig et al. 2017, Photo-Realistic Single Image Super-Resolution Using a Generative
  Adversarial Network, arXiv 1609.04802
command: python launch.py --config=configs/srgan_scenes.py --workdir=runs/srgan_scenes
hardware: one of 2 CPU cores (AMD EPYC), float32
time: not measured yet
metric: of 1,000 held-out photographs beside their bicubic enlargements: PSNR and SSIM of RGB,
  distance of features (squares of random_vgg19_0, relu2_1), scores by a segmenter of photographs
departs: width 32 with 8 blocks (the paper: 64, 16), D of width 16 with 256 hidden units (64,
  1,024), He's initial weights of VGG19 to relu2_1 for trained ones to relu5_4, Adam at 5e-4 (1e-4)
reference: bicubic PSNR 24.40 dB on this world
measured: not measured yet
target: SRResNet above bicubic in PSNR; SRGAN below SRResNet in PSNR, nearer in features
again: python launch.py --workdir=runs/srgan_scenes --mode=evaluate
status: unverified

`:srresnet` ends after the first phase. `:published` has the paper's networks and rounds, for
pictures of --config.data.path=FOLDER, whose shorter side is brought to 96 pixels (the paper crops
them as they are), and VGG19's weights, torchvision's. Of the paper, luminance PSNR on Set5: bicubic
28.43, SRResNet 32.05, SRGAN 29.40 dB; `evaluate.counts` has that protocol (psnr_luminance).
"""

from gm_jax.recipes import recipe

LAST = 100_000  # rounds of the paper's game at 1e-4, and as many at a tenth of it


def features(**own):
    return recipe(
        "",
        dict(
            system="backbone", steps=0, batch_size=1, data=dict(name="none"), network="vgg19",
            distance="squares", **own,
        ),
    )  # fmt: skip


def adam(rate, **schedule):
    return dict(name="adam", learning_rate=rate, **schedule)


def get_config(variant=""):
    falling = adam(
        1e-4, schedule="linear", hold_steps=LAST, decay_steps=LAST + 1, final_rate=1e-5
    )  # fmt: skip
    random = features(weights="random", layers=("relu2_1",))
    return recipe(
        variant,
        dict(
            system="srgan",
            steps=4000,
            batch_size=16,
            data=dict(name="scenes", domains=("photo", "map"), flip=True),
            factor=4,
            network=dict(width=32, blocks=8),
            optimizer=adam(5e-4),
            game=dict(
                steps=2000, value_function="non_saturating", adversarial=1e-3, perceptual=0.006,
                pixels=0.0, optimizer=adam(1e-4),
                discriminator=dict(width=16, levels=4, hidden=256, optimizer=adam(1e-4)),
            ),
            stages=dict(features=random),
            show=dict(every=500, counts=dict(sample=0, upsample=16)),
            evaluate=dict(batch_size=50, translation=1000, counts=dict(restoration=1000)),
        ),
        srresnet=dict(game=dict(steps=0)),
        published=dict(
            steps=1_000_000,
            data=dict(name="folder", domains=(), size=96, crop="random"),
            network=dict(width=64, blocks=16),
            optimizer=adam(1e-4),
            game=dict(
                steps=2 * LAST, optimizer=falling,
                discriminator=dict(width=64, hidden=1024, optimizer=falling),
            ),
            stages=dict(features=features(layers=("relu5_4",))),
            evaluate=dict(batch_size=16, translation=0, counts=dict(restoration=0)),
        ),
        smoke=dict(
            steps=2, batch_size=4, data=dict(size=16), network=dict(width=4, blocks=1),
            game=dict(steps=2, discriminator=dict(width=4, levels=2, hidden=4)),
            stages=dict(features=features(weights="random", layers=("relu1_1",))),
            show=dict(counts=dict(upsample=4)),
            evaluate=dict(batch_size=4, translation=8, counts=dict(restoration=8)),
        ),
    )  # fmt: skip
