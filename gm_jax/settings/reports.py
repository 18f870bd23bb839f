"""What a run writes while it trains and after: metrics, checkpoints, pictures, samples."""

import dataclasses
from typing import Annotated

from gm_jax.settings.marks import at_least, below
from gm_jax.settings.schema import schema

Count = Annotated[int, at_least(0)]
Every = Annotated[int, at_least(1)]


@schema
class Report:
    """Lines of metrics.jsonl.

    every  rounds between two lines
    """

    every: Every = 100


@schema
class Checkpoint:
    """What a run continues from.

    every  rounds between two checkpoints
    keep   how many are kept
    """

    every: Every = 1000
    keep: Every = 2


@schema
class Show:
    """Pictures (texts, sounds) during training.

    every   rounds between two; 0 for none
    counts  {function: examples}; 0 for none
    """

    every: Count = 1000
    counts: dict[str, Count] = dataclasses.field(default_factory=lambda: {"sample": 64})


@schema
class Sample:
    """What --mode=sample saves.

    count  samples in samples.npz
    seed   another seed draws other samples
    """

    count: Every = 1000
    seed: Annotated[int, at_least(0), below(2**32)] = 0
