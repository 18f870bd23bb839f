"""Deep belief net of two hidden layers on MNIST, binarised once and for all.

paper: Hinton, Osindero & Teh 2006, A Fast Learning Algorithm for Deep Belief Nets, Neural
  Computation 18; Salakhutdinov & Murray 2008, On the Quantitative Analysis of Deep Belief Networks,
  ICML
command: python launch.py --config=configs/dbn_mnist.py --workdir=runs/dbn_mnist
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 7 min 4 s (busy machine)
metric: nats, the bound on log p(v) by 20 draws of q, with log Z of the top machine by 100 runs of
  AIS, on all 10,000 test images, binarised once by a draw of their grey values
  (data.binarize="fixed"; not Larochelle's file)
reference: the second paper's bound for 784-500-2000, on images that it binarised itself; not looked
  up again
measured: bound -102.0 ± 0.3 [-102.2, -101.8] (68.6 of 100 runs effective); of its first layer
  alone, by configs/rbm_mnist.py:wide with 200 units and the settings here, -108.6 ± 0.3 [-108.7,
  -108.4]
target: a bound above that of its first layer alone, as an RBM
again: python launch.py --workdir=runs/dbn_mnist --mode=evaluate
status: toy
departs: 200 and 500 units, far fewer rounds, rates that fall to 0; the top machine begins at
  random, not as the first one turned round, and its chains are persistent; no wake-sleep

:published has the second paper's layers.
"""

from gm_jax.recipes import recipe


def get_config(variant=""):
    def sgd(steps):
        return dict(
            name="sgd", learning_rate=0.05, momentum=0.5, decay_steps=steps, schedule="linear"
        )

    return recipe(
        variant,
        dict(
            system="deep_belief",
            steps=9000,
            batch_size=100,
            data=dict(name="mnist", binarize="fixed"),
            widths=(200,),
            units=500,
            pretraining=dict(steps=6000, negatives=1, decay=2e-4, optimizer=sgd(6000)),
            chains=100,
            sweeps=1,
            decay=2e-4,
            optimizer=sgd(9000) | dict(momentum=0.0),
            draws=20,
            show=dict(every=0, counts=dict(sample=64, reconstruct=32, filters=100)),
            evaluate=dict(batch_size=500, annealing=100),
        ),
        published=dict(
            steps=120_000, widths=(500,), units=2000, data=dict(binarize="redrawn"),
            pretraining=dict(
                steps=120_000, optimizer=dict(momentum=0.9, decay_steps=120_000),
            ),
            optimizer=dict(decay_steps=120_000),
        ),
        smoke=dict(
            steps=4, batch_size=16, widths=(6, 5), units=7, chains=8, sweeps=2, draws=3,
            pretraining=dict(steps=2, optimizer=dict(decay_steps=4)),
            optimizer=dict(decay_steps=4), data=dict(name="digits"),
            sampler=dict(steps=3), annealing=dict(steps=(4, 4, 4)), sample=dict(count=32),
            evaluate=dict(batch_size=16, counts=dict(bound=16), annealing=16),
        ),
    )  # fmt: skip
