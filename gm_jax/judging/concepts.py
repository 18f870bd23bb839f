"""Arithmetic with latents that share a meaning (Radford, Metz & Chintala 2016, section 6.3.2).

A concept is the mean of three latents whose samples show it; a - b + c of concepts keeps what a has
beyond b and adds c. Samples nearby come from noise of U(-.25, .25) on every entry. What a sample
shows is, here, what a classifier of the same data says.
"""

import numpy as np

from gm_jax.errors import UserError
from gm_jax.judging import recognition
from gm_jax.trained import Trained, sample

MEMBERS, SPREAD = 3, 0.25


def concept(latents: np.ndarray) -> np.ndarray:
    """The mean of latents [..., members, D] that share a meaning, [..., D]."""
    return latents.mean(axis=-2)


def combined(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """a - b + c of concepts [..., D]: a smiling woman without a woman, but with a man."""
    return a - b + c


def nearby(latent: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """A latent [D] and `count` others around it, [1 + count, D]."""
    noise = np.random.default_rng(seed).uniform(-SPREAD, SPREAD, (count, len(latent)))
    return np.concatenate([latent[None], latent + noise]).astype(latent.dtype)


def arithmetic(trained: Trained, count: int) -> dict[str, dict]:
    """Whether concepts survive arithmetic, of `count` latents.

    concept_kept     how often the mean of three latents of one class makes an image of that class;
                     beside it, by chance, the mean of three of any class one of the first's
    arithmetic_kept  how often a - b + c, a and b of one class and c of another, makes one of c's
    Raises UserError if the model does not generate from latents, or shows one class alone.
    """
    if "generate" not in trained.functions:
        raise UserError("evaluate.arithmetic needs a generator of latents, such as a GAN's")
    classifier = recognition.classifier_of(trained.phase.data)
    drawn = sample(trained, count, "draw")
    latents, shown = drawn["latent"], classifier.predict(drawn["image"])

    def kept(latents, wanted):
        """Whether the image of each latent is of the wanted class."""
        given = {"latent": latents.astype(np.float32)}
        images = sample(trained, len(latents), "generate", given=given)["image"]
        return classifier.predict(images) == wanted

    def threes(rows):
        return rows[: len(rows) // MEMBERS * MEMBERS].reshape(-1, MEMBERS)

    means = {c: concept(latents[threes(np.flatnonzero(shown == c))]) for c in np.unique(shown)}
    means = {c: mean for c, mean in means.items() if len(mean) >= 2}
    if len(means) < 2:
        raise UserError(
            f"evaluate.arithmetic is {count}: too few samples of two classes for two concepts each"
        )
    any_three = threes(np.arange(count))
    row = recognition.share(
        kept(
            np.concatenate(list(means.values())), np.repeat([*means], [*map(len, means.values())])
        ),
        classifier.accuracy,
    )
    row["chance"] = float(np.mean(kept(concept(latents[any_three]), shown[any_three[:, 0]])))
    parts, wanted = [], []
    for own, other in zip(means, np.roll([*means], -1), strict=True):
        n = min(len(means[own]) // 2, len(means[other]))
        parts.append(combined(means[own][:n], means[own][n : 2 * n], means[other][:n]))
        wanted += [other] * n
    hits = kept(np.concatenate(parts), np.array(wanted))
    return {"concept_kept": row, "arithmetic_kept": recognition.share(hits, classifier.accuracy)}
