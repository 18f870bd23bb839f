"""DiT on the digits of scikit-learn, by class.

paper: Peebles & Xie 2023, Scalable Diffusion Models with Transformers, arXiv 2212.09748
command: python launch.py --config=configs/dit_digits.py --workdir=runs/dit_digits
hardware: 2 CPU cores (AMD EPYC, shared), float32
time: 6 min 22 s of training (shared machine)
metric: fd_classifier_digits: Fréchet distance of 750 samples to 750 training images on the 64
  features of a small classifier of the same data (held-out accuracy .97), mean of ten random
  choices of the reals; not FID. Agreement: share of 750 samples that this classifier takes for
  their class
departs: pixels of digits (the paper: latents of ImageNet), four blocks of 96 features on patches of
  2x2 (28 of 1,152), 3,000 rounds of 64 by Adam at 3e-3 (7,000,000 of 256 by AdamW at 1e-4),
  averages of 0.998 (0.9999), a cosine schedule, variances fixed, and 50 steps of the sampler (250)
reference: 4.48, real against real at the same N (mean of ten random splits)
measured: fd 3.45 (0.8 x real against real), agreement .973
target: at most 3 times real against real
again: python launch.py --workdir=runs/dit_digits --mode=evaluate
status: toy
"""

from gm_jax.recipes import recipe


def get_config(variant=""):
    return recipe(
        variant,
        dict(
            system="ddpm",
            steps=3000,
            batch_size=64,
            average=0.998,
            data=dict(name="digits"),
            conditional=True,
            label_dropout=0.1,
            network=dict(name="dit", dit=dict(patch=2, width=96, layers=4, heads=4)),
            optimizer=dict(
                name="adam", learning_rate=3e-3, warmup_steps=100, decay_steps=3000
            ),
            sampler=dict(name="ancestral", steps=50, guidance=0.0),
            show=dict(every=1000, counts=dict(sample=64, trajectory=8)),
            evaluate=dict(score=750, agreement=750),
        ),
        smoke=dict(
            steps=4, batch_size=16, network=dict(dit=dict(width=16, layers=2)),
            sampler=dict(steps=4),
            show=dict(counts=dict(sample=16, trajectory=2)), sample=dict(count=32),
            evaluate=dict(score=32, agreement=32),
        ),
    )  # fmt: skip
