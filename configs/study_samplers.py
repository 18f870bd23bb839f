"""Study: every sampler on one model of the digits, score against evaluations of the network.

paper: Karras, Aittala, Aila & Laine 2022, Elucidating the Design Space of Diffusion-Based
  Generative Models, arXiv 2206.00364 (score against evaluations); the paper of each sampler, in
  gm_jax/diffusion/shared/samplers.py and multistep.py
command: python launch.py --config=configs/study_samplers.py --workdir=runs/study_samplers
  --mode=study
hardware: one of 2 CPU cores (AMD EPYC, shared), float32
time: 26 min for the last 56 of the first seed's 59 entries, without the training, beside other runs
metric: fd_classifier_digits: Fréchet distance of 750 samples to 750 training images on the 64
  features of a small classifier of the same data, mean of ten random choices of the reals; not FID.
  `evaluations` is what the model reports of its sampler; every seed, mean and deviation
departs: digits (the papers: CIFAR-10 and larger images). One grid for all, Karras et al.'s, where
  most papers choose one for their sampler; no churn
reference: 4.48, real against real at the same N (mean of ten random splits)
measured: one seed (of three): after 10 evaluations DPM-Solver++(2M) 6.53 (1.5 x real against real),
  UniPC 6.62, DPM-Solver++(2M) SDE 7.28, PLMS 7.84, LMS 11.4, Heun 15.0, DDIM 21.1, ancestral 105;
  after 50 all between 5.9 and 7.1 but ancestral's 10.8; table in docs/diffusion.md
target: some sampler at most 2 times real against real within 10 evaluations
again: the same command in a new workdir; finished runs are not repeated
status: toy

The model is that of configs/edm_digits.py: it has learned every noise level, also those between the
grid's that heun, dpm_2 and pndm evaluate, and its noise ends at sigma / alpha = 80, from where few
steps reach the data; the cosine table of configs/ddpm_digits.py ends at 4,096. It is trained once
a seed, since entries differ only in the sampler. `ancestral` has the variance beta_t here; with
beta~_t it is `euler_ancestral`. `euler` without churn is `ddim`. Entries are named by about how
many evaluations they take. `:quick` is four samplers, one seed.
"""

from pathlib import Path

from gm_jax.recipes import derive

ONE = ("ddim", "euler", "lms", "dpmpp_2m", "dpmpp_3m", "unipc")
TWO = ("heun", "dpm_2")
NOISY = ("ancestral", "euler_ancestral", "dpmpp_2m_sde", "dpmpp_2s_ancestral")
# Steps that take about so many evaluations; one a step if nothing is said.
STEPS = {
    **dict.fromkeys((*TWO, "dpmpp_2s_ancestral"), lambda count: (count + 1) // 2),
    "plms": lambda count: count - 1,
    "pndm": lambda count: count - 9,
}
COUNTS = {
    **dict.fromkeys((*ONE, *TWO, "plms"), (5, 10, 20, 50)),
    **dict.fromkeys(NOISY, (5, 10, 20, 50, 100)),
    "pndm": (13, 20, 50),
}


def entry(name, count):
    steps = STEPS.get(name, lambda count: count)(count)
    return dict(sampler=dict(name=name, steps=steps, variance="large"))


def get_config(variant=""):
    few = variant in ("quick", "smoke")
    names = ("ddim", "heun", "dpmpp_2m", "ancestral") if few else COUNTS
    entries = {
        f"{name}_{count:03d}": entry(name, count)
        for name in names
        for count in COUNTS[name]
        if count < 50 or not few
    }
    changes = dict(
        show=dict(every=0),
        evaluate=dict(counts=dict(evaluations=2)),
        study=dict(
            entries=entries,
            seeds=(0,) if few else (0, 1, 2),
            measures=("fd_classifier_digits", "evaluations"),
            against="evaluations",
        ),
    )
    base = f"edm_digits.py:{variant}".replace(":quick", "")
    return derive(Path(__file__).with_name(base), changes)
