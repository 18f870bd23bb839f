"""LAPGAN on photographs of 32 x 32 in ten classes: 8 x 8, 16 x 16 and 32 x 32 pixels.

paper: Denton, Chintala, Szlam & Fergus 2015, Deep Generative Image Models using a Laplacian Pyramid
  of Adversarial Networks, arXiv 1506.05751
command: python launch.py --config=configs/lapgan_cifar.py --workdir=runs/lapgan_cifar
data: TFDS, prepared by tfds build cifar10 --file_format=array_record; or other pictures of
  32 x 32 in classes, as with --config.data.name=npz --config.data.path=FILE
hardware: one of 2 CPU cores (AMD EPYC), float32
time: not measured yet
metric: Fréchet distance of 5000 samples to 5000 training images on the 64 features of a small
  classifier of the same data, mean of ten random choices of the reals; not FID
departs: 8 -> 16 -> 32 pixels as in the authors' code (the paper: crops, 8 -> 14 -> 28), width 32
  (64), 600 and 300 hidden units at 8 x 8 (1,200 and 600), Adam (SGD with a growing momentum), an
  averaged G; both players see the label
reference: samples at 8 x 8, enlarged: --config.unrefined=2
measured: not yet
target: below its own 8 x 8 samples, enlarged; the score recorded
again: python launch.py --workdir=runs/lapgan_cifar --mode=evaluate, and with --config.unrefined=2
status: unverified

`:published` has the networks and SGD of the authors' code, on TFDS's CIFAR-10. Their mean is over
the real and the generated half of D's batch, so its rate of 0.02 is 0.01 here.
"""

from gm_jax.recipes import recipe

# Mean and deviation of CIFAR-10's channels.
STANDARD = dict(mean=(-0.017, -0.036, -0.107), deviation=(0.494, 0.487, 0.523))


def get_config(variant=""):
    adam = dict(name="adam", learning_rate=2e-4, b1=0.5)
    return recipe(
        variant,
        dict(
            system="lapgan",
            steps=20_000,
            batch_size=64,
            average=0.999,
            data=dict(name="cifar10", flip=True),
            levels=3,
            latents=100,
            conditional=True,
            **STANDARD,
            generator=dict(width=32, hidden=600, optimizer=adam),
            discriminator=dict(width=32, hidden=300, dropout=0.5, optimizer=adam),
            show=dict(every=2000, counts=dict(sample=64, growth=16, classes=8)),
            sample=dict(count=5000),
            evaluate=dict(score=5000, agreement=5000),
        ),
        published=dict(
            steps=500_000, average=0.0,
            generator=dict(
                width=64, hidden=1200, optimizer=dict(name="sgd", learning_rate=0.02)
            ),
            discriminator=dict(
                width=64, hidden=600, optimizer=dict(name="sgd", learning_rate=0.01)
            ),
        ),
        smoke=dict(
            steps=4, batch_size=8, data=dict(name="digits", size=16, flip=False), levels=2,
            latents=4, mean=(0.0,), deviation=(0.5,), generator=dict(width=4, hidden=8),
            discriminator=dict(width=4, hidden=8),
            show=dict(counts=dict(sample=8, growth=4, classes=2)), sample=dict(count=8),
            evaluate=dict(score=0, agreement=0, counts=dict()),
        ),
    )  # fmt: skip
