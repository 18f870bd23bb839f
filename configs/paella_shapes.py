"""Two stages on the shapes world: a VQ-VAE, then a Paella over its 64 codes, given the caption.

paper: Rampas, Pernias & Aubreville 2022, A Novel Sampling Scheme for Text- and Image-Conditional
  Image Synthesis in Quantized Latent Spaces, arXiv 2211.07292
command: python launch.py --config=configs/paella_shapes.py --workdir=runs/paella_shapes
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 84 min beside other runs, after 10 min of configs/vqvae_shapes.py
metric: share of 1,000 samples for captions of unseen scenes that show all their caption says, by
  the judge of the shapes world
reference: none on these data; configs/maskgit_shapes.py has the same codes and captions
measured: 0.731 [0.703, 0.758] shown right (captions shuffled 0.049), of one object 0.780, of two
  0.683, in 12 passes; with a guidance of 0, 1 and 2 0.598, 0.604 and 0.343. Of pairs that training
  has (300 of the split `test`; 1,000 without guidance) 0.967, 0.990, 0.980 and 0.750 by guidance of
  0, 0.5, 1 and 2, by which 0.5 was chosen; one seed, as `:frozen`
target: at least the share of configs/maskgit_shapes.py, 0.534, in as many rounds
again: python launch.py --workdir=runs/paella_shapes --mode=evaluate
status: toy
departs: drawn scenes and 8x8 of 256 codes (captioned pictures of the web, 64x64 of 8192 codes), a
  text transformer that is trained along (ByT5-XL and CLIP, frozen), captions dropped by example
  (one coin a batch), the U-Net of diffusion models with full convolutions, one width a level and
  one number of blocks (depthwise convolutions and response norms, 640, 1280 and 1280 features with
  6, 16 and 6 blocks, on patches of 2x2 codes), Adam's rate 1e-3 with a cosine decay (1e-4)

The first stage is configs/vqvae_shapes.py, trained first in the same workdir. To take one that is
trained already: --config=configs/paella_shapes.py:frozen --config.stages.codes=WORKDIR.
`:published` has the widths, codes and optimizer of the authors' large model, for captioned pictures
of one's own; its blocks and its text transformer are ours, 1.05 billion parameters in the U-Net.
The function `vary` noises a picture's codes and draws them again: sampler.variation.
"""

from pathlib import Path

from gm_jax.recipes import load_config, recipe

HERE = Path(__file__).parent


def get_config(variant=""):
    config = recipe(
        variant,
        dict(
            system="paella",
            steps=5000,
            batch_size=64,
            average=0.999,
            condition=dict(name="caption", text=dict(width=96, layers=2, heads=3, hidden=384)),
            condition_dropout=0.05,
            smoothing=0.1,
            discount=0.7,
            network=dict(
                width=64, multipliers=(1, 2), blocks=2, attention=(), attention_levels=(0, 1),
                heads=(4,), transformer_blocks=1, groups=16,
            ),
            optimizer=dict(
                name="adamw", learning_rate=1e-3, warmup_steps=100, decay_steps=5000,
                clip_norm=1.0, weight_decay=0.01,
            ),
            sampler=dict(
                steps=12, renoise_steps=11, temperature=0.7, last_temperature=0.3, guidance=0.5
            ),
            show=dict(every=1000, counts=dict(sample=16, inpaint=8, vary=8)),
            evaluate=dict(attributes=dict(sample=1000), split="unseen"),
        ),
        frozen=dict(stages=dict(codes="runs/vqvae_shapes")),
        published=dict(
            steps=1_500_000, batch_size=2048,
            condition=dict(text=dict(width=1024, layers=12, heads=16, hidden=4096)),
            network=dict(
                width=640, multipliers=(1, 2, 2), blocks=2, attention_levels=(1, 2), heads=(16,),
                groups=32, dropout=0.1,
            ),
            optimizer=dict(learning_rate=1e-4, warmup_steps=10_000, decay_steps=0),
            sampler=dict(guidance=7.0),
        ),
        smoke=dict(
            steps=4, batch_size=16, condition=dict(text=dict(width=8, layers=1, heads=2, hidden=8)),
            network=dict(width=8, blocks=1, attention_levels=(1,), heads=(2,), groups=4),
            optimizer=dict(warmup_steps=0, decay_steps=0), sampler=dict(steps=3, renoise_steps=2),
            show=dict(every=0, counts=dict(inpaint=0, vary=0)), sample=dict(count=32),
            evaluate=dict(attributes=dict(sample=16)),
        ),
    )  # fmt: skip
    codes = load_config(f"{HERE}/vqvae_shapes.py:{'smoke' if variant == 'smoke' else ''}")
    if variant == "published":
        codes.quantizer.count = 8192
    config.data = codes.data  # One data set for both stages, however it is overridden.
    if variant != "frozen":
        config.stages.codes = codes
    return config
