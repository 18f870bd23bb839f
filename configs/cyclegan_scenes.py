"""CycleGAN on scenes of 32 x 32: maps and photographs of other scenes, translated both ways.

paper: Zhu et al. 2017, Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial
  Networks, arXiv 1703.10593
command: python launch.py --config=configs/cyclegan_scenes.py --workdir=runs/cyclegan_scenes
hardware: one of 2 CPU cores (Intel Xeon), float32
time: 7 min, and 15 min beside other runs
metric: of 1,000 held-out scenes, both ways: pixel accuracy, class accuracy and class IoU, of maps
  by their nearest colour, of photographs by a segmenter; share of the first 500 whose nearest true
  picture is their own
departs: 32 pixels (the paper: 256), width 16 with 3 blocks (64 with 9), D of two strided layers
  (three), a fresh scene at each visit in place of jitter
reference: pixel accuracy 0.45 of a map that is all sky; the authors' numbers are of other data
measured: pixel, class and IoU 0.939 0.644 0.581 of maps, 0.932 0.583 0.558 of photographs (truth
  0.987 0.949 0.911); retrieval 0.792 ± 0.018 and 0.466 ± 0.022 (copied 0.030): squares and
  triangles are taken for one another. With seed 1 discs and squares are: 0.867 0.396 0.383 and
  0.882 0.533 0.496
target: class accuracy at least 0.85 both ways
again: python launch.py --workdir=runs/cyclegan_scenes --mode=evaluate
status: unverified

`:published` has the paper's networks, for pictures in trainA and trainB below
--config.data.path=FOLDER: 200 epochs of horses and zebras. `:cycle` and `:gan` have one of the two
losses alone.
"""

from gm_jax.recipes import recipe


def adam(steps):
    """The rate is constant for the first half of the rounds, and falls to 0 over the second."""
    return dict(
        name="adam", learning_rate=2e-4, b1=0.5, schedule="linear", hold_steps=steps // 2,
        decay_steps=steps,
    )  # fmt: skip


def get_config(variant=""):
    steps, published = 10_000, 200 * 1334
    return recipe(
        variant,
        dict(
            system="cyclegan",
            steps=steps,
            batch_size=1,
            data=dict(
                name="scenes", domains=("map", "photo"), unpaired=True, size=32, flip=True
            ),
            value_function="least_squares",
            adversarial=2.0,
            cycle=10.0,
            identity=5.0,
            pool=50,
            generator=dict(width=16, blocks=3, optimizer=adam(steps)),
            discriminator=dict(
                width=32, layers=2, normalization="instance", optimizer=adam(steps)
            ),
            show=dict(every=500, counts=dict(sample=0, compare=16)),
            evaluate=dict(batch_size=50, translation=1000),
        ),
        cycle=dict(adversarial=0.0),
        gan=dict(cycle=0.0, identity=0.0),
        published=dict(
            steps=published,
            data=dict(
                name="pairs", layout="folders", domains=("A", "B"), size=256, resize=286,
                crop="random",
            ),
            generator=dict(width=64, blocks=9, optimizer=adam(published)),
            discriminator=dict(width=64, layers=3, optimizer=adam(published)),
            evaluate=dict(translation=0),
        ),
        smoke=dict(
            steps=4, batch_size=4, data=dict(size=16), pool=6, generator=dict(width=4, blocks=1),
            discriminator=dict(width=4, layers=1), show=dict(counts=dict(compare=4)),
            evaluate=dict(batch_size=4, translation=8),
        ),
    )  # fmt: skip
