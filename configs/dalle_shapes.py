"""DALL-E on the shapes world: a VQ-VAE, then one transformer over a caption and its 64 codes.

paper: Ramesh et al. 2021, Zero-Shot Text-to-Image Generation, arXiv 2102.12092
command: python launch.py --config=configs/dalle_shapes.py --workdir=runs/dalle_shapes
hardware: one of 2 CPU cores (AMD EPYC), float32
time: about 55 min at 1.6 steps a second beside other runs (it was interrupted), after 10 min of
  configs/vqvae_shapes.py
metric: share of samples for 1,000 captions of unseen pairs of colour and shape that show all that
  the caption says, by the judge of the shapes world
departs: drawn scenes, captions of words and 8 x 8 of 256 codes of a VQ-VAE (the paper: 250 million
  pictures, byte pairs, 32 x 32 of 8,192 codes of a dVAE), a transformer of 6 layers of 128 features
  (64 of 3,968), 5,000 steps of 64 at 1e-3 with a cosine decay (430,000 of 1,024 at 4.5e-4), no
  dropout, as no picture is seen twice (0.1), texts dropped for guidance, which count as empty ones
  (never)
reference: none on these data
measured: 0.738 [0.710, 0.764] shown right (captions shuffled 0.051; the first stage's bound 0.967),
  of one object 0.776, of two 0.700; shape 0.776, size 0.903, colour 0.885, relation 0.923; 1.119
  nats a code. Of 500 captions: best of 8 by configs/clip_shapes.py 0.916 [0.888, 0.937], of one
  object 0.975, of two 0.860; one of each 0.758 [0.719, 0.794]. An earlier run: 0.715, best of 8
  0.876. Limited (sampler.plausible=0.1) 0.906, the best of four weights on these same captions:
  docs/text_to_image.md
target: at least 0.70 of captions of one object, 0.30 of those of two shown right; best of 8 by CLIP
  better by more than its error
again: python launch.py --workdir=runs/dalle_shapes --mode=evaluate
status: toy

The first stage is configs/vqvae_shapes.py, trained first in the same workdir. To take one that is
trained already: --config=configs/dalle_shapes.py:frozen --config.stages.codes=WORKDIR. With a CLIP,
--config.stages.clip=WORKDIR of configs/clip_shapes.py, then or later, --config.sampler.best_of=8
shows the best of eight. `:published` has the paper's network, for captioned pictures and codes of
one's own.
"""

from pathlib import Path

from gm_jax.recipes import load_config, recipe

HERE = Path(__file__).parent


def get_config(variant=""):
    config = recipe(
        variant,
        dict(
            system="dalle",
            steps=5000,
            batch_size=64,
            average=0.999,
            image_weight=7.0,
            condition_dropout=0.1,
            network=dict(width=128, layers=6, heads=4, attention=(), kernel=11),
            optimizer=dict(
                name="adamw", learning_rate=1e-3, b2=0.96, weight_decay=0.045, warmup_steps=100,
                decay_steps=5000,
            ),
            sampler=dict(guidance=1.0, temperature=1.0, best_of=1),
            show=dict(every=1000, counts=dict(sample=16)),
            evaluate=dict(
                counts=dict(likelihood=1000), attributes=dict(sample=1000), split="unseen"
            ),
        ),
        frozen=dict(stages=dict(codes="runs/vqvae_shapes")),
        published=dict(
            steps=430_000, batch_size=1024, 
            data=dict(name="folder", size=256, captions="words", caption_length=256),
            condition_dropout=0.0,
            network=dict(width=3968, layers=64, heads=62, dropout=0.1),
            optimizer=dict(learning_rate=4.5e-4, warmup_steps=5000, decay_steps=0),
            sampler=dict(guidance=0.0), evaluate=dict(attributes=dict(sample=0), split="test"),
        ),
        smoke=dict(
            steps=4, batch_size=16, network=dict(width=8, layers=2, heads=2, kernel=3),
            optimizer=dict(warmup_steps=0, decay_steps=0), show=dict(every=0),
            sample=dict(count=16),
            evaluate=dict(counts=dict(likelihood=16), attributes=dict(sample=16)),
        ),
    )  # fmt: skip
    codes = load_config(f"{HERE}/vqvae_shapes.py:{'smoke' if variant == 'smoke' else ''}")
    if variant == "published":
        codes.data = config.data
        codes.quantizer.count, codes.network.widths = 8192, (64, 128, 256)
        codes.evaluate.update(split="test", attributes=dict(reconstruct=0))
    config.data = codes.data  # One data set for both stages, however it is overridden.
    if variant != "frozen":
        config.stages.codes = codes
    return config
