"""What a trained generator does: samples, truncation, mixed styles, noise, films between images."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from gm_jax.adversarial.shared.latents import path
from gm_jax.adversarial.shared.styles import Sampler, Styled, latents, repeated
from gm_jax.errors import UserError
from gm_jax.model import Array, Batch, Variables, example_keys
from gm_jax.nn.stylegan2_layers import truncated

FRAMES = 12  # of an interpolation
PSIS = (0.0, 0.25, 0.5, 0.75, 1.0)
VARIATIONS = 3


def make(sampler: Sampler, nets: Styled) -> dict[str, Callable]:
    """The functions, by name; in all of them psi, cutoff and noise are those of the sampler.

    Raises UserError if the sampler's label is none of the classes.
    """
    if sampler.label is not None and sampler.label >= nets.classes:
        raise UserError(
            f"sampler.label is {sampler.label}, and this generator knows {nets.classes} classes"
        )

    def label(batch: Batch) -> Array | None:
        """The classes [B]: the sampler's, the data's, or each in turn if there are none."""
        if not nets.classes:
            return None
        if sampler.label is not None:
            return jnp.full_like(batch["index"], sampler.label)
        return batch["label"] if "label" in batch else batch["index"] % nets.classes

    def styles(variables, z, labels, psi=sampler.psi) -> Array:
        """Truncated styles [B, L, D] of z."""
        w = nets.mapping(variables, z, labels)
        return truncated(repeated(nets, w), variables.state["w_average"], psi, sampler.cutoff)

    def noise(variables, batch, key):
        if sampler.noise == "random":
            return nets.maps(example_keys(key, batch))
        return variables.state["noise"] if sampler.noise == "const" else None

    def draw(variables, batch, key, psi=sampler.psi) -> Array:
        """Styles of new latents."""
        return styles(variables, latents(nets, key, batch), label(batch), psi)

    def images(variables, rows, maps) -> Array:
        """Styles [B, N, L, D], all of a row with its noise, to images [B, N, H, W, C]."""
        count = rows.shape[1]
        flat = rows.reshape(-1, *rows.shape[2:])
        repeats = [x if len(x) == 1 else jnp.repeat(x, count, axis=0) for x in maps or ()]
        x = nets.images(variables, flat, repeats or None)
        return x.reshape(*rows.shape[:2], *nets.shape)

    def sample(variables: Variables, batch, key):
        """Images, and their labels if there are classes."""
        first, second = jax.random.split(key)
        maps = noise(variables, batch, second)
        outputs = {"image": nets.images(variables, draw(variables, batch, first), maps)}
        return outputs | ({"label": label(batch)} if nets.classes else {})

    def truncation(variables, batch, key):
        """One image at several psi, from the average of w to w itself, [B, 5, H, W, C]."""
        first, second = jax.random.split(key)
        rows = jnp.stack([draw(variables, batch, first, psi) for psi in PSIS], axis=1)
        return {"image": images(variables, rows, noise(variables, batch, second))}

    def mixing(variables, batch, key):
        """Two images, and the first with the coarse, middle or fine styles of the second.

        [B, 5, H, W, C]; each of the three is a third of the layers.
        """
        *keys, last = jax.random.split(key, 3)
        first, second = (draw(variables, batch, k) for k in keys)
        part = jnp.arange(nets.layers) * 3 // nets.layers
        mixes = [jnp.where(part[:, None] == i, second, first) for i in range(3)]
        rows = jnp.stack([first, second, *mixes], axis=1)
        return {"image": images(variables, rows, noise(variables, batch, last))}

    def noise_variation(variables, batch, key):
        """One style without noise, then with new noise each time, [B, 4, H, W, C]."""
        first, second = jax.random.split(key)
        w = draw(variables, batch, first)
        found = [nets.images(variables, w, None)]
        for k in jax.random.split(second, VARIATIONS):
            maps = nets.maps(example_keys(k, batch))
            found.append(nets.images(variables, w, maps))
        return {"image": jnp.stack(found, axis=1)}

    def noise_layers(variables, batch, key):
        """One image with noise in all layers, in none, in the fine and in the coarse half.

        [B, 4, H, W, C]; Karras et al. 2019 (StyleGAN, arXiv 1812.04948), figure 5.
        """
        first, second = jax.random.split(key)
        rows = jnp.repeat(draw(variables, batch, first)[:, None], 4, axis=1)
        maps = nets.maps(example_keys(second, batch))
        sides = sorted({x.shape[1] for x in maps})

        def of_rows(x):
            coarse = x.shape[1] in sides[: len(sides) // 2]
            kept = jnp.array([True, False, not coarse, coarse], x.dtype)
            return (x[:, None] * kept[:, None, None, None]).reshape(-1, *x.shape[1:])

        flat = rows.reshape(-1, *rows.shape[2:])
        x = nets.images(variables, flat, [of_rows(x) for x in maps])
        return {"image": x.reshape(-1, 4, *nets.shape)}

    def interpolation(variables, batch, key):
        """A film along the great circle between two latents, with one noise, [B, T, H, W, C]."""
        *keys, last = jax.random.split(key, 3)
        z = path(*(latents(nets, k, batch) for k in keys), FRAMES)
        rows = jax.vmap(lambda z: styles(variables, z, label(batch)), 1, 1)(z)
        return {"video": images(variables, rows, noise(variables, batch, last))}

    def classes(variables, batch, key):
        """Each label in turn with the same z and noise, [B, classes, H, W, C]."""
        first, second = jax.random.split(key)
        z = latents(nets, first, batch)

        def of_class(number):
            return styles(variables, z, jnp.full_like(batch["index"], number))

        rows = jax.vmap(of_class, out_axes=1)(jnp.arange(nets.classes))
        return {"image": images(variables, rows, noise(variables, batch, second))}

    found = (sample, truncation, mixing, noise_variation, noise_layers, interpolation)
    return {f.__name__: f for f in (*found, *([classes] if nets.classes else []))}
