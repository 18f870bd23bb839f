"""Adversarial autoencoder on MNIST: codes in a star of ten Gaussians, one for each class.

paper: Makhzani, Shlens, Jaitly, Goodfellow & Frey 2016, Adversarial Autoencoders, arXiv 1511.05644
command: python launch.py --config=configs/aae_mnist.py --workdir=runs/aae_mnist
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 19 min on a crowded machine; 3 min 54 s of the same rounds on a quieter one
metric: own_part: share of 5000 test codes that lie in their class's Gaussian; energy distance of
  them to 5000 draws of the prior, pairs of a point with itself among them; agreement: share of
  samples in which a small classifier finds the class of the Gaussian that they are drawn from
reference: none in numbers; the prior to itself, at the same N
measured: own_part 0.940 ± 0.003, energy distance 0.0077 (the prior to itself 0.0003), agreement
  0.885 ± 0.010 (classifier's accuracy 0.989); D's loss 1.362 of 2 ln 2 = 1.386
target: own_part at least 0.9, energy distance below 0.02
again: python launch.py --workdir=runs/aae_mnist --mode=evaluate
status: toy
departs: 500 units a layer, all labels are known, Adam, 6 epochs, and D's judgement weighs 50 times;
  the paper has 1000 units, SGD, and labels of some images only, and trains the two parts of the
  loss in turn

The reconstruction is a sum over 784 pixels, and outweighs one judgement: with `adversarial` at 1
the codes stay where they are decoded best (own_part 0.216, energy distance 0.30); with 10, after
half the rounds, 0.857 and 0.025, with 50 0.910 and 0.013.

:few knows 10,000 labels, and :unlabelled none. :swiss has a spiral for a prior, :normal a normal
one and no labels. :gaussian and :universal draw codes. :published has the paper's networks and
10,000 labels, for 100 epochs.
"""

from gm_jax.recipes import recipe


def get_config(variant=""):
    return recipe(
        variant,
        dict(
            system="adversarial_autoencoder",
            steps=3600,
            batch_size=100,
            data=dict(name="mnist"),
            latents=2,
            prior="star",
            labels=True,
            adversarial=50.0,
            likelihood="bernoulli",
            widths=(500, 500),
            optimizer=dict(name="adam", learning_rate=2e-4, b1=0.5),
            discriminator=dict(optimizer=dict(name="adam", learning_rate=2e-4, b1=0.5)),
            show=dict(
                every=1200,
                counts=dict(sample=64, reconstruct=32, manifold=10, encode=2000, prior=2000),
            ),
            evaluate=dict(codes=5000, agreement=1000),
        ),
        few=dict(data=dict(name="half_labelled", base="mnist", labelled=10_000)),
        unlabelled=dict(labels=False, evaluate=dict(agreement=0)),
        normal=dict(prior="normal", labels=False, evaluate=dict(agreement=0)),
        swiss=dict(prior="swiss_roll"),
        gaussian=dict(posterior=dict(name="gaussian")),
        universal=dict(posterior=dict(name="universal")),
        published=dict(
            data=dict(name="half_labelled", base="mnist", labelled=10_000),
            steps=60_000, widths=(1000, 1000),
        ),
        smoke=dict(
            steps=4, batch_size=16, widths=(8, 7), data=dict(name="digits"),
            show=dict(every=0), sample=dict(count=32),
            evaluate=dict(codes=16, agreement=32),
        ),
    )  # fmt: skip
