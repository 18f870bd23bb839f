"""A classifier of noised digits, to guide configs/ddpm_digits.py.

paper: Dhariwal & Nichol 2021, Diffusion Models Beat GANs on Image Synthesis, arXiv 2105.05233
command: python launch.py --config=configs/classifier_digits.py --workdir=runs/classifier_digits
hardware: 2 CPU cores (AMD EPYC, shared), float32
time: 45 s
metric: share of the 297 test images whose class, without noise, is the most probable one
departs: digits (the paper: ImageNet), three residual levels without attention, 1,000 rounds of 128
reference: none published
measured: 0.993 ± 0.005; without noise log p of the right class is -0.026 ± 0.007
target: above 0.95
again: python launch.py --workdir=runs/classifier_digits --mode=evaluate
status: toy
"""

from gm_jax.recipes import recipe


def get_config(variant=""):
    return recipe(
        variant,
        dict(
            system="classifier",
            steps=1000,
            batch_size=128,
            average=0.99,
            data=dict(name="digits"),
            noised=True,
            schedule="cosine",
            times=1000,
            network=dict(widths=(32, 64), blocks=1, dropout=0.1),
            optimizer=dict(name="adam", learning_rate=1e-3, warmup_steps=50),
            show=dict(counts=dict(sample=0)),
            evaluate=dict(counts=dict(accuracy=0)),
        ),
        smoke=dict(
            steps=4, batch_size=16, network=dict(widths=(8, 8)),
            evaluate=dict(counts=dict(accuracy=32)),
        ),
    )  # fmt: skip
