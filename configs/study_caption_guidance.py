"""Study: the weight of guidance by captions, of five models of the shapes world.

paper: Ho & Salimans 2022, Classifier-Free Diffusion Guidance, arXiv 2207.12598; each model's own
command: python launch.py --config=configs/study_caption_guidance.py
  --workdir=runs/study_caption_guidance --mode=study
hardware: one of 2 CPU cores (AMD EPYC), float32
time: not measured yet; sampling of the models of codes about 55 min, beside other runs
metric: sample_right: share of samples for 500 captions of unseen pairs of colour and shape that
  show all that the caption says, by the judge of the shapes world; diversity: 1 - the mean MS-SSIM
  of 150 pairs of samples, each pair for one caption (Odena et al. 2017)
departs: drawn scenes of 32 x 32 (the papers: photographs); weights w of (1 + w) c - w u on logits
  (codes) or predictions (diffusion); `limited` draws no code less likely, given the caption, than a
  tenth of the likeliest (Li et al. 2022), which the papers do not
reference: diversity of pairs of scenes of one caption, which `truth` has in each result.json
measured: latent diffusion, MaskGIT, Paella, Parti and DALL-E, one seed, in parts: share at weight
  0, at the best and at 4 0.758, 0.950, 0.950; 0.362, 0.546, 0.412; 0.620, 0.740, 0.202; 0.704,
  0.810, 0.420; 0.624, 0.758, 0.152; limited, the best and at 4 0.642, 0.642; 0.740, 0.662; 0.904,
  0.888; 0.906, 0.906. Diversity falls with the weight of limited Parti (0.368 to 0.222) and DALL-E
  (0.420 to 0.335), not with latent diffusion's (0.621 to 0.623) and the others'; table in
  docs/text_to_image.md
target: a greater share at some weight than at 0, of each model; of samples that are limited,
  diversity falls as the weight grows
again: the same command in a new workdir; finished runs are not repeated
status: unverified

Each model is trained once, as its recipe says, on configs/first_stage_shapes.py (latent diffusion)
or configs/vqvae_shapes.py, which are trained before: to runs/first_stage_shapes, and to
runs/vqvae_shapes or where --config.stages.codes= says. Entries are named by ten times the weight.
"""

from pathlib import Path

from gm_jax.recipes import load_config, only

HERE = Path(__file__).parent
OF_CODES = ("paella", "maskgit", "dalle", "parti")
WEIGHTS = (0.0, 0.5, 1.0, 2.0, 4.0)
SHARED = ("data", "evaluate", "seed", "show", "stages", "study")  # with the study itself


def own(model, variant, config, **sampler):
    """What differs for a model and its sampler; of its stages those the study does not name."""
    theirs = load_config(f"{HERE}/{model}_shapes.py:{variant or 'frozen'}").to_dict()
    stages = {k: v for k, v in theirs["stages"].items() if v and k not in config.stages}
    entry = {k: v for k, v in theirs.items() if k not in SHARED} | dict(stages=stages)
    return entry | dict(sampler=theirs["sampler"] | sampler)


def get_config(variant=""):
    only(variant, "smoke")  # Those of all models at once.
    few, entries = variant == "smoke", {}
    config = load_config(f"{HERE}/paella_shapes.py:{variant or 'frozen'}")
    for weight in WEIGHTS[:2] if few else WEIGHTS:
        name, guided = f"{10 * weight:02.0f}", dict(guidance=weight)
        for model in OF_CODES:
            entries[f"{model}_{name}"] = own(model, variant, config, plausible=0.0, **guided)
            if weight:
                limited = own(model, variant, config, plausible=0.1, **guided)
                entries[f"{model}_limited_{name}"] = limited
        entries[f"latent_diffusion_{name}"] = own("latent_diffusion", variant, config, **guided)
    config.show = dict(config.show, every=0, counts=dict(sample=16))
    config.evaluate.attributes.sample = 16 if few else 500
    config.evaluate.diversity = 4 if few else 150
    config.study.update(
        entries=entries,
        seeds=(0,),
        measures=("sample_right", "diversity"),
        against="sampler.guidance",
    )
    return config
