"""GAN-INT-CLS on emoji: pictures of 32 x 32 of a name, in one pass.

paper: Reed et al. 2016, Generative Adversarial Text to Image Synthesis, arXiv 1605.05396
command: python launch.py --config=configs/gan_cls_emoji.py --workdir=runs/gan_cls_emoji
  --config.data.path=FOLDER
data: as configs/first_stage_emoji.py
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 22 min 41 s beside other runs, after configs/clip_emoji.py
metric: of 300 held-out names, how often the name that a sample was drawn for is the nearest of a
  hundred, by another CLIP than the generator's (configs/clip_emoji.py with seed 1)
departs: as configs/gan_cls_shapes.py, with configs/clip_emoji.py, 4,000 rounds, and flips
reference: chance, 0.01
measured: 0.163 [0.126, 0.209], emoji themselves 0.473. A person recognises none: colours and
  outlines go with the name, but names share a few pictures, and D wins (its loss is 0.28, G's 2.6)
target: ten times chance; a person recognises some
again: python launch.py --workdir=runs/gan_cls_emoji --mode=evaluate
  --config.evaluate.clip=runs/clip_emoji_1 --config.evaluate.r_precision=300
status: unverified

`:frozen` builds on the CLIP in runs/clip_emoji.
"""

from pathlib import Path

from gm_jax.recipes import load_config, recipe

HERE = Path(__file__).parent
BASE = f"{HERE}/gan_cls_shapes.py"


def get_config(variant=""):
    steps = 4000
    rates = dict(optimizer=dict(hold_steps=steps // 2, decay_steps=steps))
    config = recipe(
        variant,
        load_config(BASE).to_dict(),
        dict(
            steps=steps, generator=rates, discriminator=rates,
            evaluate=dict(attributes=dict(sample=0), split="test"),
        ),
        frozen=dict(stages=dict(clip="runs/clip_emoji")),
        smoke=load_config(f"{BASE}:smoke").to_dict(),
    )  # fmt: skip
    clip = load_config(f"{HERE}/clip_emoji.py:{'smoke' if variant == 'smoke' else ''}")
    config.data = clip.data  # One vocabulary for both stages, however it is overridden.
    if variant != "frozen":
        config.stages.clip = clip
    return config
