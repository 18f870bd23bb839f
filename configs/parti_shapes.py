"""Two stages on the shapes world: a VQ-VAE, then a Parti over its 64 codes, given the caption.

paper: Yu et al. 2022, Scaling Autoregressive Models for Content-Rich Text-to-Image Generation,
  arXiv 2206.10789
command: python launch.py --config=configs/parti_shapes.py --workdir=runs/parti_shapes
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 34 min beside other runs, after 10 min of configs/vqvae_shapes.py
metric: share of samples for 1,000 captions of unseen pairs of colour and shape that show all that
  the caption says, by the judge of the shapes world
departs: drawn scenes, captions of words and 8 x 8 of 256 codes of a VQ-VAE (the paper: pictures of
  the web, 32 x 32 of 8,192 codes of a ViT-VQGAN), an encoder of 3 and a decoder of 5 layers of 96
  features, both trained here (16 and 64 of 4,096, the encoder trained before on texts), attention
  to all earlier codes (to those near), AdamW at 1e-3 with a cosine decay (Adafactor)
reference: none on these data; configs/dalle_shapes.py has the same codes and captions
measured: 0.836 [0.812, 0.858] shown right (captions shuffled 0.059), of one object 0.831, of two
  0.841; 1.165 ± 0.009 nats a code; one seed, as `:frozen`. With 5,000 steps in place of 10,000, on
  another first stage of the same recipe, 0.785 and 1.280. Best of 8 by configs/clip_shapes.py:
  0.934 [0.917, 0.948], of one object 0.964, of two 0.905
target: at least 0.70 of captions of one object, 0.30 of those of two shown right
again: python launch.py --workdir=runs/parti_shapes --mode=evaluate
status: toy

The first stage is configs/vqvae_shapes.py, trained first in the same workdir. To take one that is
trained already: --config=configs/parti_shapes.py:frozen --config.stages.codes=WORKDIR; the paper's
own kind, a ViT-VQGAN, is configs/vit_vqgan_shapes.py, as many codes of the same pictures. With a
CLIP, --config.stages.clip=WORKDIR of configs/clip_shapes.py, then or later,
--config.sampler.best_of=16 shows the best of sixteen. `:published` has the paper's largest network,
for captioned pictures and codes of one's own.
"""

from pathlib import Path

from gm_jax.recipes import load_config, recipe

HERE = Path(__file__).parent


def get_config(variant=""):
    config = recipe(
        variant,
        dict(
            system="parti",
            steps=10_000,
            batch_size=32,
            average=0.999,
            condition=dict(
                name="caption", text=dict(width=96, layers=3, heads=3, hidden=384, causal=False)
            ),
            condition_dropout=0.1,
            smoothing=0.0,
            network=dict(width=96, layers=5, heads=3, dropout=0.1),
            optimizer=dict(
                name="adamw", learning_rate=1e-3, b2=0.96, weight_decay=0.045, warmup_steps=100,
                decay_steps=10_000,
            ),
            sampler=dict(guidance=1.0, temperature=1.0, best_of=1),
            show=dict(every=1000, counts=dict(sample=16)),
            evaluate=dict(
                counts=dict(likelihood=1000), attributes=dict(sample=1000), split="unseen"
            ),
        ),
        frozen=dict(stages=dict(codes="runs/vqvae_shapes")),
        published=dict(
            steps=450_000, batch_size=8192,
            data=dict(name="folder", size=256, captions="words", caption_length=128),
            condition=dict(text=dict(width=4096, layers=16, heads=64, hidden=16_384)),
            network=dict(width=4096, layers=64, heads=64, dropout=0.1),
            optimizer=dict(learning_rate=4.5e-5, warmup_steps=10_000, decay_steps=0),
            sampler=dict(guidance=0.2), evaluate=dict(attributes=dict(sample=0), split="test"),
        ),
        smoke=dict(
            steps=4, batch_size=16, condition=dict(text=dict(width=8, layers=1, heads=2, hidden=8)),
            network=dict(width=8, layers=2, heads=2),
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
