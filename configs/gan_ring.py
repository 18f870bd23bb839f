"""GAN (non-saturating) on a ring of eight Gaussians: the toy of mode coverage, with all settings.

paper: Goodfellow et al. 2014, Generative Adversarial Nets, arXiv 1406.2661; data and
  networks of Metz et al. 2017, Unrolled Generative Adversarial Networks, arXiv 1611.02163
command: python launch.py --config=configs/gan_ring.py --workdir=runs/gan_ring
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 4 min (shared machine)
metric: modes with a sample within 3 deviations, share of such samples, KL(such samples || uniform)
  over the modes, of 2500 samples; radius 2, deviation 0.02
departs: Goodfellow et al. have no ring. Networks, batch, latents and rates are those of the
  notebook of Metz et al.'s authors; the value function is the non-saturating one in place of their
  saddle objective
reference: published in a similar protocol (PacGAN, table 1; radius 1, deviation 0.01, other
  networks): GAN 6.3 modes
measured: 8 of 8 modes, high quality 0.852, reverse KL 0.0047 (entry non_saturating of
  configs/study_ring.py, seed 0; seeds 1 and 2: 8 of 8)
target: the modes found are recorded, whatever they are
again: python launch.py --workdir=runs/gan_ring --mode=evaluate
status: toy
"""

from gm_jax.recipes import recipe


def get_config(variant=""):
    def adam(learning_rate):
        return dict(name="adam", learning_rate=learning_rate, b1=0.5)

    return recipe(
        variant,
        dict(
            system="gan",
            steps=25_000,
            batch_size=512,
            data=dict(name="ring", modes=8, radius=2.0, deviation=0.02),
            value_function="non_saturating",
            networks="points",
            latents=256,
            prior="normal",
            conditional=False,
            generator=dict(width=128, samples=1, optimizer=adam(1e-3)),
            discriminator=dict(
                width=128, normalization="none", optimizer=adam(1e-4), times=1,
                often=dict(times=1, first=0, every=0),
            ),
            penalty=dict(name="", weight=10.0),
            unroll=dict(steps=0, through=True),
            tricks=dict(
                real_label=(1.0, 1.0), fake_label=(0.0, 0.0), flips=0.0,
                noise=dict(deviation=0.0, steps=0), replay=dict(size=0, share=0.5),
                joint_batches=False, packing=1,
            ),
            report=dict(every=500),
            checkpoint=dict(every=5000),
            show=dict(every=2500, counts=dict(landscape=2500)),
            evaluate=dict(modes=2500, batch_size=2500, every=2500),
        ),
        smoke=dict(
            steps=4, batch_size=16, latents=8, generator=dict(width=8),
            discriminator=dict(width=8), show=dict(counts=dict(sample=16)),
            sample=dict(count=32), evaluate=dict(modes=32, every=0),
        ),
    )  # fmt: skip
