"""RBM of 20 hidden units on MNIST, binarised once and for all: small enough to be exact.

paper: Hinton 2002, Training Products of Experts by Minimizing Contrastive Divergence, Neural
  Computation 14; Tieleman 2008, Training Restricted Boltzmann Machines using Approximations to the
  Likelihood Gradient, ICML; Salakhutdinov & Murray 2008, On the Quantitative Analysis of Deep
  Belief Networks, ICML
command: python launch.py --config=configs/rbm_mnist.py --workdir=runs/rbm_mnist
hardware: one of 2 CPU cores (Intel Xeon), float32
time: 1 min 43 s
metric: nats, log p(v) with Z from all 2^20 states of the hidden units, on all 10,000 test images,
  binarised once by a draw of their grey values (data.binarize="fixed"; not Larochelle's file);
  beside it log Z by 100 runs of AIS
reference: none for 20 units on these images
measured: log-likelihood -141.92 ± 0.42 nats; by AIS -141.91 [-142.07, -141.73], 76.3 of 100 runs
  effective. After ten passes (steps and decay_steps 6,000) -148.33 ± 0.43
target: log-likelihood above -142.5; AIS's interval holds the exact value
again: python launch.py --workdir=runs/rbm_mnist --mode=evaluate
status: toy
departs: images that are binarised once; rate that falls linearly to 0, no momentum

Persistent chains (PCD-1). :cd1 starts them at the data; :wide has 500 units, whose Z only AIS can
estimate; :published is Salakhutdinov's, 500 units, CD, momentum and decay.
"""

from gm_jax.recipes import recipe


def get_config(variant=""):
    # Z of 500 units is only estimated. Of 20 it is exact: one batch, so that it is computed once.
    wide = variant in ("wide", "published")
    exact = dict(batch_size=10_000, counts=dict(log_prob=10_000))
    return recipe(
        variant,
        dict(
            system="rbm",
            steps=18_000,
            batch_size=100,
            data=dict(name="mnist", binarize="fixed"),
            hidden=20,
            negatives=dict(name="pcd", steps=1, chains=100),
            optimizer=dict(
                name="sgd", learning_rate=0.05, decay_steps=18_000, schedule="linear"
            ),
            sampler=dict(steps=1000),
            show=dict(every=0, counts=dict(sample=64, chain=16, filters=20)),
            evaluate=dict(annealing=100, **(dict(batch_size=500) if wide else exact)),
        ),
        cd1=dict(negatives=dict(name="cd")),
        wide=dict(
            hidden=500, steps=12_000, optimizer=dict(decay_steps=12_000),
            show=dict(counts=dict(filters=100)),
        ),
        published=dict(
            hidden=500, steps=180_000, negatives=dict(name="cd", steps=25), decay=2e-4,
            data=dict(binarize="redrawn"),
            optimizer=dict(
                name="sgd", learning_rate=0.05, momentum=0.9, decay_steps=0, schedule="cosine"
            ),
            show=dict(counts=dict(filters=100)),
        ),
        smoke=dict(
            steps=4, batch_size=16, hidden=6, negatives=dict(chains=8),
            data=dict(name="digits"), sampler=dict(steps=3), annealing=dict(steps=(4, 4, 4)),
            show=dict(every=0), sample=dict(count=32),
            evaluate=dict(batch_size=16, counts=dict(log_prob=16), annealing=16),
        ),
    )  # fmt: skip
