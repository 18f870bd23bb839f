"""A pass over a set of images with a progress bar, or its statistics from the cache."""

import hashlib
from pathlib import Path

import jax
from tqdm.auto import tqdm

from gm_jax import outputs
from gm_jax.evaluation import sharing, statistics
from gm_jax.evaluation.collection import Needs, collect
from gm_jax.evaluation.features import Features
from gm_jax.evaluation.image_sets import Images
from gm_jax.evaluation.protocols import Protocol
from gm_jax.evaluation.statistics import Statistics


def pass_over(
    images: Images,
    features: Features,
    protocol: Protocol,
    needs: Needs,
    batch_size: int | None = None,
    cache: Path | None = None,
) -> Statistics:
    """The statistics of the images, from `cache` if a pass with the same code left them there.

    batch_size  by default 8 on a CPU (larger ones need memory and are no faster), 64 elsewhere

    Several processes pass over the images together (`collect`), unless all have the statistics.

    Raises UserError before the pass if the cache cannot be written.
    """
    code = [path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py"))]
    key = repr((images.key, features.name, features.fingerprint, protocol, needs, code))
    keep = cache is not None and images.key and not needs.patches
    path = cache / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.npz" if keep else None
    if path is not None and sharing.everywhere(path.exists()):
        return statistics.load(path)
    if path is not None:
        outputs.check(path, "choose another --cache, or set XDG_CACHE_HOME")
    batch_size = min(batch_size or (8 if jax.default_backend() == "cpu" else 64), images.size)
    with tqdm(total=images.size, unit="image", desc=images.name) as bar:

        def counted():
            for batch in images.batches():
                yield batch
                bar.update(len(batch))

        result = collect(features, protocol, counted(), images.size, needs, batch_size)
    if path is not None:
        statistics.save(result, path)
    return result
