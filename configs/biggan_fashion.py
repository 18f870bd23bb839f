"""BigGAN on Fashion-MNIST, by class.

paper: Brock et al. 2019, Large Scale GAN Training for High Fidelity Natural Image Synthesis,
  arXiv 1809.11096
command: python launch.py --config=configs/biggan_fashion.py --workdir=runs/biggan_fashion
hardware: one of 2 CPU cores (AMD EPYC), float32
time: not measured yet
metric: agreement: share of 10,000 samples in which a small classifier of the same data finds
  the requested class (real test images: .91); fd_classifier_fashion_mnist: Fréchet distance of 5000
  samples to 5000 training images on the 64 features of that classifier; not FID
departs: Fashion-MNIST at 28x28 with attention at 14x14 (ImageNet at 128x128, attention at 64x64),
  32 features (96), 3,000 rounds of batches of 50 (2048), two steps of D, Adam at 1e-3 for both
  players and an average of .999 from round 500 on. The authors' code has batches of 50, rates of
  2e-4 and an average from round 1,000 on for CIFAR-10, with four steps of D
reference: none; FID 7.4 on ImageNet at 128x128 (the paper)
measured: not yet; configs/biggan_digits.py is
target: agreement at least 0.86
again: python launch.py --workdir=runs/biggan_fashion --mode=evaluate
status: unverified

Truncated samples, with statistics for them: --mode=evaluate --config.sampler.truncation=0.5.
`:published` is the authors' model of ImageNet at 128x128, 8 x 256 pictures a step, and `:deep`
their BigGAN-deep: --config.data.path=FOLDER, pictures in a folder for each class, below train/.
--config.remat=true and --config.dtype=bfloat16 need less memory.
`:cifar` is their model of CIFAR-10.
"""

from gm_jax.recipes import recipe


def adam(learning_rate, **more):
    return dict(name="adam", learning_rate=learning_rate, b1=0.0, b2=0.999, **more)


def imagenet(networks, width, latents):
    """As the authors' code has it: a batch of 2048 in eight parts, the average from 20,000 on."""
    parts = dict(eps=1e-6, accumulate=8)
    return dict(
        steps=500_000, batch_size=256, average=0.9999, average_start=20_000,
        data=dict(name="folder", path="", size=128, channels=3),
        networks=networks, latents=latents,
        generator=dict(width=width, optimizer=adam(1e-4, **parts)),
        discriminator=dict(width=width, times=1, optimizer=adam(4e-4, **parts)),
        show=dict(every=2000, counts=dict(classes=0)),
        evaluate=dict(agreement=0, score=0, metrics="fid,is", samples=50_000),
    )  # fmt: skip


def get_config(variant=""):
    return recipe(
        variant,
        dict(
            system="gan",
            steps=3000,
            batch_size=50,
            average=0.999,
            average_start=500,
            data=dict(name="fashion_mnist"),
            networks="biggan",
            conditional=True,
            latents=120,
            value_function="hinge",
            generator=dict(width=32, optimizer=adam(1e-3)),
            discriminator=dict(
                width=32, normalization="spectral", times=2, optimizer=adam(1e-3)
            ),
            sampler=dict(standing=16),
            show=dict(every=500, counts=dict(sample=64, interpolation=8, classes=8)),
            evaluate=dict(agreement=10_000, score=5000),
        ),
        published=imagenet("biggan", 96, 120),
        deep=imagenet("biggan_deep", 128, 128),
        cifar=dict(
            steps=500_000, average=0.9999, average_start=1000, data=dict(name="cifar10"),
            networks="biggan_cifar", latents=128,
            generator=dict(width=256, optimizer=adam(2e-4)),
            discriminator=dict(width=256, times=4, optimizer=adam(2e-4)),
            show=dict(every=5000),
            evaluate=dict(agreement=0, score=0, metrics="fid,is", samples=50_000),
        ),
        smoke=dict(
            steps=4, batch_size=16, average_start=2, latents=12, generator=dict(width=4),
            discriminator=dict(width=4), sampler=dict(standing=2),
            show=dict(counts=dict(sample=16, classes=2)), sample=dict(count=32),
            evaluate=dict(agreement=0, score=32),
        ),
    )  # fmt: skip
