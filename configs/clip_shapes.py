"""CLIP on the shapes world: images and sentences in one space of 64 numbers.

paper: Radford et al. 2021, Learning Transferable Visual Models From Natural Language Supervision,
  arXiv 2103.00020
command: python launch.py --config=configs/clip_shapes.py --workdir=runs/clip_shapes
hardware: not measured yet
time: not measured yet
metric: not yet
departs: not described yet
reference: none on these data
measured: not yet
target: retrieval at 1 among 100 unseen scenes at least 0.9
again: python launch.py --workdir=runs/clip_shapes --mode=evaluate
status: unverified
"""

from gm_jax.recipes import recipe


def get_config(variant=""):
    return recipe(
        variant,
        dict(
            system="clip",
            steps=3000,
            batch_size=128,
            data=dict(name="shapes", captions="words", held_out=("purple circle", "cyan cross")),
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
