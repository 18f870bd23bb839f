"""Latent diffusion on emoji of 64 x 64, by caption: both stages by one command.

paper: Rombach et al. 2022, High-Resolution Image Synthesis with Latent Diffusion Models,
  arXiv 2112.10752
command: python launch.py --config=configs/latent_diffusion_emoji.py
  --workdir=runs/latent_diffusion_emoji --config.data.path=FOLDER
data: as configs/first_stage_emoji.py
hardware: not measured yet
time: not measured yet
metric: not yet
departs: not described yet
reference: not yet
measured: not yet
target: a person recognises samples of captions
again: python launch.py --workdir=runs/latent_diffusion_emoji --mode=evaluate
status: unverified

`:frozen` builds on the first stage in runs/first_stage_emoji, `:label` knows the group of the emoji
in place of the caption.
"""

from pathlib import Path

from gm_jax.recipes import load_config, recipe

HERE = Path(__file__).parent


def get_config(variant=""):
    config = recipe(
        variant,
        dict(
            system="latent_diffusion",
            steps=15_000,
            batch_size=32,
            average=0.999,
            condition=dict(
                name="caption", text=dict(width=128, layers=2, heads=4, hidden=512)
            ),
            label_dropout=0.1,
            schedule="scaled_linear",
            times=1000,
            prediction="v",
            network=dict(
                width=64, multipliers=(1, 2), blocks=1, attention_levels=(0, 1), heads=(4,),
                transformer_blocks=1, groups=16,
            ),
            optimizer=dict(name="adam", learning_rate=1e-3, warmup_steps=200, decay_steps=15_000),
            sampler=dict(name="dpmpp_2m", steps=20, spacing="karras", guidance=1.0),
            show=dict(every=5000, counts=dict(sample=64, trajectory=8)),
            evaluate=dict(counts=dict(distortion=0), batch_size=64),
        ),
        frozen=dict(stages=dict(first="runs/first_stage_emoji")),
        label=dict(
            condition=dict(name="label"), network=dict(transformer_blocks=0, attention=(16, 8))
        ),
        smoke=dict(
            steps=4, batch_size=8, condition=dict(name="label"),
            network=dict(
                width=8, attention_levels=(), attention=(), heads=(1,), groups=4,
                transformer_blocks=0,
            ),
            sampler=dict(steps=4), show=dict(counts=dict(sample=8, trajectory=2)),
            sample=dict(count=8), evaluate=dict(counts=dict(distortion=16)),
        ),
    )  # fmt: skip
    first = load_config(f"{HERE}/first_stage_emoji.py:{'smoke' if variant == 'smoke' else ''}")
    config.data = first.data  # One data set for both stages, however it is overridden.
    config.data.captions = "" if variant in ("smoke", "label") else "words"
    if variant != "frozen":
        config.stages.first = first
    return config
