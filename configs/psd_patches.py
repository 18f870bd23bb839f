"""Predictive sparse decomposition of natural patches: codes guessed by one matrix product.

paper: Kavukcuoglu, Ranzato & LeCun 2010, Fast Inference in Sparse Coding Algorithms with
  Applications to Object Recognition, arXiv 1010.3467
command: python launch.py --config=configs/psd_patches.py --workdir=runs/psd_patches
hardware: one of 2 CPU cores (AMD EPYC), float32
time: to be measured
metric: 1/2 |x - Dz|^2 + lambda |z|_1 of z = f(x) beside that of 60 steps of FISTA, mean over 2,000
  whitened patches of 12x12 that were not trained on; `speedup` in multiplications against as many
  steps of FISTA as reach the same objective
departs: two photographs; a batch for each step, by Adam, where the paper takes one patch at a time
reference: none for these photographs; the paper's encoder is over 100 times as fast as its
  coordinate descent, and classifies as well
measured: to be measured
target: an encoder less than a third above FISTA's objective, for ten times fewer multiplications
again: python launch.py --workdir=runs/psd_patches --mode=evaluate
status: unverified
"""

from gm_jax.recipes import recipe


def get_config(variant=""):
    return recipe(
        variant,
        dict(
            system="psd",
            steps=1500,
            batch_size=256,
            data=dict(name="patches", size=12),
            atoms=192,
            penalty=0.8,
            pull=1.0,
            encoder=dict(name="shrinkage", layers=1),
            refinement=dict(
                steps=1500, error="objective",
                optimizer=dict(name="adam", learning_rate=3e-3, decay_steps=1500),
            ),
            inference=dict(name="fista", steps=60),
            optimizer=dict(name="adam", learning_rate=0.01, decay_steps=1500),
            report=dict(every=50),
            show=dict(every=500, counts=dict(sample=0, atoms=192, filters=192, reconstruct=32)),
            evaluate=dict(batch_size=500, counts=dict(quality=2000)),
        ),
        tanh=dict(encoder=dict(name="tanh"), refinement=dict(steps=0)),
        lista=dict(encoder=dict(name="lista")),
        smoke=dict(
            steps=4, batch_size=16, atoms=10, data=dict(size=4), inference=dict(steps=5),
            optimizer=dict(decay_steps=0),
            refinement=dict(steps=2, optimizer=dict(decay_steps=0)),
            show=dict(every=0, counts=dict(atoms=16, filters=16, reconstruct=16)),
            evaluate=dict(batch_size=16, counts=dict(quality=16)),
        ),
    )  # fmt: skip
