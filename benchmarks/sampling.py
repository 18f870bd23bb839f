"""Speed of sampling through the cache against the whole network for every symbol, in one run.

    python benchmarks/sampling.py [NAME ...] [--batch=8]

Both sides are compiled and draw the same symbols from the same keys (asserted): the cached one
steps from position to position, the naive one applies the network to the whole sequence each time.
What is timed is a batch of whole sequences, compiled before, the sides in turn; medians are given.
"""

import argparse
import functools
import math
import time
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gm_jax.autoregressive.shared import pixels
from gm_jax.autoregressive.wavenet import Dilated
from gm_jax.causal import of_module, sample, sample_naive
from gm_jax.nn.gated_pixelcnn import GatedPixelCNN
from gm_jax.nn.transformer import Transformer


class Subject(NamedTuple):
    """A network over sequences [T] or images [H, W, C], and how often each side is timed."""

    network: Callable
    shape: tuple[int, ...]
    times: int = 3


SUBJECTS = {
    # As configs/gpt_tinyshakespeare.py, with 256 positions.
    "gpt": Subject(lambda: Transformer(65, 256, width=128, layers=4, heads=4), (256,)),
    # As configs/wavenet_fsdd.py: an eighth of a second.
    "wavenet": Subject(
        lambda: Dilated(256, tuple(2**i for i in range(10)), width=32, skip=128), (1000,), 1
    ),
    # As configs/gated_pixelcnn_mnist.py.
    "gated_pixelcnn": Subject(lambda: GatedPixelCNN(2, layers=6, width=24), (28, 28, 1), 1),
}


def measure(subject: Subject, batch: int) -> tuple[float, float]:
    """Seconds a batch of sequences, cached and naive."""
    network, keys = subject.network(), jax.random.split(jax.random.key(1), batch)
    x, length = jnp.zeros((batch, *subject.shape), jnp.int32), math.prod(subject.shape)
    params = jax.jit(network.init)(jax.random.key(0), x)["params"]
    of_image = len(subject.shape) == 3
    causal = pixels.causal(network, subject.shape) if of_image else of_module(network)
    sides = [
        jax.jit(functools.partial(f, causal), static_argnames="length")
        for f in (sample, sample_naive)
    ]
    drawn = [np.asarray(side(params, keys, length=length)) for side in sides]
    # Sums in another order may tip a draw between two symbols: nearly all must agree.
    agree = np.mean(drawn[0] == drawn[1])
    assert agree > 0.9, f"the two sides agree in {agree:.0%} of the symbols"

    def seconds(side):
        began = time.perf_counter()
        jax.block_until_ready(side(params, keys, length=length))
        return time.perf_counter() - began

    rounds = [[seconds(side) for side in sides] for _ in range(subject.times)]
    cached, naive = np.median(rounds, axis=0)
    return float(cached), float(naive)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=list(SUBJECTS))
    parser.add_argument("--batch", type=int, default=8)
    arguments = parser.parse_args()
    devices = jax.devices()
    print(f"{devices[0].device_kind}, jax {jax.__version__}, batch {arguments.batch}")
    for name in arguments.names:
        length = math.prod(SUBJECTS[name].shape)
        cached, naive = measure(SUBJECTS[name], arguments.batch)
        print(
            f"{name:<16} {length} positions   cached {cached:.3g} s   naive {naive:.3g} s"
            f"   {naive / cached:.1f} times as fast"
        )


if __name__ == "__main__":
    main()
