"""unCLIP's autoregressive prior on the shapes world: embeddings of images, code after code.

paper: Ramesh et al. 2022, Hierarchical Text-Conditional Image Generation with CLIP Latents,
  arXiv 2204.06125
command: python launch.py --config=configs/unclip_causal_prior_shapes.py
  --workdir=runs/unclip_causal_prior_shapes
hardware: not measured yet
time: not measured yet
metric: of 1,000 scenes of unseen pairs of colour and shape, the cosine of the embedding that is
  drawn for the caption with the image's own, and of the caption's embedding with it
departs: drawn scenes, all 64 components of embeddings by configs/clip_shapes.py in 128 buckets (319
  of 1,024 in 1,024), words, the text's embedding and its nearness read by cross-attention (put
  before the codes), a transformer of 4 layers of 128 features (24 of 2,048), Adam at 1e-3 with a
  cosine decay (1.6e-4)
reference: none on these data; configs/unclip_prior_shapes.py has the same embeddings
measured: not yet
target: drawn embeddings nearer to the images' than the captions' are
again: python launch.py --workdir=runs/unclip_causal_prior_shapes --mode=evaluate
status: unverified

CLIP is configs/clip_shapes.py, trained first in the same workdir. To take one that is trained
already: --config=configs/unclip_causal_prior_shapes.py:frozen --config.stages.clip=WORKDIR. The
decoder, configs/unclip_shapes.py, takes it as it takes the diffusion prior:
--config.stages.prior=WORKDIR. `:published` has the paper's transformer, about a billion parameters,
for captioned pictures of one's own; its CLIP has the paper's number of components, and is small.
"""

from pathlib import Path

from gm_jax.recipes import load_config, recipe

CLIP = f"{Path(__file__).parent}/clip_shapes.py"


def get_config(variant=""):
    config = recipe(
        variant,
        dict(
            system="unclip_causal_prior",
            counting=400,
            steps=2500,
            batch_size=128,
            average=0.999,
            components=64,
            buckets=128,
            condition_dropout=0.1,
            text=dict(width=96, layers=2, heads=3, hidden=384),
            network=dict(width=128, layers=4, heads=4),
            optimizer=dict(
                name="adam", learning_rate=1e-3, b2=0.96, warmup_steps=100, decay_steps=2500,
                clip_norm=1.0,
            ),
            sampler=dict(temperature=1.0, guidance=0.0, best_of=1),
            show=dict(every=0, counts=dict(sample=0)),
            evaluate=dict(counts=dict(closeness=1000, likelihood=1000), split="unseen"),
        ),
        frozen=dict(stages=dict(clip="runs/clip_shapes")),
        published=dict(
            counting=1000, steps=1_000_000, batch_size=4096, components=319, buckets=1024,
            text=dict(width=1024, layers=24, heads=16, hidden=4096),
            network=dict(width=2048, layers=24, heads=32),
            optimizer=dict(name="adamw", learning_rate=1.6e-4, weight_decay=6e-2, decay_steps=0),
            evaluate=dict(split="test"),
        ),
        smoke=dict(
            counting=2, steps=4, batch_size=16, text=dict(width=8, layers=1, heads=2, hidden=8),
            components=4, buckets=8, network=dict(width=8, layers=1, heads=2),
            optimizer=dict(warmup_steps=0, decay_steps=0),
            sample=dict(count=16), evaluate=dict(counts=dict(closeness=16, likelihood=16)),
        ),
    )  # fmt: skip
    clip = load_config(f"{CLIP}:{'smoke' if variant == 'smoke' else ''}")
    config.data = clip.data  # One data set for both stages, however it is overridden.
    if variant == "published":
        config.data.update(name="folder", size=64, held_out=())
        clip.embedding = 1024
    if variant != "frozen":
        config.stages.clip = clip
    return config
