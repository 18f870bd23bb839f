"""A deep autoencoder with 30 codes on MNIST, its layers first trained as RBMs.

paper: Hinton & Salakhutdinov 2006, Reducing the Dimensionality of Data with Neural Networks,
  Science 313
command: python launch.py --config=configs/deep_ae_mnist.py --workdir=runs/deep_ae_mnist
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 2 min 46 s, :scratch 53 s (busy machine)
metric: squared error summed over the pixels, in [0, 1], mean over all 10,000 test images
reference: the paper's 3.00; 8.01 for logistic and 13.87 for standard PCA
measured: 7.04 ± .04 after one pass; :scratch 26.05 ± .11. Standard PCA with 30 components 13.87
target: after one pass of fine-tuning, an error below that of :scratch after the same pass
again: python launch.py --workdir=runs/deep_ae_mnist --mode=evaluate
status: toy
departs: three passes over the images for each RBM and one for all of it (50, and 200 or more), and
  Adam in place of conjugate gradients

:scratch begins its one pass from random weights. :published has 50 passes a layer.
"""

from gm_jax.recipes import recipe


def get_config(variant=""):
    return recipe(
        variant,
        dict(
            system="deep_autoencoder",
            steps=600,
            batch_size=100,
            data=dict(name="mnist"),
            widths=(1000, 500, 250),
            latents=30,
            pretraining=dict(
                steps=1800, negatives=1, deviation=0.1, decay=2e-4,
                optimizer=dict(name="sgd", learning_rate=0.1, momentum=0.5),
                code=dict(optimizer=dict(name="sgd", learning_rate=1e-3, momentum=0.9)),
            ),
            optimizer=dict(name="adam", learning_rate=1e-3),
            show=dict(every=0, counts=dict(sample=0, reconstruct=32)),
            evaluate=dict(counts=dict(distortion=10_000)),
        ),
        scratch=dict(pretraining=dict(steps=0)),
        published=dict(
            steps=120_000,
            pretraining=dict(
                steps=30_000, optimizer=dict(momentum=0.9),
                code=dict(optimizer=dict(momentum=0.9)),
            ),
        ),
        smoke=dict(
            steps=4, batch_size=16, widths=(8, 7), latents=3,
            pretraining=dict(steps=2), data=dict(name="digits"),
            show=dict(counts=dict(reconstruct=16)),
            evaluate=dict(counts=dict(distortion=16)),
        ),
    )  # fmt: skip
