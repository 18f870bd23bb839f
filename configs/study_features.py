"""Study: features of every encoder, for a classifier of MNIST with few labels and with all.

paper: Hinton, Osindero & Teh 2006 and Bengio et al. 2007 (features of one stage start the next);
  Vincent et al. 2010, JMLR 11; Donahue et al. 2017, arXiv 1605.09782; Radford et al. 2016,
  arXiv 1511.06434; the paper of each entry
command: python launch.py --config=configs/study_features.py --workdir=runs/study_features
  --mode=study
hardware: one of 2 CPU cores (AMD EPYC), float32
time: not measured yet
metric: share of all 10,000 test images that are classified wrong, with 100, 1,000 and all labels:
  of a linear classifier of fixed features (frozen), of one on top while the encoder goes on
  learning (tuned), and of that from the encoder's random start (scratch); three draws of the
  labels, balanced, for each seed; penalty and rate chosen on held-out labels
departs: no paper's experiment: one small budget of rounds for each encoder, grey images
reference: none for these budgets
measured: `:quick`, one seed, five entries so far: with 100 labels frozen / tuned / scratch 0.215 /
  0.197 / 0.227 for stacked_denoising, 0.238 / 0.250 / 0.240 for the autoencoder, 0.281 / 0.280 /
  0.243 for the adversarial one, 0.245 frozen for pixels; with all labels frozen 0.035, 0.080, 0.164
  and 0.074; PSD's in docs/features.md
target: with 100 labels, frozen features of most encoders have fewer errors than raw pixels
again: the same command in a new workdir; finished runs are not repeated
status: unverified

`pixels` is the same classifier of raw pixels; it shares the autoencoder's training and does not use
it. A ladder network is not among them: labels make its features. `:quick` has a quarter of the
rounds, one seed, and fine-tuning with 100 labels alone. A second shell with the same command shares
the runs.
"""

from pathlib import Path

from gm_jax.recipes import derive


def adam(steps, learning_rate=1e-3, **more):
    return dict(name="adam", learning_rate=learning_rate, decay_steps=steps, **more)


def sgd(steps, learning_rate):
    falling = dict(decay_steps=steps, schedule="linear")
    return dict(name="sgd", learning_rate=learning_rate, momentum=0.5, **falling)


def entries(steps, units, code, width):
    """Each with so many rounds, hidden units, numbers of a code, and channels of the GANs."""
    half = max(steps // 2, 1)
    shown = dict(show=dict(counts=dict(sample=0, reconstruct=25)))
    one = dict(steps=steps, optimizer=adam(steps), **shown)
    net = dict(network=dict(widths=(units, units)), latents=code)
    # The last phase, which is of labels, moves nothing.
    stacked = dict(
        system="stacked_autoencoder",
        steps=1,
        widths=(units, units),
        slower=0.0,
        show=dict(every=0, counts=dict(sample=0)),
    )
    layer = dict(steps=half, optimizer=adam(half))
    layer_of_rbm = dict(steps=half, optimizer=sgd(half, 0.05))
    rbm_layer = dict(units=units, **layer_of_rbm)
    few, many = dict(optimizer=adam(0, 2e-4, b1=0.5), width=width), dict(width=width)
    games = dict(steps=half, generator=few, discriminator=few)

    autoencoder = dict(system="autoencoder", **net, **one)
    return {
        "pixels": autoencoder | dict(evaluate=dict(features_of="image")),
        "autoencoder": autoencoder,
        "denoising": autoencoder | dict(corruption=dict(name="masking", amount=0.3)),
        "sparse_kl": dict(
            system="sparse_autoencoder", hidden=2 * units, sparsity="kl", decay=1e-4, **one
        ),
        "k_sparse": dict(
            system="sparse_autoencoder", hidden=2 * units, sparsity="k_sparse",
            k_sparse=dict(k=code // 2, first=2 * code, steps=half), **one,
        ),
        "stacked": stacked | dict(pretraining=dict(masked=(0.0, 0.0), **layer)),
        "stacked_denoising": stacked | dict(pretraining=dict(masked=(0.25, 0.25), **layer)),
        "vae": dict(system="vae", **net, **one),
        "aae": dict(
            system="adversarial_autoencoder", labels=False, prior="normal", latents=code,
            widths=(units, units), steps=steps, **shown,
        ),
        "rbm": dict(system="rbm", hidden=units, steps=steps, optimizer=sgd(steps, 0.05), **shown),
        "dbm": dict(
            system="deep_boltzmann", first=rbm_layer, second=rbm_layer, steps=half,
            optimizer=sgd(half, 5e-3), **shown,
        ),
        "dbn": dict(
            system="deep_belief", widths=(units,), units=units, steps=half,
            optimizer=sgd(half, 0.05), pretraining=layer_of_rbm, **shown,
        ),
        "deep_autoencoder": dict(
            system="deep_autoencoder", widths=(units, units // 2), latents=code, steps=half,
            optimizer=adam(half), pretraining=dict(steps=max(steps // 6, 1)), **shown,
        ),
        "sparse_coding": dict(
            system="sparse_coding", atoms=units, penalty=0.2, inference=dict(steps=30),
            steps=max(steps // 6, 1), optimizer=adam(max(steps // 6, 1), 1e-2), **shown,
        ),
        "psd": dict(
            system="psd", atoms=units, penalty=0.2, inference=dict(steps=30),
            steps=max(steps // 6, 1), optimizer=adam(max(steps // 6, 1), 1e-2), **shown,
        ),
        "bigan": dict(system="bigan", latents=code, encoder=many, **games, **shown),
        "dcgan_discriminator": games,
    }  # fmt: skip


def get_config(variant=""):
    smoke, quick = variant == "smoke", variant == "quick"
    of_size = (4, 8, 6, 4) if smoke else (1500 if quick else 6000, 500, 64, 32)
    labels, tuned = (100, 1000, 0), (100,) if quick else (100, 1000)
    evaluate = dict(score=0, features=labels, features_tuned=tuned, features_draws=3)
    measures = [f"frozen_error_{n or 'all'}" for n in labels]
    measures += [f"{method}_error_{n}" for n in tuned for method in ("tuned", "scratch")]
    if smoke:
        evaluate |= dict(features=(50,), features_tuned=(50,), features_draws=2, features_rounds=2)
        measures = ["frozen_error_50", "tuned_error_50", "scratch_error_50"]
    changes = dict(
        data=dict(name="digits") if smoke else {},
        batch_size=16 if smoke else 100,
        average=0.0,
        show=dict(every=10_000, counts=dict(sample=25, interpolation=0)),
        evaluate=evaluate,
        study=dict(
            entries=entries(*of_size),
            seeds=(0,) if smoke or quick else (0, 1, 2),
            measures=measures,
        ),
    )
    base = f"gan_mnist.py:{variant}".replace(":quick", "")
    return derive(Path(__file__).with_name(base), changes)
