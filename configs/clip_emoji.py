"""CLIP on emoji and their names.

paper: Radford et al. 2021, Learning Transferable Visual Models From Natural Language Supervision,
  arXiv 2103.00020
command: python launch.py --config=configs/clip_emoji.py --workdir=runs/clip_emoji
  --config.data.path=FOLDER
data: as configs/first_stage_emoji.py
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 7 min 25 s beside other runs
metric: of 300 held-out emoji, how often the name of a picture, and the picture of a name, is the
  nearest of all and of each hundred. All skin tones of a name are on one side of the split
departs: as configs/clip_shapes.py, with 1,000 rounds and flips
reference: chance, 0.010 of 100, 0.003 of 300
measured: text and picture at 1 of 100 0.523 [0.467, 0.579] and 0.530 [0.474, 0.586], at 5 0.750 and
  0.760; of 300 at 1 0.450 and 0.487. After 200 rounds 0.340 and 0.290
target: at 1 of 100 ten times chance
again: python launch.py --workdir=runs/clip_emoji --mode=evaluate
status: toy
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
