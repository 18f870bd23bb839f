"""CLIP on emoji and their names.

paper: Radford et al. 2021, Learning Transferable Visual Models From Natural Language Supervision,
  arXiv 2103.00020
command: python launch.py --config=configs/clip_emoji.py --workdir=runs/clip_emoji
  --config.data.path=FOLDER
data: as configs/first_stage_emoji.py
hardware: not measured yet
time: not measured yet
metric: of 300 held-out emoji, how often the name of a picture, and the picture of a name, is the
  nearest of all and of each hundred. All skin tones of a name are on one side of the split
departs: not described yet
reference: chance, 0.01 among 100
measured: not yet
target: at 1 of 100 ten times chance
again: python launch.py --workdir=runs/clip_emoji --mode=evaluate
status: unverified
"""

from pathlib import Path

from gm_jax.recipes import derive

BASE = Path(__file__).with_name("clip_shapes.py")


def get_config(variant=""):
    changes = dict(
        steps=1000,
        optimizer=dict(decay_steps=1000),
        data=dict(name="emoji", path="", size=32, flip=True, captions="words"),
        evaluate=dict(counts=dict(similarity=0), retrieval=300, zero_shot=0, prompts=()),
    )
    return derive(f"{BASE}:{variant}", {} if variant == "smoke" else changes)
