"""The mixture of conditional Gaussian scale mixtures (MCGSM) of one number.

Theis, Hosseini & Bethge 2012 (arXiv 1208.1514), eq. 4 to 6; Theis & Bethge 2015, section 2.1.

    p(y | x) = sum_ks p(k, s | x) N(y; a_k x, 1 / (e^alpha_ks l_k))
    p(k, s | x) ~ exp(eta_ks - 1/2 e^alpha_ks sum_n beta_kn^2 (b_n x)^2)

The gate p(k, s | x) is normalised over components and scales together.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from gm_jax.losses.likelihoods import LOG_2PI
from gm_jax.model import Array
from gm_jax.nn.layers import Size, full_precision


class ScaleMixtures(nn.Module):
    """log p(y | x) of numbers y [...] given x [..., D], and draws of y.

    components  k, each with a linear prediction of its own
    scales      s, variances of a component
    features    n, directions of x whose size chooses the component and the scale
    """

    components: Size = 8
    scales: Size = 4
    features: Size = 12

    def __call__(self, x: Array, y: Array) -> Array:
        gate, mean, log_precision = self._parts(x)
        far = jnp.exp(log_precision) * ((y[..., None] - mean) ** 2)[..., None]
        expert = 0.5 * (log_precision - LOG_2PI - far)
        return jax.nn.logsumexp(gate + expert, axis=(-2, -1))

    def draw(self, x: Array, keys: Array) -> Array:
        """y [B] given x [B, D], one key each."""
        gate, mean, log_precision = self._parts(x)

        def one(key, gate, mean, log_precision):
            choice, noise = jax.random.split(key)
            number = jax.random.categorical(choice, gate.ravel())
            deviation = jnp.exp(-0.5 * log_precision.ravel()[number])
            return mean[number // self.scales] + deviation * jax.random.normal(
                noise, (), mean.dtype
            )

        return jax.vmap(one)(keys, gate, mean, jnp.broadcast_to(log_precision, gate.shape))

    @nn.compact
    def _parts(self, x: Array) -> tuple[Array, Array, Array]:
        """log p(k, s | x) [..., K, S], the predictions a_k x [..., K], log precisions [K, S]."""
        x, normal, zeros = full_precision(x), nn.initializers.normal, nn.initializers.zeros
        size, table = x.shape[-1], (self.components, self.scales)
        predictors = self.param("predictors", normal(0.1), (size, self.components))
        features = self.param("features", normal(size**-0.5), (size, self.features))
        weights = self.param("weights", normal(0.3), (self.components, self.features))
        prior, scale = self.param("prior", zeros, table), self.param("scale", normal(1.0), table)
        precision = self.param("precision", zeros, (self.components,))
        energy = (x @ features) ** 2 @ (weights**2).T
        gate = prior - 0.5 * jnp.exp(scale) * energy[..., None]
        gate = gate - jax.nn.logsumexp(gate, axis=(-2, -1), keepdims=True)
        return gate, x @ predictors, scale + precision[:, None]
