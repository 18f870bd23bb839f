"""Pools of generated examples, kept in the state of a game and equal on all devices."""

import jax
import jax.numpy as jnp
from jax import lax

from gm_jax import replicas
from gm_jax.model import Array, Batch


def empty_pool(size: int, shape: tuple[int, ...]) -> dict:
    """A pool of old fakes: `kept` [size, *shape], and the number of `filled` slots."""
    return {"kept": jnp.zeros((size, *shape)), "filled": jnp.zeros((), jnp.int32)}


def replay(key: Array, pool: dict, fakes: Array, batch: Batch, share: float) -> tuple[Array, dict]:
    """Fakes [b, ...] of which about `share` are old ones, and the pool with the new ones in it.

    Each position of the global batch draws whether it shows an old fake, and which; every new fake
    takes a random slot of the pool (the first ones fill it in order). The key is the same on all
    devices, and so is the pool. Raises ValueError if the pool is smaller than a global batch.
    """
    new = replicas.gather(lax.stop_gradient(fakes))
    count, size = len(new), len(pool["kept"])
    if size < count:
        raise ValueError(f"a replay pool of {size} cannot take a batch of {count}: make it larger")
    old_key, slot_key, target_key = jax.random.split(key, 3)
    filled = pool["filled"]
    slots = jax.random.randint(slot_key, (count,), 0, jnp.maximum(filled, 1))
    old = jax.random.bernoulli(old_key, share, (count,)) & (filled > 0)
    rows = batch["index"]
    shown = jnp.where(_along(old[rows], fakes), pool["kept"][slots[rows]], fakes)
    target = _slots(target_key, filled, count, size)
    kept = pool["kept"].at[target].set(new.astype(pool["kept"].dtype))
    return shown, {"kept": kept, "filled": jnp.minimum(filled + count, size)}


def exchange(key: Array, pool: dict, fakes: Array, batch: Batch) -> tuple[Array, dict]:
    """What D sees in place of fakes [b, ...], and the pool after it. Zhu et al. 2017, section 4.

    One fake of the global batch after another: while the pool is not full it is kept and shown;
    then with probability 1/2 it is shown, else it takes the slot of a random old one, and that is
    shown. Nothing is lost or doubled: what was kept and given is what is kept and shown. The key
    is the same on all devices, and so is the pool.
    """
    new, size = replicas.gather(lax.stop_gradient(fakes)), len(pool["kept"])
    if not size:
        return fakes, pool
    keys = jax.random.split(key, len(new))

    def one(pool, given):
        key, fake = given
        old_key, slot_key = jax.random.split(key)
        kept, filled = pool["kept"], pool["filled"]
        filling = filled < size
        old = ~filling & jax.random.bernoulli(old_key)
        slot = jnp.where(filling, filled, jax.random.randint(slot_key, (), 0, size))
        shown = jnp.where(old, kept[slot], fake)
        kept = kept.at[slot].set(jnp.where(filling | old, fake, kept[slot]))
        return {"kept": kept, "filled": jnp.minimum(filled + 1, size)}, shown

    pool, shown = lax.scan(one, pool, (keys, new.astype(pool["kept"].dtype)))
    return shown[batch["index"]].astype(fakes.dtype), pool


def history(key: Array, pool: dict, fakes: Array, batch: Batch) -> tuple[Array, dict]:
    """What D sees in place of fakes [b, ...], and the pool after it. Shrivastava et al. 2017, 2.3.

    The first half of the global batch shows old fakes, drawn from the pool, and the second half new
    ones, each of which then takes a slot of its own: the next while the pool is not full, then one
    of a random half batch. While nothing is in the pool all are new. The key is the same on all
    devices, and so is the pool.
    """
    size = len(pool["kept"])
    if not size:
        return fakes, pool
    new = replicas.gather(lax.stop_gradient(fakes))
    half, filled, (old_key, slot_key) = len(new) // 2, pool["filled"], jax.random.split(key)
    slots = jax.random.randint(old_key, (half,), 0, jnp.maximum(filled, 1))
    old = jnp.where(filled > 0, pool["kept"][slots], new[:half])
    shown = jnp.concatenate([old, new[half:]])[batch["index"]].astype(fakes.dtype)
    given = len(new) - half
    target = _slots(slot_key, filled, given, size)
    kept = pool["kept"].at[target].set(new[half:].astype(pool["kept"].dtype))
    return shown, {"kept": kept, "filled": jnp.minimum(filled + given, size)}


def _slots(key: Array, filled: Array, count: int, size: int) -> Array:
    """`count` different slots: the next ones while the pool is not full, then random ones."""
    in_order = (filled + jnp.arange(count)) % size
    return jnp.where(filled < size, in_order, jax.random.permutation(key, size)[:count])


def _along(condition: Array, x: Array) -> Array:
    """A condition [b] in the shape that broadcasts with x [b, ...]."""
    return condition.reshape(-1, *[1] * (x.ndim - 1))
