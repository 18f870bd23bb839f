"""Deep Boltzmann machine of two hidden layers on MNIST, binarised once and for all.

paper: Salakhutdinov & Hinton 2009, Deep Boltzmann Machines, AISTATS
command: python launch.py --config=configs/dbm_mnist.py --workdir=runs/dbm_mnist
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 14 min 18 s (busy machine)
metric: nats, the mean field's bound on log p(v) with log Z by 100 runs of AIS, on all 10,000 test
  images, binarised once by a draw of their grey values (data.binarize="fixed"; not Larochelle's
  file)
reference: the paper's bound of -84.62 with log Z 356.18 (356.06, 356.29), 784-500-1000
measured: bound -101.9 ± 0.3 [-102.2, -101.5] (42.5 of 100 runs effective)
target: bound better than -105; better than -88 within two hours is open
again: python launch.py --workdir=runs/dbm_mnist --mode=evaluate
status: toy
departs: 200 and 500 units, and far fewer rounds; plain rates that fall to 0 in each phase; no
  sparsity term

:published has the paper's layers and rounds: 100 and 200 passes over the images for the layers,
300 for all of it.
"""

from gm_jax.recipes import recipe


def get_config(variant=""):
    return recipe(
        variant,
        dict(
            system="deep_boltzmann",
            steps=9000,
            batch_size=100,
            data=dict(name="mnist", binarize="fixed"),
            first=dict(
                units=200, steps=6000, negatives=1, decay=1e-3,
                optimizer=dict(
                    name="sgd", learning_rate=0.05, momentum=0.5,
                    decay_steps=6000, schedule="linear",
                ),
            ),
            second=dict(
                units=500, steps=6000, negatives=2, decay=1e-3,
                optimizer=dict(
                    name="sgd", learning_rate=0.05, momentum=0.5,
                    decay_steps=6000, schedule="linear",
                ),
            ),
            chains=100,
            sweeps=5,
            mean_field=10,
            decay=2e-4,
            optimizer=dict(
                name="sgd", learning_rate=5e-3, decay_steps=9000, schedule="linear"
            ),
            show=dict(every=0, counts=dict(sample=64, reconstruct=32, filters=100)),
            evaluate=dict(batch_size=500, annealing=100),
        ),
        published=dict(
            steps=180_000,
            data=dict(binarize="redrawn"),
            first=dict(
                units=500, steps=60_000, optimizer=dict(momentum=0.9, decay_steps=0),
            ),
            second=dict(
                units=1000, steps=120_000, negatives=5,
                optimizer=dict(learning_rate=0.01, momentum=0.9, decay_steps=0),
            ),
            optimizer=dict(learning_rate=1e-3, final_rate=1e-4, decay_steps=180_000),
            annealing=dict(steps=(1000, 5000, 14_000)),
        ),
        smoke=dict(
            steps=4, batch_size=16, chains=8, sweeps=2, mean_field=3,
            data=dict(name="digits"),
            first=dict(units=6, steps=2, optimizer=dict(decay_steps=4)),
            second=dict(units=5, steps=2, optimizer=dict(decay_steps=4)),
            sampler=dict(steps=3), annealing=dict(steps=(4, 4, 4)),
            sample=dict(count=32),
            evaluate=dict(batch_size=16, counts=dict(bound=16), annealing=16),
        ),
    )  # fmt: skip
