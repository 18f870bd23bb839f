"""First stage of latent diffusion on the shapes world of 32 x 32: KL latents of 8 x 8 x 4.

paper: Rombach et al. 2022, High-Resolution Image Synthesis with Latent Diffusion Models,
  arXiv 2112.10752
command: python launch.py --config=configs/first_stage_shapes.py --workdir=runs/first_stage_shapes
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 20 min 41 s
metric: share of 1,000 scenes of unseen pairs of colour and shape whose reconstruction shows all
  that the scene does, by the judge of the shapes world; peak signal-to-noise ratio in decibels
departs: drawn scenes (the paper: OpenImages), widths of 16 to 64 with one block a level (128 to
  512, two), no perceptual term (LPIPS), a discriminator of width 16 with two strided layers from
  round 3,000 (64, three, 50,001), batches of 32 and Adam at 1e-3 (4.5e-6 for each example)
reference: configs/vqvae_shapes.py, 64 codes out of 256 in place of 64 x 4 numbers: 0.980
measured: 1.000 [0.996, 1.000] of the split `unseen`; 37.5 dB
target: at least 0.97 of the reconstructions show all
again: python launch.py --workdir=runs/first_stage_shapes --mode=evaluate
status: toy

Pictures of a purple circle and of a green cross are held out: the split `unseen` has them alone.
"""

from gm_jax.recipes import recipe


def get_config(variant=""):
    return recipe(
        variant,
        dict(
            system="first_stage",
            steps=4000,
            batch_size=32,
            average=0.999,
            data=dict(name="shapes", captions="words"),
            bottleneck=dict(name="kl", weight=1e-6, channels=4),
            network=dict(widths=(16, 32, 64), blocks=1, groups=8),
            discriminator=dict(
                width=16, layers=2, normalization="batch", start=3000, weight=0.5,
                optimizer=dict(name="adam", learning_rate=5e-4, b1=0.5, b2=0.9),
            ),
            optimizer=dict(name="adam", learning_rate=1e-3, b1=0.5, b2=0.9, warmup_steps=100),
            show=dict(every=1000, counts=dict(sample=0, reconstruct=16)),
            evaluate=dict(
                counts=dict(distortion=1000), attributes=dict(reconstruct=1000), split="unseen"
            ),
        ),
        smoke=dict(
            steps=4, batch_size=8, network=dict(widths=(4, 4), groups=2),
            discriminator=dict(width=4, layers=1, start=2),
            show=dict(every=0, counts=dict(reconstruct=4)),
            evaluate=dict(counts=dict(distortion=16), attributes=dict(reconstruct=16)),
        ),
    )  # fmt: skip
