"""Mistakes in DiT that its forward pass by hand notices; denoisers.py has others."""

from mutants import Mutant

DIT = "nn/dit.py"
BY_HAND = "test_dit.py::test_dit_is_the_papers"
DITS = {
    "DiT: a scale without its one": Mutant(
        DIT, "norm.apply({}, x) * (1 + scale) + shift", "norm.apply({}, x) * scale + shift",
        BY_HAND,
    ),
    "DiT: shift and scale exchanged": Mutant(
        DIT, "shift, scale, gate, *second =", "scale, shift, gate, *second =", BY_HAND
    ),
    "DiT: attention without its gate": Mutant(
        DIT, 'x = x + gate * dense(width, "mix")(h)', 'x = x + dense(width, "mix")(h)', BY_HAND
    ),
    "DiT: one modulation for both branches": Mutant(
        DIT, "shift, scale, gate = second", "del second", BY_HAND
    ),
    "DiT: no positions": Mutant(
        DIT, "h = h + jnp.asarray(positions(grid, self.width), self.dtype)", "", BY_HAND
    ),
    "DiT: queries, keys and values within each head": Mutant(
        DIT, "*jnp.split(h, 3, axis=2)",
        "*jnp.split(h.reshape(*h.shape[:2], self.heads, -1), 3, axis=3)", BY_HAND,
    ),
    "DiT: the exact GELU": Mutant(DIT, "approximate=True", "approximate=False", BY_HAND),
    "DiT: norms at 1e-5": Mutant(DIT, "nn.LayerNorm(1e-6,", "nn.LayerNorm(1e-5,", BY_HAND),
    "DiT: patches of rows of pixels": Mutant(
        DIT, "return x.swapaxes(2, 3).reshape(b, -1, patch**2 * channels)",
        "return x.reshape(b, -1, patch**2 * channels)", BY_HAND,
    ),
    "DiT: frequencies of DDPM": Mutant(DIT, "shift=0, dtype", "shift=1, dtype", BY_HAND),
    "DiT: an embedding without its swish": Mutant(
        DIT, 'dense(6 * width, "modulation", ZERO)(nn.swish(c))',
        'dense(6 * width, "modulation", ZERO)(c)', BY_HAND,
    ),
}  # fmt: skip
