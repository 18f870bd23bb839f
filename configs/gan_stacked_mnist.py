"""GAN on stacked MNIST: three digits as the channels of an image, 1,000 modes.

paper: Metz et al. 2017, Unrolled Generative Adversarial Networks, arXiv 1611.02163, section 3.3.1;
  networks and rates as PacGAN's authors (arXiv 1712.04086, section 4.2) repeat them
command: python launch.py --config=configs/gan_stacked_mnist.py --workdir=runs/gan_stacked_mnist
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 2 h 3 min (shared machine)
metric: modes seen by a classifier of MNIST, of 1,000, and KL(samples || uniform) over them, 26,000
  samples; D has a quarter of G's width
departs: 100,000 of the 500,000 rounds (`:published`), and Adam's eps_root of 1e-12, which unrolling
  needs
reference: GAN 30.6 modes, KL 5.99; Unrolled K=1 65.4 / 5.91, K=5 236.4 / 4.67, K=10 327.2 / 4.66;
  PacGAN-4 667.4 / 1.81, all after 500,000 rounds; 26,000 test images 1,000 / 0.02 (measured here)
measured: 37 modes, KL 4.60 (classifier's accuracy 0.989); one seed
target: the modes found are recorded, whatever they are
again: python launch.py --workdir=runs/gan_stacked_mnist --mode=evaluate
status: toy

`:published` plays the papers' 500,000 rounds (unverified: ten hours of such a core). After 100,000
the samples are a few blobs, repeated. Real and generated batches are normalised separately, as in
the authors' code, which hides contrast from D: the background is still grey after 20,000 rounds,
but black after 3,000 with `--config.tricks.joint_batches=True` (and rates of 5e-4 and 1e-3). Not
run in full: Unrolled K=5, a second a round (`--config.value_function=minimax
--config.unroll.steps=5`), and PacGAN-4 (`--config.tricks.packing=4 --config.batch_size=512`).
configs/wgan_gp_stacked_mnist.py finds nearly all modes in half an hour.
"""

from gm_jax.recipes import recipe


def get_config(variant=""):
    def adam(learning_rate):
        # A gradient through Adam needs a constant under its root.
        rates = dict(learning_rate=learning_rate, b1=0.5, b2=0.99)
        return dict(name="adam", eps_root=1e-12, **rates)

    return recipe(
        variant,
        dict(
            system="gan",
            steps=100_000,
            batch_size=128,
            data=dict(name="stacked", base="mnist"),
            networks="small",
            latents=256,
            generator=dict(width=8, optimizer=adam(1e-4)),
            discriminator=dict(width=2, optimizer=adam(2e-4)),
            show=dict(every=10_000, counts=dict(sample=64)),
            evaluate=dict(modes=26_000),
        ),
        published=dict(steps=500_000),
        smoke=dict(
            steps=4, batch_size=16, generator=dict(width=2), discriminator=dict(width=1),
            show=dict(counts=dict(sample=16)), sample=dict(count=32), evaluate=dict(modes=32),
        ),
    )  # fmt: skip
