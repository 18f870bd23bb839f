"""Study: the value functions on a ring of eight Gaussians, same networks, data and rounds.

paper: Metz et al. 2017, Unrolled Generative Adversarial Networks, arXiv 1611.02163 (networks, data,
  batch of 512, 25,000 rounds); the paper of each value function
command: python launch.py --config=configs/study_ring.py --workdir=runs/study_ring --mode=study
hardware: 2 CPU cores, float32: AMD EPYC; for PacGAN-4, SNGAN, Unrolled, WGAN and WGAN-GP Intel Xeon
time: 3 to 14 min of one quiet core a run; all 39 were not run in one piece
metric: modes with a sample within 3 deviations, share of such samples, KL(such samples || uniform)
  over the modes, of 2500 samples; radius 2, deviation 0.02; every seed, mean and deviation
departs: one set of networks, data and rounds for all, where each paper has its own. WGAN's rate and
  bound are ten times those for images, the penalties' weights 0.1 (for images 10), EBGAN's and
  BEGAN's codes one number, and ALI's D has no dropout
reference: PacGAN's table 1 (radius 1, deviation 0.01, other networks), modes / high quality /
  reverse KL: GAN 6.3 / 98.2 % / 0.45, ALI 6.6 / 97.6 % / 0.36, PacGAN-4 7.8 / 95.9 % / 0.07
measured: Unrolled, minimax, non-saturating, LSGAN, PacGAN-4 and WGAN-GP 8 of 8 modes on each of
  three seeds, high quality .89, .82, .77, .75, .46, .71; SNGAN 7.7, DRAGAN and non-saturating with
  a fast D 7.3, WGAN 5.7, ALI 3.0, EBGAN 2.7, BEGAN 1.0. `:quick` (38 min 41 s of one core):
  Unrolled, LSGAN, DRAGAN, WGAN-GP and non-saturating with a fast D 8 of 8 on each of five
target: some system covers 8 of 8 modes on every seed
again: the same command in a new workdir; finished runs are not repeated
status: toy

A round is one step of the generator. `:quick` plays 4,000 rounds of 128 with five seeds.
A second shell with the same command shares the runs.
"""

from pathlib import Path

from gm_jax.recipes import derive


def adam(learning_rate, b1=0.5, **more):
    return dict(name="adam", learning_rate=learning_rate, b1=b1, **more)


def rmsprop(learning_rate, **more):
    # As in configs/wgan_digits.py.
    settings = dict(learning_rate=learning_rate, decay=0.99, eps_in_sqrt=False)
    return dict(name="rmsprop", **settings, **more)


def unrolled(learning_rate):
    # G's gradient flows through D's optimizer, whose root has no slope at 0.
    optimizer = adam(learning_rate, eps_root=1e-12)
    return dict(unroll=dict(steps=5), discriminator=dict(optimizer=optimizer))


# Adam with the rates of Metz et al.'s notebook, 1e-4 for D and 1e-3 for G (beta1 0.5), if an entry
# says nothing. A critic that a penalty or a norm slows down must keep up with G: 1e-3, G's rate.
# WGAN has RMSProp, at ten times its rate and bound for images. The weights of the penalties are
# those for the plane. A code is narrower than the plane, or an auto-encoder reproduces all of it.
ENTRIES = {
    "minimax": dict(value_function="minimax"),
    "non_saturating": dict(),
    # The same with D as fast as G: what that alone does.
    "non_saturating_fast": dict(discriminator=dict(optimizer=adam(1e-3))),
    "lsgan": dict(value_function="least_squares"),
    "wgan": dict(
        value_function="wasserstein",
        discriminator=dict(times=5, optimizer=rmsprop(5e-4, clip_weights=0.1)),
        generator=dict(optimizer=rmsprop(5e-4)),
    ),
    "wgan_gp": dict(
        value_function="wasserstein",
        penalty=dict(name="wgan_gp", weight=0.1),
        discriminator=dict(times=5, optimizer=adam(1e-3, b2=0.9)),
        generator=dict(optimizer=adam(1e-3, b2=0.9)),
    ),
    "dragan": dict(
        penalty=dict(name="dragan", weight=0.1), discriminator=dict(optimizer=adam(1e-3))
    ),
    "sngan": dict(
        value_function="hinge",
        discriminator=dict(times=5, normalization="spectral", optimizer=adam(1e-3, b1=0.0, b2=0.9)),
        generator=dict(optimizer=adam(1e-3, b1=0.0, b2=0.9)),
    ),
    "ebgan_pt": dict(system="ebgan", code=1, margin=1.0, pulling_away=0.1),
    "began": dict(system="began", code=1, gamma=0.5, balance_rate=0.001),
    "ali": dict(system="bigan", stochastic=True, encoder=dict(width=128)),
    # As in its authors' code, as many packs as the others have examples.
    "pacgan_4": dict(tricks=dict(packing=4), batch_size=4 * 512),
    "unrolled_5": dict(value_function="minimax", **unrolled(1e-4)),
}
QUICK = ENTRIES | {"pacgan_4": ENTRIES["pacgan_4"] | dict(batch_size=4 * 128)}


def get_config(variant=""):
    base = f"gan_ring.py:{variant}".replace(":quick", "")
    study = dict(entries=ENTRIES, seeds=(0, 1, 2), measures=("modes", "high_quality", "reverse_kl"))
    changes = dict(study=study)
    if variant == "quick":
        study |= dict(entries=QUICK, seeds=(0, 1, 2, 3, 4))
        changes |= dict(batch_size=128, steps=4000)
    return derive(Path(__file__).with_name(base), changes)
