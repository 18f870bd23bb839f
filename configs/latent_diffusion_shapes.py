"""Latent diffusion on the shapes world of 32 x 32, by caption: both stages by one command.

paper: Rombach et al. 2022, High-Resolution Image Synthesis with Latent Diffusion Models,
  arXiv 2112.10752
command: python launch.py --config=configs/latent_diffusion_shapes.py
  --workdir=runs/latent_diffusion_shapes
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 46 min beside other runs, after 21 min of configs/first_stage_shapes.py
metric: share of samples for 1,000 captions of unseen pairs of colour and shape that show all that
  the caption says, by the judge of the shapes world
departs: drawn scenes, captions of words and latents of 8 x 8 x 4 (the paper: LAION, 32 x 32 x 4), a
  text transformer of 2 layers of 96 (32 of 1,280), a U-Net of 64 and 128 features (320 to 1,280),
  predictions of v (of the noise), 10,000 rounds of 32 by Adam at 1e-3 with a cosine decay (390,000
  of 680 at 1e-4)
reference: none on these data; configs/paella_shapes.py has the same text transformer and widths
measured: 0.935 [0.918, 0.949] shown right (captions shuffled 0.064; the first stage's bound 1.000),
  of one object 0.998, of two 0.873; as `:frozen`, one seed. Colours and sizes are learned first,
  then shapes, and last which of two is where: right in 0.450 of 151 after 5,000 rounds (by chance
  0.5), in 0.931 of 504 after 10,000. As many pictures in 5,000 rounds of 64 are less sure: 0.990 in
  a first training (stopped after 4,321), 0.730 in a second, which did not learn the relation
  (0.510)
target: at least 0.8
again: python launch.py --workdir=runs/latent_diffusion_shapes --mode=evaluate
status: toy

The first stage is configs/first_stage_shapes.py, trained first in the same workdir. To take one
that is trained already: --config=configs/latent_diffusion_shapes.py:frozen
--config.stages.first=WORKDIR.
"""

from pathlib import Path

from gm_jax.recipes import load_config, recipe

HERE = Path(__file__).parent


def get_config(variant=""):
    config = recipe(
        variant,
        dict(
            system="latent_diffusion",
            steps=10_000,
            batch_size=32,
            average=0.999,
            condition=dict(name="caption", text=dict(width=96, layers=2, heads=3, hidden=384)),
            label_dropout=0.1,
            schedule="scaled_linear",
            times=1000,
            prediction="v",
            network=dict(
                width=64, multipliers=(1, 2), blocks=1, attention=(), attention_levels=(0, 1),
                heads=(4,), transformer_blocks=1, groups=16,
            ),
            optimizer=dict(name="adam", learning_rate=1e-3, warmup_steps=100, decay_steps=10_000),
            sampler=dict(name="dpmpp_2m", steps=20, spacing="karras", guidance=2.0),
            show=dict(every=1000, counts=dict(sample=16, trajectory=0)),
            evaluate=dict(attributes=dict(sample=1000), split="unseen"),
        ),
        frozen=dict(stages=dict(first="runs/first_stage_shapes")),
        smoke=dict(
            steps=4, batch_size=8, condition=dict(text=dict(width=8, layers=1, heads=2, hidden=8)),
            network=dict(width=8, blocks=1, attention_levels=(1,), heads=(2,), groups=4),
            optimizer=dict(warmup_steps=0, decay_steps=0), sampler=dict(steps=4),
            show=dict(every=0), sample=dict(count=16), evaluate=dict(attributes=dict(sample=16)),
        ),
    )  # fmt: skip
    first = load_config(f"{HERE}/first_stage_shapes.py:{'smoke' if variant == 'smoke' else ''}")
    config.data = first.data  # One data set for both stages, however it is overridden.
    if variant != "frozen":
        config.stages.first = first
    return config
