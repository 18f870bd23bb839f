"""The functions of every model of images or films as codes, once it can encode and decode."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from gm_jax.model import Field, example_keys


def functions(
    name: str, code: Field, indices: Callable, output: Callable, mean: Callable, log_prob: Callable
) -> dict[str, Callable]:
    """The functions of a model: sample, reconstruct, encode, decode, distortion.

    name      image or video, what it encodes
    code      shape of an example's codes, and how many values each can take
    indices   (variables, x) -> codes [B, *code.shape] int32
    output    (variables, codes) -> decoder's output
    mean      output -> image or film
    log_prob  (variables, x, output, keys [B]) -> log p(x|z) [B]
    """

    def encode(variables, batch, key):
        """Indices of the codes, [B, *code.shape]."""
        return {"code": indices(variables, batch[name])}

    def decode(variables, batch, key):
        """Means of p(x|z) of the codes batch["code"]."""
        return {name: mean(output(variables, batch["code"]))}

    def sample(variables, batch, key):
        """Means of p(x|z) of codes drawn uniformly, as no prior is learned yet."""
        draw = jax.vmap(lambda k: jax.random.randint(k, code.shape, 0, code.cardinality))
        return decode(variables, {"code": draw(example_keys(key, batch))}, key)

    def reconstruct(variables, batch, key):
        """The example beside the mean of p(x|z(x)), [B, 2, ...]."""
        decoded = decode(variables, encode(variables, batch, key), key)[name]
        return {name: jnp.stack([batch[name], decoded], axis=1)}

    def distortion(variables, batch, key):
        """log p(x|z(x)) in nats [B], mean squared error of pixels in [-1, 1] [B], and the codes.

        Of grey values under a Bernoulli likelihood, `reconstruction` is minus the cross-entropy.
        """
        x, chosen = batch[name], indices(variables, batch[name])
        decoded = output(variables, chosen)
        return {
            "reconstruction": log_prob(variables, x, decoded, example_keys(key, batch)),
            "squared_error": jnp.mean((mean(decoded) - x) ** 2, axis=tuple(range(1, x.ndim))),
            "code": chosen,
        }

    return {f.__name__: f for f in (sample, reconstruct, encode, decode, distortion)}
