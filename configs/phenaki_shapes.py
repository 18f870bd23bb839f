"""Two stages on films of the shapes world: a C-ViViT, then Phenaki given the caption.

paper: Villegas et al. 2022, Phenaki: Variable Length Video Generation from Open Domain Textual
  Descriptions, arXiv 2210.02399
command: python launch.py --config=configs/phenaki_shapes.py --workdir=runs/phenaki_shapes
hardware: one of 2 CPU cores (Intel Xeon), float32
time: not measured yet
metric: share of 500 samples for captions of the split `test` that show all their caption says, by
  the judge of the shapes world; share that moves as it says; share that shows one object of one
  colour and shape in all frames; the same of each part of 200 stories of two prompts
departs: captions, read by a transformer that is trained along (frozen T5); a transformer of 4
  layers of 128 features over 3x8x8 codes (24 layers over 6x16x16); films alone (one example in five
  an image, as a film of one frame); guidance 2 at all steps; no critic of tokens
reference: none on these data
measured: not yet
target: at least 0.85 move as the caption says, and 0.95 keep colour and shape; both parts of a
  story move as their prompts say
again: python launch.py --workdir=runs/phenaki_shapes --mode=evaluate
status: unverified

The first stage is configs/cvivit_shapes.py, trained first in the same workdir. To take one that is
trained already: --config=configs/phenaki_shapes.py:frozen --config.stages.codes=WORKDIR.

A story is a film of several prompts: --mode=sample --config.show.counts.story=8, and
--config.sampler.prompts="('a small red cross moving right', 'a small red cross moving left')". Each
goes on from the last `sampler.keep` frames. One frame says where the object is and not how it
moves; with five, which show the old motion, no film of training shows another after it.
"""

from pathlib import Path

from gm_jax.recipes import load_config, recipe

HERE = Path(__file__).parent


def get_config(variant=""):
    config = recipe(
        variant,
        dict(
            system="phenaki",
            steps=1800,
            batch_size=32,
            average=0.999,
            condition=dict(name="caption", text=dict(width=96, layers=2, heads=3, hidden=384)),
            condition_dropout=0.1,
            least=0.5,
            smoothing=0.1,
            network=dict(width=128, layers=4, heads=4, hidden=512, dropout=0.0),
            optimizer=dict(
                name="adamw", learning_rate=1e-3, b2=0.96, weight_decay=0.045, warmup_steps=100,
                decay_steps=1800,
            ),
            sampler=dict(
                steps=12, temperature=4.5, guidance=2.0, keep=1,
                prompts=("a small red cross moving right", "a small red cross moving left"),
            ),
            show=dict(every=1000, counts=dict(sample=8, inpaint=4, story=4)),
            evaluate=dict(attributes=dict(sample=500), stories=200, split="test"),
        ),
        frozen=dict(stages=dict(codes="runs/cvivit_shapes")),
        smoke=dict(
            steps=4, batch_size=16, condition=dict(text=dict(width=8, layers=1, heads=2, hidden=8)),
            network=dict(width=8, layers=1, heads=2, hidden=8),
            optimizer=dict(warmup_steps=0, decay_steps=0), sampler=dict(steps=3),
            show=dict(every=0, counts=dict(inpaint=0, story=0)), sample=dict(count=32),
            evaluate=dict(attributes=dict(sample=16), stories=16),
        ),
    )  # fmt: skip
    codes = load_config(f"{HERE}/cvivit_shapes.py:{'smoke' if variant == 'smoke' else ''}")
    config.data = codes.data  # One data set for both stages, however it is overridden.
    if variant != "frozen":
        config.stages.codes = codes
    return config
