"""CLIP on the shapes world: images and sentences in one space of 64 numbers.

paper: Radford et al. 2021, Learning Transferable Visual Models From Natural Language Supervision,
  arXiv 2103.00020
command: python launch.py --config=configs/clip_shapes.py --workdir=runs/clip_shapes
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 21 min, shared with another run
metric: of 1,000 held-out scenes that mean different things: how often the text of a picture, and
  the picture of a text, is the nearest of all and of each hundred; zero-shot: share of 1,000
  pictures of one object whose colour and shape are found among all 24 pairs
departs: towers of 0.6 million parameters and pictures of 32 pixels (the paper: 151 million and up,
  224), words for byte pairs, batches of 128 (32,768), Adam at 1e-3 with a decay of 0.1 (5e-4, 0.2)
reference: none on these data
measured: text and picture at 1 of 100 0.977 and 0.974, of 1,000 0.785 and 0.784 (at 5 both 1.000);
  zero-shot 0.991 [0.983, 0.995]. Of pairs of colour and shape that training never has
  (--config.evaluate.split=unseen --config.evaluate.retrieval=600): at 1 of 100 0.873 and 0.852,
  zero-shot 0.883 [0.862, 0.902]
target: retrieval at 1 among 100 at least 0.90, among 1,000 at least 0.75; zero-shot at least 0.85
again: python launch.py --workdir=runs/clip_shapes --mode=evaluate
status: toy
"""

from gm_jax.recipes import recipe


def get_config(variant=""):
    return recipe(
        variant,
        dict(
            system="clip",
            steps=3000,
            batch_size=128,
            data=dict(name="shapes", captions="words"),
            embedding=64,
            image=dict(vit=dict(patch=8, width=96, layers=3, heads=3, hidden=384)),
            text=dict(width=96, layers=2, heads=3, hidden=384),
            optimizer=dict(
                name="adamw", learning_rate=1e-3, warmup_steps=100, decay_steps=3000, b2=0.98,
                eps=1e-6, weight_decay=0.1,
            ),
            show=dict(every=0, counts=dict(sample=0)),
            evaluate=dict(
                counts=dict(similarity=2000), retrieval=1000, zero_shot=1000,
                prompts=("a small {}", "a large {}"),
            ),
        ),
        smoke=dict(
            steps=4, batch_size=16, embedding=8,
            image=dict(vit=dict(width=16, layers=1, heads=2, hidden=32)),
            text=dict(width=16, layers=1, heads=2, hidden=32),
            optimizer=dict(warmup_steps=0, decay_steps=0),
            evaluate=dict(counts=dict(similarity=16), retrieval=16, zero_shot=16),
        ),
    )  # fmt: skip
