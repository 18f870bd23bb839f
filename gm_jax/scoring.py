"""A trained model evaluated: its functions over a split, and its samples against the data."""

import json
from pathlib import Path

import jax
import numpy as np

from gm_jax import data, evaluation, files
from gm_jax.cache import cache_directory
from gm_jax.errors import UserError, choose
from gm_jax.evaluation import lpips, metrics
from gm_jax.evaluation.image_sets import Images, of_source
from gm_jax.evaluation.passes import pass_over
from gm_jax.judging import (
    alignment,
    codes,
    concepts,
    continuations,
    features,
    films,
    partition,
    recognition,
    styles,
    translations,
    variation,
)  # fmt: skip
from gm_jax.model import field_of
from gm_jax.trained import Trained, apply, sample
from gm_jax.workdir import writable

DRAWS = 10  # random choices of real images that a score is averaged over


def evaluate(trained: Trained, workdir: str | Path) -> dict[str, dict]:
    """Everything that the recipe's `evaluate` names; also written to `workdir/evaluation.json`.

    counts   {function: examples}: the mean of each value [B] it returns, over that many of the
             split, 0 for all of it; of symbols (integers of any shape) their perplexity, and the
             number of different ones. A bound's `bound` says whether it is "lower" or "upper"
    modes, agreement, preserved, clustering
             N: as in `gm_jax.judging.recognition`, of N samples or examples
    translation
             N: as in `gm_jax.judging.translations`, of N examples
    styles   N: as in `gm_jax.judging.styles`, of N examples
    films, transfer
             N: as in `gm_jax.judging.films`, of N films
    references  N: as in `gm_jax.judging.continuations`, of N films
    attributes  {function: examples}, and
    stories, retrieval, zero_shot, clip_score, r_precision, cmmd
             N: as in `gm_jax.judging.alignment`
    annealing  N: as in `gm_jax.judging.partition`, by N runs
    codes    N: as in `gm_jax.judging.codes`, of N examples
    features  (numbers of labelled examples): as in `gm_jax.judging.features`
    lpips    N: LPIPS between N examples and their reconstructions, see `lpips_distance`
    score    N: Fréchet distance of N samples to the data, see `score_images`
    variation  N: as in `gm_jax.judging.variation`, of N samples, and
    diversity  N: of N pairs of them
    arithmetic  N: as in `gm_jax.judging.concepts`, of N latents
    metrics  FID and its relatives on Inception's features, see `inception_metrics`
    """
    settings, results = trained.config.evaluate, {}
    chosen = {name: metric for name, metric in METRICS.items() if settings[name]}
    if not (settings.counts or chosen or settings.metrics):
        names = ", ".join(f"evaluate.{name}" for name in ("counts", *METRICS, "metrics"))
        raise UserError(f"this recipe evaluates nothing: set one of {names}")
    workdir = writable(workdir)
    for name, count in settings.counts.items():
        results |= _averages(trained, name, count, settings.split)
    for name, metric in chosen.items():
        results |= metric(trained, settings[name])
    if settings.metrics:
        results |= inception_metrics(trained)
    if jax.process_index() == 0:
        text = json.dumps(results, indent=2, default=np.ndarray.tolist) + "\n"
        with files.writing(workdir, files.TO_CONTINUE):
            files.write(workdir / "evaluation.json", text)
    return results


def score_images(trained: Trained, count: int) -> dict[str, dict]:
    """fd_<features>: the Fréchet distance of `count` samples to `count` training images.

    The features are those of a small classifier, trained on the same data and cached. The value is
    the mean over ten random choices of the reals; with it comes the same distance between `count`
    reals and `count` others. It is not FID, and not comparable across data sets. Raises UserError
    if the data has no labels, or fewer than 2 x count images.
    """
    source = data.open_source(trained.phase.data)
    classifier = recognition.classifier_of(trained.phase.data)
    real = source.load(np.arange(source.size or recognition.EXAMPLES))

    def features(images):
        parts = evaluation.extract(classifier.features, [images], batch_size=256)
        return np.concatenate([part["64"] for part in parts])

    reals = features(real["image"])
    # Before the samples are drawn: it refuses more of them than the data allows.
    floor, floor_deviation = evaluation.real_floor(reals, count, DRAWS)
    fakes = features(sample(trained, count)["image"])
    draws = [np.random.default_rng([1, i]).choice(len(reals), count, False) for i in range(DRAWS)]
    values = [evaluation.frechet_of_features(fakes, reals[rows]) for rows in draws]
    return {
        f"fd_{classifier.features.name}": {
            "value": float(np.mean(values)),
            "deviation": float(np.std(values)),
            "examples": count,
            "real_against_real": floor,
            "real_against_real_deviation": floor_deviation,
            "classifier_accuracy": classifier.accuracy,
            "weights": classifier.features.fingerprint,
        }
    }


def inception_metrics(trained: Trained) -> dict[str, dict]:
    """The `evaluate.metrics` of samples against the training images: FID and its relatives.

    Each number comes with its protocol, weights, N1 and N2. Several processes share the work and
    find the same numbers. Raises EvaluationError if Inception's weights are missing, and says how
    to get them.
    """
    settings = trained.config.evaluate
    protocol = choose("evaluate.protocol", settings.protocol, evaluation.PROTOCOLS)
    protocol = protocol._replace(grey=settings.grey)
    weights = evaluation.load_inception(settings.weights or None)
    features = evaluation.inception_features(weights, protocol)
    requested = evaluation.parse_metrics(settings.metrics)
    requested = metrics.with_layers(requested, tuple(features.layers))
    source = data.open_source(trained.phase.data)
    field_of(source.spec, "image")
    if source.size is None:
        raise UserError(
            f"{source.name} is endless: evaluate.metrics needs a data set of finite size"
        )

    def batches():
        return (b["image"] for b in apply(trained, "sample", settings.samples))

    samples, reals = Images("samples", settings.samples, "", batches), of_source(source)
    needs = metrics.needs(requested, [settings.samples, source.size])
    generated = pass_over(samples, features, protocol, needs)
    reference = pass_over(reals, features, protocol, needs, cache=cache_directory() / "statistics")
    results = evaluation.report(generated, reference, requested)
    shared = {key: value for key, value in results.items() if key != "metrics"}
    return {name: {**row, **shared} for name, row in results["metrics"].items()}


def lpips_distance(trained: Trained, count: int) -> dict[str, dict]:
    """LPIPS of `count` examples of the split and their reconstructions, the mean and its error.

    The model's `reconstruct` returns images [B, 2, H, W, C]: the example, its reconstruction.
    Raises UserError if the weights are missing, and says which file they are.
    """
    settings = trained.config.evaluate
    network = lpips.load_lpips(
        settings.lpips_network, settings.lpips_weights, settings.lpips_sha256
    )
    pairs = sample(trained, count, "reconstruct", settings.split)["image"]
    values = lpips.distances(network, pairs[:, 0], pairs[:, 1])
    row = {**_mean(values, settings.split), "weights": network.weights}
    return {network.name: {**row, "protocol": lpips.PROTOCOL._asdict()}}


# By the name of the setting that holds the number of samples, or {function: examples}.
METRICS = {
    "score": score_images,
    "variation": variation.variation,
    "diversity": variation.diversity,
    "modes": recognition.mode_coverage,
    "agreement": recognition.agreement,
    "preserved": recognition.preservation,
    "clustering": recognition.clustering,
    "arithmetic": concepts.arithmetic,
    "translation": translations.translation,
    "styles": styles.recognised,
    "films": films.films,
    "transfer": films.transfer,
    "references": continuations.references,
    "attributes": alignment.attributes,
    "stories": alignment.stories,
    "retrieval": alignment.retrieval,
    "zero_shot": alignment.zero_shot,
    "clip_score": alignment.clip_score,
    "r_precision": alignment.r_precision,
    "cmmd": alignment.cmmd,
    "annealing": partition.partition,
    "codes": codes.to_prior,
    "features": features.transfer,
    "lpips": lpips_distance,
}


def report(results: dict[str, dict]) -> str:
    """The results as text, one per line."""
    lines = []
    for name, row in results.items():
        sign = {"upper": "<= ", "lower": ">= "}.get(row.get("bound"), "")
        line = f"{name:<24} {sign}{row['value']:.4f}"
        if "standard_error" in row:
            line += f" ± {row['standard_error']:.4f} over {row['examples']} examples"
        if "of_modes" in row:
            line += f" of {row['of_modes']} modes, {row['examples']} samples"
        elif "interval95" in row:
            low, high = row["interval95"]
            line += f" [{low:.4f}, {high:.4f}] over {row['examples']} examples"
        if "labels" in row:
            line += f" by {row['labels']} labels, draws: {len(row['draws'])}"
        if "effective" in row:
            line += partition.said(row)
        if "shuffled" in row:
            line += f"; captions shuffled {row['shuffled']:.4f}"
        if "classifier_accuracy" in row:
            line += f" (classifier's accuracy {row['classifier_accuracy']:.4f})"
        floors = [f"{key} {row[key]:.4f}" for key in ("copied", "truth", "chance") if key in row]
        line += f" ({', '.join(floors)})" if floors else ""
        if "n1" in row:
            line += f" (protocol {row['protocol']['name']}, N1 = {row['n1']}, N2 = {row['n2']})"
        elif "protocol" in row:
            line += f" (protocol {row['protocol']['name']}, weights {row['weights'][:8]})"
        if "real_against_real" in row:
            floor = row["real_against_real"]
            line += (
                f" at N = {row['examples']}; real against real {floor:.4f}"
                f" (ratio {row['value'] / floor:.2f})"
            )
        lines.append(line)
    return "\n".join(lines)


def _averages(trained: Trained, name: str, count: int, split: str) -> dict[str, dict]:
    size = data.open_source(trained.phase.data, split).size
    count = count or size
    if count is None or (size is not None and count > size):
        raise UserError(
            f"evaluate.counts.{name} is {count or 0}, but the split {split}"
            f" {'is endless: state a number' if size is None else f'has {size} examples: 0 is all'}"
        )
    parts = list(apply(trained, name, count, split))
    values = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    results = {}
    for key, v in values.items():
        if np.issubdtype(v.dtype, np.signedinteger):
            results |= _symbols(key, v, split)
        elif v.ndim == 1:
            results[key] = {**_mean(v, split), **_bound_of(key)}
    if not results:
        raise UserError(f"evaluate.counts.{name}: that function returns no value per example")
    return results


def _mean(values: np.ndarray, split: str) -> dict:
    """The mean of values [N], and its standard error."""
    return {
        "value": float(np.mean(values, dtype=np.float64)),
        "standard_error": float(np.std(values, ddof=1, dtype=np.float64) / np.sqrt(len(values))),
        "examples": len(values),
        "split": split,
    }


def _bound_of(name: str) -> dict[str, str]:
    """{"bound": "lower"} for log-likelihoods, "upper" for bits and nats; {} if it is no bound."""
    if name != "elbo" and name.split("_")[-1] != "bound":
        return {}
    return {"bound": "upper" if name.startswith(("bits_", "nats_")) else "lower"}


def _symbols(name: str, values: np.ndarray, split: str) -> dict[str, dict]:
    """How a function's symbols are distributed, over all examples and positions.

    The perplexity is exp of the entropy of their frequencies; `used` counts the different ones.
    """
    _, counts = np.unique(values, return_counts=True)
    p = counts / values.size
    about = {"examples": len(values), "split": split}
    return {
        f"{name}_perplexity": {"value": float(np.exp(-np.sum(p * np.log(p)))), **about},
        f"{name}_used": {"value": len(counts), **about},
    }
