"""unCLIP's prior on the shapes world: CLIP embeddings of images, drawn for captions.

paper: Ramesh et al. 2022, Hierarchical Text-Conditional Image Generation with CLIP Latents,
  arXiv 2204.06125
command: python launch.py --config=configs/unclip_prior_shapes.py --workdir=runs/unclip_prior_shapes
hardware: one of 2 CPU cores (Intel Xeon), float32
time: 21 min beside other runs, after configs/clip_shapes.py
metric: of 1,000 scenes of unseen pairs of colour and shape, the cosine of the embedding that is
  drawn for the caption with the image's own, and of the caption's embedding with it
departs: drawn scenes, embeddings of 64 numbers by configs/clip_shapes.py (1,024 by a ViT-H/16), a
  transformer of 4 layers of 128 features (24 of 2,048), its own transformer of words (CLIP's), Adam
  at 1e-3 with a cosine decay (1.1e-4)
reference: none on these data
measured: 0.936 ± 0.0015 of what is drawn, the better of two, 0.900 ± 0.0014 of the captions' own
target: drawn embeddings nearer to the images' than the captions' are
again: python launch.py --workdir=runs/unclip_prior_shapes --mode=evaluate
status: toy

CLIP is configs/clip_shapes.py, trained first in the same workdir. To take one that is trained
already: --config=configs/unclip_prior_shapes.py:frozen --config.stages.clip=WORKDIR. `:published`
has the paper's transformer, about a billion parameters, for captioned pictures of one's own.
"""

from pathlib import Path

from gm_jax.recipes import load_config, recipe

CLIP = f"{Path(__file__).parent}/clip_shapes.py"


def get_config(variant=""):
    config = recipe(
        variant,
        dict(
            system="unclip_prior",
            steps=2500,
            batch_size=128,
            average=0.999,
            label_dropout=0.1,
            schedule="cosine",
            times=1000,
            prediction="x0",
            text=dict(width=96, layers=2, heads=3, hidden=384),
            network=dict(width=128, layers=4, heads=4),
            optimizer=dict(
                name="adam", learning_rate=1e-3, b2=0.96, warmup_steps=100, decay_steps=2500,
                clip_norm=1.0,
            ),
            sampler=dict(
                name="ancestral", steps=64, variance="small", clip=False, guidance=0.0, best_of=2
            ),
            show=dict(every=0, counts=dict(sample=0)),
            evaluate=dict(counts=dict(closeness=1000), split="unseen"),
        ),
        frozen=dict(stages=dict(clip="runs/clip_shapes")),
        published=dict(
            steps=600_000, batch_size=4096,
            text=dict(width=1024, layers=24, heads=16, hidden=4096),
            network=dict(width=2048, layers=24, heads=32),
            optimizer=dict(name="adamw", learning_rate=1.1e-4, weight_decay=6e-2, decay_steps=0),
            evaluate=dict(split="test"),
        ),
        smoke=dict(
            steps=4, batch_size=16, text=dict(width=8, layers=1, heads=2, hidden=8),
            network=dict(width=8, layers=1, heads=2),
            optimizer=dict(warmup_steps=0, decay_steps=0), sampler=dict(steps=2),
            sample=dict(count=16), evaluate=dict(counts=dict(closeness=16)),
        ),
    )  # fmt: skip
    clip = load_config(f"{CLIP}:{'smoke' if variant == 'smoke' else ''}")
    config.data = clip.data  # One data set for both stages, however it is overridden.
    if variant == "published":
        config.data.update(name="folder", size=64, held_out=())
    if variant != "frozen":
        config.stages.clip = clip
    return config
