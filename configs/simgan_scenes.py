"""SimGAN on scenes of 32 x 32: flat drawings refined until they look like photographs.

paper: Shrivastava et al. 2017, Learning from Simulated and Unsupervised Images through Adversarial
  Training, arXiv 1612.07828
command: python launch.py --config=configs/simgan_scenes.py --workdir=runs/simgan_scenes
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 23 min beside other runs
metric: of 1,000 held-out scenes: L1 distance to the true photograph on the scale 0 to 1; pixel
  accuracy, class accuracy and class IoU by a segmenter of photographs; share of the first 500 whose
  nearest true photograph is their own
departs: scenes of 32 pixels in colour (the paper: grey eyes of 55 x 35), width 32 (64), batches of
  16 (512), a history of 1,000 (25,600), lambda 0.1 (0.5 for eyes)
reference: the drawing as it is, which `copied` has beside each number
measured: L1 0.0804 ± 0.0004 (drawings 0.0713), pixel 0.959 (0.991), class 0.930 (0.960), IoU 0.799
  (0.924), own partner nearest 0.960 (0.974), contrast of discs 0.496 of the truth's: the target is
  missed. Grass has stripes, squares have bands and discs light, but the same false objects stand at
  the bottom of every picture. With lambda 0.02 L1 0.114 and IoU 0.592, with 0.3 0.0831 and 0.704
target: L1 below that of the drawings, and no score below theirs, which are near the truth's
again: python launch.py --workdir=runs/simgan_scenes --mode=evaluate
status: unverified

`:map` refines label maps, `:features` them by the distance of features of a random VGG19 in place
of pixels. `:published` has the paper's networks and numbers, for pictures in trainA
(simulated) and trainB (real) below --config.data.path=FOLDER, cropped to squares.
"""

from gm_jax.recipes import recipe

MAPS = ("map", "photo")
FEATURES = recipe(
    "",
    dict(
        system="backbone", steps=0, batch_size=1, data=dict(name="none"), network="vgg19",
        weights="random", layers=("relu2_1",), distance="absolute",
    ),
)  # fmt: skip


def get_config(variant=""):
    adam = dict(name="adam", learning_rate=2e-4, b1=0.5)
    return recipe(
        variant,
        dict(
            system="simgan",
            steps=500,
            discriminator_steps=100,
            game_steps=4000,
            batch_size=16,
            data=dict(
                name="scenes", domains=("plain", "photo"), unpaired=True, size=32, flip=True
            ),
            value_function="non_saturating",
            regularization=0.1,
            history=1000,
            refiner=dict(width=32, blocks=4, times=2, optimizer=adam),
            discriminator=dict(width=48, times=1, optimizer=adam),
            show=dict(every=1000, counts=dict(sample=0, compare=16)),
            evaluate=dict(batch_size=50, translation=1000),
        ),
        map=dict(data=dict(domains=MAPS)),
        features=dict(
            data=dict(domains=MAPS), regularization=100.0, stages=dict(features=FEATURES)
        ),
        published=dict(
            steps=1000, discriminator_steps=200, game_steps=10_000, batch_size=512,
            data=dict(
                name="pairs", layout="folders", domains=("A", "B"), size=35, channels=1,
                flip=False,
            ),
            regularization=0.5, history=25_600,
            refiner=dict(width=64, optimizer=dict(name="sgd", learning_rate=1e-3)),
            discriminator=dict(width=96, optimizer=dict(name="sgd", learning_rate=1e-3)),
            evaluate=dict(translation=0),
        ),
        smoke=dict(
            steps=2, discriminator_steps=2, game_steps=4, batch_size=4, data=dict(size=16),
            history=20, refiner=dict(width=4, blocks=1), discriminator=dict(width=6),
            show=dict(counts=dict(compare=4)), evaluate=dict(batch_size=4, translation=8),
        ),
    )  # fmt: skip
