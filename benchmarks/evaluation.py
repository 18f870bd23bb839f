"""python benchmarks/evaluation.py [--batch-sizes=1,8,32] [--images=128] [--dimension=2048]

Prints, all from the same run on this machine: the rates of a large matrix product and of a large
convolution; Inception's images/s at several batch sizes from uint8 images to features, and what
share of those rates that is; the seconds of the Fréchet distance at full rank and for 1,000 images
beside a plain `scipy.linalg.sqrtm`; and the peak memory after each part. Weights are random: the
time does not depend on them.
"""

import argparse
import resource
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg
from flax import traverse_util
from jax import lax

from gm_jax.evaluation import (
    PROTOCOLS,
    Needs,
    collect,
    distances,
    extract,
    inception_features,
)
from gm_jax.evaluation.inception import LAYERS
from gm_jax.evaluation.weights import Weights, parameter_shapes
from gm_jax.fingerprint import fingerprint

# Multiplications and additions of the convolutions.
GFLOP_PER_IMAGE = 11.4


def best(function, repeats: int = 3, clock: Callable[[], float] = time.perf_counter) -> float:
    """The least of the seconds of `repeats` calls, after one that compiles."""
    function()
    seconds = []
    for _ in range(repeats):
        start = clock()
        function()
        seconds.append(clock() - start)
    return min(seconds)


def peak_rates(clock: Callable[[], float] = time.perf_counter) -> dict[str, float]:
    """GFLOP/s of float32 at highest precision: what the network's rate is to be compared with."""
    rng = np.random.default_rng(0)
    a = jnp.asarray(rng.normal(size=(2048, 2048)), jnp.float32)
    x = jnp.asarray(rng.normal(size=(16, 35, 35, 256)), jnp.float32)
    kernel = jnp.asarray(rng.normal(size=(3, 3, 256, 256)), jnp.float32)
    product = jax.jit(lambda a: jnp.matmul(a, a, precision="highest"))
    convolution = jax.jit(
        lambda x, kernel: lax.conv_general_dilated(
            x,
            kernel,
            (1, 1),
            "SAME",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            precision="highest",
        )
    )
    flops = {"product": 2 * 2048**3, "convolution": 2 * 16 * 35 * 35 * 9 * 256 * 256}
    seconds = {
        "product": best(lambda: product(a).block_until_ready(), clock=clock),
        "convolution": best(lambda: convolution(x, kernel).block_until_ready(), clock=clock),
    }
    return {name: flops[name] / seconds[name] / 1e9 for name in flops}


def random_inception() -> Weights:
    rng = np.random.default_rng(0)
    flat = {
        path: (np.sqrt(2 / np.prod(shape[:-1] or (1,))) * rng.normal(size=shape)).astype("f4")
        for path, shape in parameter_shapes("logits").items()
    }
    params = traverse_util.unflatten_dict(flat)
    return Weights("random", fingerprint(params), dict(LAYERS), params)


def memory() -> str:
    """The largest resident size so far."""
    return f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB"


def features_part(batch_sizes: list[int], images: int) -> None:
    """Images/s from uint8 [32, 32, 3] to 2048 features, without the first batch (it compiles)."""
    features = inception_features(random_inception(), PROTOCOLS["tf2015"])
    data = np.random.default_rng(1).integers(0, 256, (images, 32, 32, 3), dtype=np.uint8)
    for size in batch_sizes:
        peaks, done = peak_rates(), []
        for part in extract(features, [data], ["2048"], size):
            done.append((time.perf_counter(), len(part["2048"])))
        rate = sum(n for _, n in done[1:]) / (done[-1][0] - done[0][0])
        shares = ", ".join(
            f"{rate * GFLOP_PER_IMAGE / peak:.0%} of the {name}'s {peak:.0f}"
            for name, peak in peaks.items()
        )
        print(
            f"batch {size:4d}: {rate:6.2f} images/s, {rate * GFLOP_PER_IMAGE:.0f} GFLOP/s "
            f"({shares}); {memory()}",
            flush=True,
        )


def memory_part(images: int) -> None:
    """The pass for FID keeps as much for many images as for few: here at 64 dimensions."""
    features, protocol = inception_features(random_inception()), PROTOCOLS["tf2015"]
    data = np.random.default_rng(1).integers(0, 256, (images, 32, 32, 3), dtype=np.uint8)
    for times in (1, 4):
        n = times * images
        collect(features, protocol, [data] * times, n, Needs(("64",)), batch_size=16)
        print(f"statistics of {n} images at 64 dimensions: {memory()}", flush=True)


def timed(function):
    """(result, seconds) of one call."""
    start = time.perf_counter()
    result = function()
    return result, time.perf_counter() - start


def plain(mean1, covariance1, mean2, covariance2) -> float:
    """The distance by the root of the product of the covariances, as commonly written."""
    root = np.trace(scipy.linalg.sqrtm(covariance1 @ covariance2)).real
    traces = np.trace(covariance1) + np.trace(covariance2)
    return np.sum((mean1 - mean2) ** 2) + traces - 2 * root


def distance_part(d: int, n: int) -> None:
    """Sets of n features: a decaying spectrum, half rectified, with a little noise."""
    mix = np.random.default_rng(0).normal(size=(d, d)) * np.exp(-np.arange(d) / 300)[:, None]
    x, y = (
        np.abs(rng.normal(size=(n, d)) @ mix / 20) + 0.1 * rng.normal(size=(n, d))
        for rng in map(np.random.default_rng, (1, 2))
    )
    gaussians = [f(z) for z in (x, y) for f in (lambda z: z.mean(0), lambda z: np.cov(z.T))]
    # The first call of a LAPACK routine pays for its threads.
    distances.frechet_distance(*gaussians)
    ours, seconds = timed(lambda: distances.frechet_distance(*gaussians))
    dual, seconds_dual = timed(lambda: distances.frechet_of_features(x, y))
    root, seconds_root = timed(lambda: plain(*gaussians))
    print(f"distance at d = {d}, N = {n}:")
    for name, s in [("covariances", seconds), ("features", seconds_dual), ("sqrtm", seconds_root)]:
        print(f"  from {name:<12}{s:8.2f} s   {seconds_root / s:5.1f} times as fast as sqrtm")
    print(
        f"  {ours:.12g}; from features {abs(dual / ours - 1):.0e} and sqrtm "
        f"{abs(root / ours - 1):.0e} off it; {memory()}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch-sizes", default="1,8,32")
    parser.add_argument("--images", type=int, default=128)
    parser.add_argument("--dimension", type=int, default=2048)
    args = parser.parse_args()
    print(f"jax {jax.__version__}, {jax.device_count()} x {jax.devices()[0].device_kind}")
    memory_part(args.images)
    features_part(list(map(int, args.batch_sizes.split(","))), args.images)
    for n in (1000, 5 * args.dimension // 2):
        distance_part(args.dimension, n)


if __name__ == "__main__":
    main()
