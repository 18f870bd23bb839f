"""Two runs on the same test examples: the mean of their paired differences, with its interval.

    python benchmarks/paired.py WORKDIR WORKDIR [--function=bound] [--count=10000] [--split=test]

For each value that the function returns for every example, by both runs: both means, the mean of
first minus second, its 95 % interval (normal, from the standard error of the differences), and the
share of examples on which the first is the higher. Runs must agree on data and seed, so that an
example is the same image, binarised by the same draw.
"""

import argparse
import sys

import numpy as np

import gm_jax


def values(trained: gm_jax.Trained, function: str, count: int, split: str) -> dict[str, np.ndarray]:
    """What a function returns for each of `count` examples, [count] each."""
    parts = list(gm_jax.apply(trained, function, count, split))
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return {name: v.astype(np.float64) for name, v in joined.items() if v.ndim == 1}


def compare(first: np.ndarray, second: np.ndarray) -> dict[str, float]:
    """Means, difference and interval of two values of the same examples, [N] each."""
    difference = first - second
    error = difference.std(ddof=1) / np.sqrt(len(difference))
    return {
        "first": first.mean(),
        "second": second.mean(),
        "difference": difference.mean(),
        "low": difference.mean() - 1.96 * error,
        "high": difference.mean() + 1.96 * error,
        "share": np.mean(difference > 0),
    }


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("workdirs", nargs=2)
    parser.add_argument("--function", default="bound")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--split", default="test")
    options = parser.parse_args(arguments)
    runs = [gm_jax.load(workdir) for workdir in options.workdirs]
    for key in ("data", "seed"):
        ours, theirs = (run.config[key] for run in runs)
        if ours != theirs:
            raise gm_jax.UserError(f"the runs differ in {key}: {ours} and {theirs}")
    first, second = (values(run, options.function, options.count, options.split) for run in runs)
    for name in (name for name in first if name in second):
        row = compare(first[name], second[name])
        print(
            f"{name:<24} {row['first']:.4f}  {row['second']:.4f}  difference"
            f" {row['difference']:+.4f}, 95 % interval {row['low']:+.4f} to {row['high']:+.4f},"
            f" first higher on {100 * row['share']:.1f} % of {len(first[name])}"
        )


if __name__ == "__main__":
    try:
        main()
    except gm_jax.UserError as error:
        sys.exit(f"error: {error}")
