"""unCLIP's decoder on the shapes world: pictures of 16 x 16 of CLIP embeddings.

paper: Ramesh et al. 2022, Hierarchical Text-Conditional Image Generation with CLIP Latents,
  arXiv 2204.06125
command: python launch.py --config=configs/unclip_shapes.py --workdir=runs/unclip_shapes
hardware: one of 2 CPU cores (Intel Xeon), float32
time: 45 min at 1.1 rounds a second, the rate on a quiet core (it was interrupted)
metric: share of samples for 1,000 captions of unseen pairs of colour and shape that show all that
  the caption says, by the judge of the shapes world, which reads less of 16 x 16 than of 32 x 32
departs: drawn scenes at half their size (the paper: 64 x 64 of the web's pictures), a U-Net of 32
  to 64 features (3.5 billion parameters), no caption beside the embedding, EDM's preconditioning
  and steps (a cosine schedule of 1,000 with a learned variance), Adam at 1e-3 with a cosine decay
  (1.2e-4)
reference: none on these data
measured: of the split `unseen` 0.366 [0.337, 0.396] by the prior's embeddings, 0.404 [0.374, 0.435]
  by the captions' own (shape 0.425 and 0.484, colour 0.905 and 0.870, size 0.895 and 0.869); of 600
  captions of `test`, whose pairs were trained on, 0.488 [0.449, 0.528] and 0.505 [0.465, 0.545]; of
  one object 0.845 and 0.909. The relation of two is right in 0.52 to 0.54, by chance in 0.5: this
  CLIP's embedding does not say which of two is where, as the paper's (section 7) does not say whose
  a colour is
target: above the same with the caption's embedding in place of the prior's
again: python launch.py --workdir=runs/unclip_shapes --mode=evaluate
status: unverified

CLIP and the prior are configs/unclip_prior_shapes.py, trained first in the same workdir. To take
one that is trained already: --config=configs/unclip_shapes.py:frozen --config.stages.clip=WORKDIR.
The caption's embedding in place of the prior's: --config.sampler.embedding=text.
configs/dalle2_shapes.py enlarges the pictures.
"""

from pathlib import Path

from gm_jax.recipes import load_config, recipe

PRIOR = f"{Path(__file__).parent}/unclip_prior_shapes.py"


def get_config(variant=""):
    config = recipe(
        variant,
        dict(
            system="unclip",
            steps=3000,
            batch_size=64,
            average=0.999,
            factor=2,
            words=4,
            label_dropout=0.1,
            schedule="edm",
            prediction="x0",
            preconditioning="edm",
            weighting=dict(name="edm", sigma_data=0.5),
            network=dict(
                width=32, multipliers=(1, 2), blocks=1, attention=(), attention_levels=(1,),
                heads=(4,), transformer_blocks=1,
            ),
            optimizer=dict(
                name="adam", learning_rate=1e-3, warmup_steps=100, decay_steps=3000,
                clip_norm=1.0,
            ),
            sampler=dict(
                name="heun", steps=18, spacing="karras", clip=False, guidance=1.0,
                embedding="prior", target="a large blue square",
            ),
            show=dict(
                every=1000,
                counts=dict(sample=16, variations=8, blend=8, text_difference=8, trajectory=0),
            ),
            evaluate=dict(attributes=dict(sample=1000), split="unseen"),
        ),
        frozen=dict(stages=dict(clip="runs/unclip_prior_shapes")),
        smoke=dict(
            steps=4, batch_size=16,
            network=dict(width=8, blocks=1, attention_levels=(1,), heads=(2,)),
            optimizer=dict(warmup_steps=0, decay_steps=0), sampler=dict(steps=2, target=""),
            show=dict(every=0, counts=dict(variations=4, blend=0, text_difference=0)),
            sample=dict(count=16), evaluate=dict(attributes=dict(sample=16)),
        ),
    )  # fmt: skip
    prior = load_config(f"{PRIOR}:{'smoke' if variant == 'smoke' else ''}")
    config.data = prior.data  # One data set for all stages, however it is overridden.
    if variant != "frozen":
        config.stages.clip = prior
    return config
