"""Study: a timeline of stability, from the GAN of 2014 to BigGAN, with one data set and one budget.

paper: Goodfellow et al. 2014, arXiv 1406.2661, and the paper of each entry
command: python launch.py --config=configs/study_timeline.py --workdir=runs/study_timeline
  --mode=study
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 29 min for the first seed, beside other runs
metric: fd_classifier_digits: Fréchet distance of 750 samples to 750 training images on the 64
  features of a small classifier of the same data, mean of ten random choices of the reals; every
  seed, mean and deviation; "failed" for a loss that became NaN or infinite
departs: no paper's experiment: 8x8 digits without labels, 10,000 moves of D on 64 real images for
  each, so 2,000 rounds if D moves five times a round. The first entries have the networks of
  configs/gan_digits.py, the last four residual ones of 32 features; losses and penalties are those
  of each paper, rates too, but for the residual networks: five times their authors', as 2,000
  rounds are few
reference: 4.48, real against real at the same N
measured: one seed: GAN 14.5, DCGAN 15.6, LSGAN 32.6, WGAN 30.4, WGAN-GP 24.1, DRAGAN 24.5, SNGAN
  19.7; residual: WGAN-GP 5.03, SAGAN 5.52, BigGAN 4.94, SNGAN 49.6, whose digits are clear but
  hardly ever a 2 or a 7 (5 and 9 of 750, by three nearest neighbours; its rate does not explain it:
  47.7 at 5e-4, 36.0 at 2e-4). But for it, the network helps most here; no run failed
target: what each year changed is recorded
again: the same command in a new workdir; finished runs are not repeated
status: unverified
"""

from pathlib import Path

from gm_jax.recipes import derive

MOVES, WIDTH = 10_000, 32


def adam(learning_rate, b1, b2=0.999, steps=0):
    decay = dict(decay_steps=steps, schedule="linear") if steps else {}
    return dict(name="adam", learning_rate=learning_rate, b1=b1, b2=b2, **decay)


def both(optimizer, **discriminator):
    return dict(
        generator=dict(optimizer=optimizer),
        discriminator=dict(optimizer=optimizer, **discriminator),
    )


def entries(moves, width):
    """Each with so many moves of D, and residual networks of so many features."""
    rounds = moves // 5
    rmsprop = dict(name="rmsprop", learning_rate=5e-5, decay=0.99, eps_in_sqrt=False)
    spectral = dict(width=width, normalization="spectral")

    def falling(**discriminator):
        """1e-3, falling to 0; two samples of G for each real image."""
        return dict(
            generator=dict(width=width, samples=2, optimizer=adam(1e-3, 0.0, 0.9, rounds)),
            discriminator=dict(times=5, optimizer=adam(1e-3, 0.0, 0.9, moves), **discriminator),
        )

    return {
        "2014_gan": dict(value_function="minimax", discriminator=dict(normalization="none")),
        "2015_dcgan": dict(),
        "2016_lsgan": dict(value_function="least_squares", **both(adam(1e-3, 0.5))),
        "2017_wgan": dict(
            value_function="wasserstein",
            steps=rounds,
            generator=dict(optimizer=rmsprop),
            discriminator=dict(
                times=5, normalization="none", optimizer=rmsprop | dict(clip_weights=0.01)
            ),
        ),
        "2017_wgan_gp": dict(
            value_function="wasserstein", penalty=dict(name="wgan_gp", weight=10.0), steps=rounds,
            **both(adam(1e-4, 0.0, 0.9), times=5, normalization="none"),
        ),
        "2017_dragan": dict(
            penalty=dict(name="dragan", weight=10.0),
            **both(adam(1e-4, 0.5, 0.9), normalization="none"),
        ),
        "2018_sngan": dict(
            value_function="hinge", steps=rounds,
            **both(adam(2e-4, 0.0, 0.9), times=5, normalization="spectral"),
        ),
        "2017_wgan_gp_resnet": dict(
            networks="wgan_gp_resnet", value_function="wasserstein", steps=rounds,
            penalty=dict(name="wgan_gp", weight=10.0),
            **falling(width=width, normalization="none"),
        ),
        "2018_sngan_resnet": dict(
            networks="sngan_resnet", value_function="hinge", steps=rounds, **falling(**spectral),
        ),
        "2018_sagan": dict(
            networks="sagan", value_function="hinge",
            generator=dict(width=width, optimizer=adam(5e-4, 0.0)),
            discriminator=dict(optimizer=adam(2e-3, 0.0), **spectral),
        ),
        "2018_biggan": dict(
            networks="biggan", value_function="hinge", steps=moves // 2,
            generator=dict(width=width, optimizer=adam(1e-3, 0.0)),
            discriminator=dict(times=2, optimizer=adam(1e-3, 0.0), **spectral),
            sampler=dict(standing=16),
        ),
    }  # fmt: skip


def get_config(variant=""):
    smoke = variant == "smoke"
    study = dict(
        entries=entries(10, 4) if smoke else entries(MOVES, WIDTH),
        seeds=(0,) if smoke else (0, 1, 2),
        measures=("fd_classifier_digits",),
    )
    return derive(
        Path(__file__).with_name(f"gan_digits.py:{variant}"), dict(study=study, steps=MOVES)
    )
