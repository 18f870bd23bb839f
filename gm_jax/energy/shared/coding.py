"""Sparse codes by inference: iterative shrinkage, its fast kin, and coordinate descent.

    min over z of  1/2 |x - D z|^2 + penalty |z|_1 + pull / 2 |z - guess|^2

With pull 0 it is the lasso. D is [P, K], x [B, P], z [B, K]; each row is a problem of its own.

    ISTA    z <- soft(z - slope(z) / L, penalty / L),  L >= |D|_2^2 + pull           falls always
    FISTA   the same at y = z' + (t - 1) / t' (z' - z),  t' = (1 + sqrt(1 + 4 t^2)) / 2
    CD      z_j <- soft(d_j'r_-j + pull guess_j, penalty) / (|d_j|^2 + pull),  j = 1 .. K

Daubechies et al. 2004; Beck & Teboulle 2009, section 4; Friedman et al. 2007.
"""

from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import lax

from gm_jax.errors import UserError
from gm_jax.model import Array, Batch, Field, Player, Spec, modality_of
from gm_jax.nn.layers import Size, product
from gm_jax.optimizers import Optimizer, adam, unit_columns
from gm_jax.settings import Recipe, above, at_least, one_of, schema

SQUARINGS = 9  # of the Gram matrix, for its largest eigenvalue


class Problem(NamedTuple):
    """What a code minimises.

    d        dictionary [P, K], an atom a column
    x        what is coded, [B, P]
    penalty  weight of |z|_1
    pull     weight of |z - guess|^2 / 2, guess [B, K]
    dtype    of the products
    """

    d: Array
    x: Array
    penalty: float
    pull: float = 0.0
    guess: Array | float = 0.0
    dtype: Any = jnp.float32

    def value(self, z: Array) -> Array:
        """What is minimised, [B]."""
        residual = self.x - product(z, self.d.T, self.dtype)
        squares = 0.5 * jnp.sum(residual**2, axis=-1)
        far = 0.5 * self.pull * jnp.sum((z - self.guess) ** 2, axis=-1)
        return squares + self.penalty * jnp.sum(jnp.abs(z), axis=-1) + far

    def slope_of(self) -> tuple[Callable, Array]:
        """z -> the slope of all but |z|_1 [B, K]; and L, a bound on how fast that changes."""
        gram, drive = self.products()
        bound = largest_eigenvalue(gram) + self.pull

        def slope(z):
            return product(z, gram, self.dtype) + self.pull * z - drive

        return slope, bound

    def products(self) -> tuple[Array, Array]:
        """D'D [K, K], and D'x + pull guess [B, K]."""
        return self.d.T @ self.d, product(self.x, self.d, self.dtype) + self.pull * self.guess


def soft(x: Array, threshold) -> Array:
    """x moved towards 0 by `threshold`, and 0 if it is nearer."""
    return jnp.sign(x) * jnp.maximum(jnp.abs(x) - threshold, 0.0)


def largest_eigenvalue(matrix: Array) -> Array:
    """That of a positive semidefinite matrix, from above: power iteration on the matrix itself.

    trace(M^m)^(1/m), m = 2^SQUARINGS, at most n^(1/m) too large. Iterating a vector instead comes
    from below, and a step that is too long diverges.
    """

    def square(_, carry):
        power, log_trace = carry
        power = power @ power
        trace = jnp.trace(power)
        return power / trace, 2.0 * log_trace + jnp.log(trace)

    trace = jnp.trace(matrix)
    _, log_trace = lax.fori_loop(0, SQUARINGS, square, (matrix / trace, jnp.log(trace)))
    return jnp.exp(log_trace / 2**SQUARINGS)


def ista(problem: Problem, z: Array, steps: int) -> Array:
    """z after `steps` of ISTA, none of which raises what is minimised."""
    slope, bound = problem.slope_of()

    def step(_, z):
        return soft(z - slope(z) / bound, problem.penalty / bound)

    return lax.fori_loop(0, steps, step, z)


def fista(problem: Problem, z: Array, steps: int) -> Array:
    """z after `steps` of FISTA."""
    return lax.fori_loop(0, steps, fista_step(problem), (z, z, jnp.ones((), z.dtype)))[0]


def fista_step(problem: Problem) -> Callable:
    """(number, (z, y, t)) -> the next (z, y, t); y begins as z, t as 1."""
    slope, bound = problem.slope_of()

    def step(_, carry):
        z, y, t = carry
        new = soft(y - slope(y) / bound, problem.penalty / bound)
        new_t = (1.0 + jnp.sqrt(1.0 + 4.0 * t**2)) / 2.0
        return new, new + (t - 1.0) / new_t * (new - z), new_t

    return step


def coordinates(problem: Problem, z: Array, steps: int) -> Array:
    """z after `steps` sweeps of coordinate descent over all atoms in order."""
    gram, drive = problem.products()
    curvature = jnp.diag(gram) + problem.pull

    def one(j, carry):
        z, of_others = carry  # of_others: z D'D
        rest = drive[:, j] - of_others[:, j] + gram[j, j] * z[:, j]
        new = soft(rest, problem.penalty) / curvature[j]
        of_others = of_others + (new - z[:, j])[:, None] * gram[j]
        return z.at[:, j].set(new), of_others

    def sweep(_, carry):
        return lax.fori_loop(0, len(gram), one, carry)

    return lax.fori_loop(0, steps, sweep, (z, product(z, gram, problem.dtype)))[0]


SOLVERS = {"ista": ista, "fista": fista, "coordinates": coordinates}


@schema
class Inference:
    """How the code of an example is found.

    name   iterative shrinkage (ista), with momentum (fista), or atom by atom (coordinates)
    steps  of it; of coordinates sweeps
    """

    name: Annotated[str, one_of(SOLVERS)] = "fista"
    steps: Annotated[int, at_least(1)] = 60


@schema
class Settings(Recipe):
    """Codes of few atoms.

    atoms      columns of the dictionary
    penalty    lambda, weight of |z|_1 against half the squared error
    inference  how the code of an example is found
    optimizer  one of optax's
    """

    atoms: Size = 192
    penalty: Annotated[float, above(0.0)] = 0.8
    inference: Inference = Inference()
    optimizer: Optimizer = adam(1e-2)


def infer(settings: Inference, problem: Problem, start: Array) -> Array:
    """z* [B, K] as a constant, from `start`.

    By the envelope theorem the slope of the minimum in D is that of the value at z*.
    """
    d, guess, start = lax.stop_gradient((problem.d, problem.guess, start))
    return SOLVERS[settings.name](problem._replace(d=d, guess=guess), start, settings.steps)


def dictionary(key: Array, size: int, atoms: int) -> Array:
    """Random atoms of length 1, [size, atoms]."""
    return unit(jax.random.normal(key, (size, atoms)))


def unit(d: Array) -> Array:
    """Columns brought to length 1, as those of an average over rounds are not."""
    return d / jnp.linalg.norm(d, axis=0)


def with_unit_atoms(player: Player) -> Player:
    """The player, whose dictionary has atoms of length 1 after each step."""
    chosen = {name: name == "dictionary" for name in player.owns}
    link = optax.masked(unit_columns(), chosen)
    return player._replace(optimizer=optax.chain(player.optimizer, link))


def signal_of(spec: Spec) -> tuple[str, Field]:
    """The entry that is coded: patches, or images. Raises UserError if there is neither."""
    name = modality_of(spec)
    if name not in ("patch", "image"):
        raise UserError(
            f"sparse coding needs patches or images; this data set has {', '.join(spec)}: set"
            " data.name=patches, or choose images"
        )
    return name, spec[name]


def signals(batch: Batch, name: str) -> Array:
    """Patches as they are, images as pixels in [0, 1]: [B, P]."""
    x = batch[name].reshape(len(batch[name]), -1)
    return x if name == "patch" else (x + 1.0) / 2.0


def pictures(x: Array, shape: tuple[int, ...]) -> Array:
    """Rows [..., P] as images in [-1, 1], grey at 0: each as bright as its largest |x| allows."""
    largest = jnp.max(jnp.abs(x), axis=-1, keepdims=True)
    return (x / jnp.maximum(largest, 1e-8)).reshape(*x.shape[:-1], *shape)


def columns(matrix: Array, batch: Batch, shape: tuple[int, ...]) -> Batch:
    """A column of [P, K] an example, grey at 0, its largest pixel white or black, [B, *shape]."""
    return {"image": pictures(matrix.T[batch["index"] % matrix.shape[1]], shape)}


def pairs(x: Array, y: Array, shape: tuple[int, ...]) -> Batch:
    """Rows x beside rows y, as bright as the larger of both allows, [B, 2, *shape]."""
    return {"image": pictures(jnp.concatenate([x, y], axis=1), (2, *shape))}
