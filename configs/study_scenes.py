"""Study: maps to photographs and back, the CycleGAN paper's tables where the truth is known.

paper: Zhu et al. 2017, Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial
  Networks, arXiv 1703.10593, tables 2 to 5
command: python launch.py --config=configs/study_scenes.py --workdir=runs/study_scenes --mode=study
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 1 h 42 min for the first seed, and 34 min of :back, beside other runs
metric: of 1,000 held-out scenes: pixel accuracy, class accuracy and class IoU, of maps (image) by
  their nearest colour, of photographs (image_b) by a segmenter; share of the first 500 whose
  nearest true picture is their own; every seed, mean and deviation
departs: drawn scenes of 32 x 32 (the paper: Cityscapes at 128 x 128), the networks of
  configs/cyclegan_scenes.py where a system does not have its own, distances of a random VGG19's
  features (VGG16's), 2,000 rounds of SimGAN's game, no human judges
reference: the truth's own scores 0.987 0.949 0.911 of photographs; the paper's order, labels to
  photo and photo to labels: pix2pix, CycleGAN, GAN alone, CoGAN, SimGAN, cycle alone, BiGAN
measured: one seed (of three), class IoU of photographs of maps and of maps of photographs: pix2pix
  0.898 and 0.891, CycleGAN 0.563 and 0.555, features and GAN 0.466 and 0.686, CoGAN 0.444 and
  0.458, cycle alone 0.382 and 0.400, BiGAN 0.335 and 0.302, SimGAN 0.283 and 0.384, GAN alone 0.268
  and 0.296; table in docs/translation.md
target: pix2pix above all, and CycleGAN above all without pairs: met but for features and GAN, whose
  maps of photographs are nearer
again: the same command in a new workdir; finished runs are not repeated
status: unverified

`:back` has the systems that translate one way alone, from photographs to maps.
"""

from pathlib import Path

from gm_jax.recipes import derive, load_config, only

HERE = Path(__file__).parent
SHARED = ("data", "evaluate", "seed", "show", "study")  # with the study itself
SCORES = ("pixel", "class", "iou", "retrieval")


def own(recipe, variant, **changes):
    """The settings of another recipe as an entry's, on the data of this study."""
    theirs = load_config(f"{HERE}/{recipe}_scenes.py:{variant}").to_dict()
    return {k: v for k, v in theirs.items() if k not in SHARED} | changes


def get_config(variant=""):
    only(variant, "back", "smoke")
    small = "smoke" if variant == "smoke" else ""
    rounds = dict(game_steps=4 if small else 2000)
    features = load_config(f"{HERE}/simgan_scenes.py:features").to_dict()
    compared = dict(stages=features["stages"], regularization=features["regularization"])
    pix2pix = own("pix2pix", small, batch_size=1, data=dict(unpaired=False))
    pix2pix |= dict(evaluate=dict(batch_size=1), steps=4 if small else 10_000)
    pix2pix["generator"] |= dict(levels=3 if small else 5)
    one_way = dict(
        simgan=own("simgan", small, **rounds),
        features_and_gan=own("simgan", small, **rounds, **compared),
        pix2pix=pix2pix,
    )
    two_ways = dict(
        cogan=own("cogan", small, show=dict(counts=dict(compare=0, pairs=16))),
        bigan=own("bigan", small),
        cycle_alone=dict(adversarial=0.0),
        gan_alone=dict(cycle=0.0, identity=0.0),
        cyclegan={},
    )
    measures = tuple(f"image_b_{score}" for score in SCORES)
    if variant == "back":
        changes = dict(data=dict(domains=("photo", "map")))
        study = dict(entries=one_way, measures=measures)
    else:
        changes = {}
        measures += tuple(f"image_{score}" for score in SCORES)
        study = dict(entries=two_ways | one_way, measures=measures)
    study["seeds"] = (0,) if small else (0, 1, 2)
    return derive(f"{HERE}/cyclegan_scenes.py:{small}", changes | dict(study=study))
