"""Mistakes that one line can make, each with the tests that must notice it.

`make mutants` plants them one by one. A mutant is named by what it does wrong; its file by the end
of its path, so that a file may move from room to room.
"""

from typing import NamedTuple


class Mutant(NamedTuple):
    """A planted mistake.

    file   the end of a path, of one file below gm_jax/ or configs/ alone
    old    a text that occurs in it exactly once, and `new` what stands there instead
    tests  pytest's names of what must fail, relative to tests/
    """

    file: str
    old: str
    new: str
    tests: str
