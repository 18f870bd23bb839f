"""Quality and variation of samples by their pixels alone, as Karras et al. 2018 (ProGAN) have it.

The sliced Wasserstein distance of patches at each level of a Laplacian pyramid (section 5), and the
mean multi-scale structural similarity of pairs of samples: near that of real pairs if samples vary
as much. The same of samples that were drawn for one class or caption, as Odena et al. 2017 (AC-GAN,
section 4.2) have it.
"""

import numpy as np

from gm_jax import data
from gm_jax.errors import UserError
from gm_jax.evaluation import sliced
from gm_jax.evaluation.ssim import ms_ssim
from gm_jax.judging.alignment import SEARCHED, meanings_in
from gm_jax.trained import Trained, sample

PAIRS = 250  # compared at once


def variation(trained: Trained, count: int) -> dict[str, dict]:
    """swd_<side>, their mean swd, and msssim, of `count` samples.

    swd is 1,000 times the distance to `count` training images, beside that of these to `count`
    others; msssim the mean over pairs of samples, beside that over pairs of training images. Raises
    UserError if the data has fewer than 2 x count images.
    """
    source = data.open_source(trained.phase.data)
    if source.size is not None and source.size < 2 * count:
        raise UserError(
            f"evaluate.variation is {count}, but {source.name} has {source.size} images: it needs"
            " twice as many real ones as samples"
        )
    rows = np.random.default_rng(1).permutation(source.size or 2 * count)[: 2 * count]
    reals = source.load(np.sort(rows))["image"]
    reals, others = reals[::2], reals[1::2]
    fakes = sample(trained, count)["image"]
    own, true, again = (sliced.patches(images) for images in (fakes, reals, others))
    results = {}
    for side in own:
        results[f"swd_{side}"] = {
            "value": sliced.sliced_wasserstein(own[side], true[side]),
            "real_against_real": sliced.sliced_wasserstein(again[side], true[side]),
        }
    results["swd"] = {
        key: float(np.mean([row[key] for row in results.values()]))
        for key in ("value", "real_against_real")
    }
    results["msssim"] = {"value": similarity(fakes), "truth": similarity(reals)}
    return {name: {**row, "examples": count} for name, row in results.items()}


def diversity(trained: Trained, count: int) -> dict[str, dict]:
    """1 - the mean MS-SSIM of `count` pairs of samples, each pair drawn for one caption or label.

    0 if a sample is decided by what it is given. The captions or labels are those that two examples
    of the split share; `truth` is the same of these examples. Raises UserError if the data has
    neither, or too few such pairs.
    """
    split = trained.config.evaluate.split
    source = data.open_source(trained.phase.data, split)
    name = next((entry for entry in ("caption", "label") if entry in source.spec), None)
    if name is None or "image" not in source.spec:
        raise UserError("evaluate.diversity needs images with captions or labels")
    batch = source.load(_twins(source, name, count).ravel())
    told = batch[name][::2].repeat(2, axis=0)
    made = sample(trained, 2 * count, "sample", split, {name: told})["image"]
    own, truth = (1.0 - similarity(images) for images in (made, batch["image"]))
    return {"diversity": {"value": own, "truth": truth, "examples": 2 * count, "split": split}}


def _twins(source: data.Source, name: str, count: int) -> np.ndarray:
    """The first `count` pairs of examples that say the same, [count, 2]."""
    pairs, waiting = [], {}
    last = SEARCHED * count if source.size is None else source.size
    for index, said in meanings_in(source, name, last):
        if said not in waiting:
            waiting[said] = index
            continue
        pairs.append((waiting.pop(said), index))
        if len(pairs) == count:
            return np.array(pairs)
    raise UserError(
        f"evaluate.diversity is {count}, and {source.name} has {len(pairs)} pairs of one {name} in"
        " this split"
    )


def similarity(images: np.ndarray) -> float:
    """The mean MS-SSIM of images [N, H, W, C] uint8 and their neighbours: 1 if all are equal."""
    pairs = images[: len(images) // 2 * 2].reshape(-1, 2, *images.shape[1:])
    values = [
        np.asarray(ms_ssim(part[:, 0], part[:, 1], shrink=True))
        for part in np.split(pairs, range(PAIRS, len(pairs), PAIRS))
    ]
    return float(np.concatenate(values).mean(dtype=np.float64))
