"""Sparse autoencoders on MNIST: the 25 largest of 1000 units, or 200 units of a small mean.

paper: Makhzani & Frey 2014, k-Sparse Autoencoders, arXiv 1312.5663; Ng 2011, Sparse autoencoder,
  CS294A lecture notes
command: python launch.py --config=configs/sparse_ae_mnist.py --workdir=runs/sparse_ae_mnist
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 112 s, :kl 50 s (busy machine)
metric: squared error summed over the pixels, in [0, 1], and the share of active units, mean over
  all 10,000 test images
departs: Adam in place of momentum (k-sparse) and of L-BFGS on the full batch (kl); k falls linearly
reference: none for the error; classified from the codes, the paper has 1.35 % wrong with k 25
measured: of :k_sparse 7.72 ± .03, 25 of 1,000 units active; of :kl 24.9 ± .1, mean activity .111
  (target .1). 25 principal components leave 15.88
target: of :k_sparse a squared error below that of 25 principal components
again: python launch.py --workdir=runs/sparse_ae_mnist --mode=evaluate
status: toy

:kl has 200 units with a target of .1 for their means; :k_sparse is the default by its name.
"""

from gm_jax.recipes import recipe


def get_config(variant=""):
    return recipe(
        variant,
        dict(
            system="sparse_autoencoder",
            steps=3000,
            batch_size=128,
            data=dict(name="mnist"),
            hidden=1000,
            sparsity="k_sparse",
            k_sparse=dict(k=25, first=100, steps=1500, alpha=1.0),
            decay=0.0,
            optimizer=dict(name="adam", learning_rate=1e-3, decay_steps=3000),
            show=dict(every=0, counts=dict(sample=0, reconstruct=32, filters=100)),
            evaluate=dict(counts=dict(distortion=10_000)),
        ),
        kl=dict(
            sparsity="kl", hidden=200, kl=dict(target=0.1, weight=3.0), decay=3e-3,
        ),
        k_sparse=dict(),
        smoke=dict(
            steps=4, batch_size=16, hidden=10, data=dict(name="digits"),
            k_sparse=dict(k=3, first=10, steps=3), optimizer=dict(decay_steps=0),
            show=dict(counts=dict(reconstruct=16, filters=16)),
            evaluate=dict(counts=dict(distortion=16)),
        ),
    )  # fmt: skip
