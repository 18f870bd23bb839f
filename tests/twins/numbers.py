"""Functions of float64 NumPy in which the papers' equations are written."""

import numpy as np
from PIL import Image


def agree(found, expected, rtol=1e-5):
    """Equal, but for float32's rounding."""
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=1e-5)


def softplus(x):
    return np.logaddexp(0.0, x)


def sigmoid(x):
    return np.exp(-softplus(-x))


def log_loss(real, fake):
    """-log D(x) - log(1 - D(G(z))) of logits. Goodfellow et al. 2014, eq. 1, negated."""
    return softplus(-real) + softplus(fake)


def log_softmax(x):
    x = x - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def log_normal(x, mean=0.0, log_variance=0.0):
    """log N(x; mean, exp(log_variance)), summed to [B]."""
    each = -0.5 * (np.log(2 * np.pi) + log_variance + (x - mean) ** 2 / np.exp(log_variance))
    return per_example(each)


def per_example(x):
    """Summed over all axes but the first."""
    return x.reshape(len(x), -1).sum(1)


def gaussian_kl(mean, log_variance):
    """KL(N(mean, exp(log_variance)) || N(0, I)), [B]."""
    return 0.5 * per_example(np.exp(log_variance) + mean**2 - 1.0 - log_variance)


def pick(rows, indices):
    """rows[..., indices[...]]: one entry of the last axis each."""
    return np.take_along_axis(rows, np.asarray(indices)[..., None].astype(int), -1)[..., 0]


def hot(labels, classes):
    return np.eye(classes)[np.asarray(labels)]


def bernoulli(image, logits):
    """log-likelihood of images in [-1, 1], read as shares of white, [B]."""
    white = (image + 1.0) / 2.0
    return -per_example(white * softplus(-logits) + (1.0 - white) * softplus(logits))


def drawn_from(outputs, z, other_outputs, other_z):
    """Draws of N(mean, exp(log-variance)) of two batches by the same noise, which is standard."""
    mean, log_variance = np.split(outputs, 2, axis=-1)
    other_mean, other_log_variance = np.split(other_outputs, 2, axis=-1)
    noise = (z - mean) / np.exp(0.5 * log_variance)
    other_noise = (other_z - other_mean) / np.exp(0.5 * other_log_variance)
    assert np.abs(log_variance - other_log_variance).max() > 0.01
    np.testing.assert_allclose(noise, other_noise, atol=2e-4)
    assert abs(noise.std() - 1.0) < 0.1 and abs(noise.mean()) < 0.12


def bicubic(images, side):
    """Images [B, H, W, C] at another size, by Pillow, channel by channel."""
    sizes = (side, side), Image.Resampling.BICUBIC
    rows = [
        Image.fromarray(x).resize(*sizes)
        for x in np.moveaxis(np.float32(images), -1, 1).reshape(-1, *images.shape[1:3])
    ]
    rows = np.stack([np.asarray(row, np.float64) for row in rows])
    return np.moveaxis(rows.reshape(len(images), -1, side, side), 1, -1)
