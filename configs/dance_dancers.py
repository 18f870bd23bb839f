"""Everybody Dance Now on one dancer of 64 x 64: films made of poses, the face in a second phase.

paper: Chan, Ginosar, Zhou & Efros 2019, Everybody Dance Now, arXiv 1808.07371
command: python launch.py --config=configs/dance_dancers.py --workdir=runs/dance_dancers
hardware: one of 2 CPU cores (Intel Xeon), float32
time: not measured yet
metric: of 32 held-out films of 32 frames, of movements never trained on: SSIM; L1 distance on the
  scale 0 to 1, of the figure, of the face; flicker, the mean change from a frame to the next,
  beside the truth's; and of films made of another person's poses, normalised and as they are
departs: 64 pixels (the paper: 512 x 1024), width 16 with 3 halvings and 4 blocks (64, 4, 9),
  critics of width 16 with two strided layers (64, three), faces of 16 pixels (128), batch 4 (1); L1
  to both frames in place of VGG19's features (the authors' use_l1: to the second alone); poses are
  the world's own, so no median of seven
reference: without frames before (`:frame`) and without the residual of the face (`:noface`)
measured: not measured yet as it stands. Of a shorter run (--config.steps=1200
  --config.face.steps=300; 20 min 27 s and 4 min 24 s, shared machine): SSIM .8686; L1 .0153, of the
  figure .0564, of the face .0787; flicker .0145 (truth .0080); another's poses, normalised: L1
  of the figure .0582, as they are .0741. The square around the face was still noisy
target: less flicker than `:frame`, a smaller L1 distance of the face than `:noface`
again: python launch.py --workdir=runs/dance_dancers --mode=evaluate
status: unverified

`:published` has the paper's networks and terms with VGG19's weights, torchvision's, on square
pictures of this world; the authors count epochs of a film, these rounds are a stand-in.
"""

from gm_jax.recipes import recipe

LAYERS = tuple(f"relu{block}_1" for block in range(1, 6))
IMPORTANCE = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)


def features(**own):
    """Mean absolute errors of VGG19's maps of pictures as they are, in [-1, 1]."""
    return recipe(
        "",
        dict(
            system="backbone", steps=0, batch_size=1, data=dict(name="none"), network="vgg19",
            distance="absolute", scale="none", **own,
        ),
    )  # fmt: skip


def adam(rate):
    return dict(name="adam", learning_rate=rate, b1=0.5)


def get_config(variant=""):
    return recipe(
        variant,
        dict(
            system="everybody_dance_now",
            steps=3000,
            batch_size=4,
            data=dict(name="dancers", size=64, frames=2, person=0),
            value_function="least_squares",
            adversarial=2.0,
            matching=10.0,
            perceptual=0.0,
            distance=10.0,
            smooth=True,
            generator=dict(width=16, levels=3, blocks=4, optimizer=adam(2e-4)),
            discriminator=dict(scales=2, width=16, layers=2, optimizer=adam(2e-4)),
            face=dict(
                steps=500, size=16, width=16, levels=2, blocks=3, adversarial=2.0,
                optimizer=adam(2e-4),
                discriminator=dict(width=16, layers=1, optimizer=adam(2e-4)),
            ),
            show=dict(every=500, counts=dict(sample=0, compare=8)),
            evaluate=dict(batch_size=8, films=32, transfer=32),
        ),
        frame=dict(smooth=False),
        noface=dict(face=dict(steps=0)),
        published=dict(
            steps=100_000,
            batch_size=1,
            data=dict(size=512),
            perceptual=10.0,
            distance=0.0,
            stages=dict(features=features(layers=LAYERS, importance=IMPORTANCE)),
            generator=dict(width=64, levels=4, blocks=9),
            discriminator=dict(width=64, layers=3),
            face=dict(
                steps=20_000, size=128, width=64, levels=3, blocks=5,
                discriminator=dict(width=64, layers=3),
            ),
        ),
        smoke=dict(
            steps=2, data=dict(size=16), perceptual=10.0, distance=1.0,
            stages=dict(
                features=features(
                    weights="random", layers=LAYERS[:2], importance=(0.5, 1.0)
                )
            ),
            generator=dict(width=4, levels=2, blocks=1),
            discriminator=dict(width=4, layers=1),
            face=dict(
                steps=2, size=8, width=4, levels=1, blocks=1,
                discriminator=dict(width=4, layers=1),
            ),
            show=dict(counts=dict(compare=2)),
            evaluate=dict(batch_size=4, films=4, transfer=4),
        ),
    )  # fmt: skip
