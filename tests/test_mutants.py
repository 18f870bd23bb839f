"""The tables of mutants: each can be planted as the code is now, and names tests that exist."""

import re
import subprocess
import sys

from mutants import Mutant
from mutants.__main__ import MUTANTS, TESTS, fates, file_of


def test_every_mutant_can_be_planted_and_changes_something():
    for name, mutant in MUTANTS.items():
        assert mutant.old in file_of(mutant).read_text(), name  # Exactly once, or it raises.
        assert mutant.new != mutant.old, name


def test_no_mutant_uses_a_name_that_is_not_there(tmp_path):
    """Any test would notice it, whatever it tests."""
    for number, mutant in enumerate(MUTANTS.values()):
        planted = file_of(mutant).read_text().replace(mutant.old, mutant.new)
        (tmp_path / f"mutant_{number}.py").write_text(planted)
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--select=F821", tmp_path]
    found = subprocess.run(command, capture_output=True, text=True)
    assert found.returncode == 0, found.stdout


def test_every_mutants_tests_exist():
    for name, mutant in MUTANTS.items():
        for test in mutant.tests.split():
            file, _, function = test.partition("::")
            defined = re.findall(r"def (test_\w+)", (TESTS / file).read_text())
            assert function.partition("[")[0] in (*defined, ""), f"{name}: {test}"


def test_a_mutant_that_cannot_be_planted_is_reported_and_ends_nothing():
    """Also where it takes the only turn."""
    mutant = Mutant("data/audio.py", "no such text", "", "test_wav.py")
    found = dict(fates([(name, mutant.tests, mutant) for name in "ab"], 1))
    assert list(found) == ["a", "b"]
    for fate in found.values():
        assert isinstance(fate, ValueError) and "0 times in gm_jax/data/audio.py" in str(fate)
