"""StyleGAN2-ADA: the authors' network pickles, sampled as they are.

paper: Karras, Laine, Aittala, Hellsten, Lehtinen & Aila 2020, Analyzing and Improving the Image
  Quality of StyleGAN, arXiv 1912.04958; Karras et al. 2020, Training Generative Adversarial
  Networks with Limited Data, arXiv 2006.06676
command: python launch.py --config=configs/stylegan2.py --workdir=runs/stylegan2 --mode=sample
  --config.weights=FILE.pkl --config.sampler.psi=0.7
hardware: 2 CPU cores (AMD EPYC, shared), float32
time: not measured: no published file was at hand
metric: equality with what the authors' modules computed at weights that a formula gives
reference: the outputs of the authors' modules
measured: equal within 1e-10 of the largest value in float64
target: images equal to the reference's
again: python -m pytest tests/test_stylegan2.py tests/test_stylegan2_published.py
departs: in nothing that is known; the authors' half precision is not used
status: unverified

FILE is a network pickle of stylegan2-ada-pytorch; the source text in it is not run. Sizes, labels
and the constant noise are the file's. sampler.label chooses a class, sampler.noise=const the noise
that the authors' generate.py takes.
"""

from gm_jax.recipes import recipe


def get_config(variant=""):
    return recipe(
        variant,
        dict(
            system="stylegan2",
            steps=0,
            batch_size=1,
            data=dict(name="none"),
            sampler=dict(psi=1.0, noise="const"),
            show=dict(every=0, counts=dict(sample=8)),
            sample=dict(count=8),
            evaluate=dict(batch_size=8),
        ),
        smoke=dict(show=dict(counts=dict(sample=1)), sample=dict(count=1)),
    )
