"""Mistakes in traces, in what processes share, and in blocks that are computed again."""

from mutants import Mutant

PROFILING, SHARING, REMAT = "training/profiling.py", "evaluation/sharing.py", "nn/remat.py"
COLLECTION = "evaluation/collection.py"
BEFORE = "test_profiling.py::test_every_move_of_a_trace_was_played_before_it"
TRACED = "test_profiling.py::test_a_traced_run_is_the_same_run_and_its_trace_shows_its_rounds"
SHARED = (
    "evaluation/test_statistics.py::test_processes_that_share_a_pass_find_the_statistics_of_one"
)
AGAIN = "test_remat.py::test_blocks_computed_again_keep_their_names_and_less_memory[dit]"
NAMED = AGAIN.replace("dit", "discriminator")  # DiT names its blocks itself.
LOST = "test_launch.py::test_a_process_that_lost_another_one_says_so_and_does_not_wait"

PODS = {
    "profile: a move's compilation in the trace": Mutant(
        PROFILING, "<= played(step, begin)", "<= played(0, begin)", BEFORE
    ),
    "profile: a round too many in the trace": Mutant(
        PROFILING, "if number == begin:\n", "if number == begin - 1:\n", TRACED
    ),
    "sharing: a batch's rows begin at 0 again": Mutant(
        SHARING, "first += len(batch)", "first += 0", SHARED
    ),
    "sharing: images are numbered as if a share were contiguous": Mutant(
        SHARING, "jax.process_index() + jax.process_count() * (", "jax.process_index() * count + (",
        SHARED,
    ),
    "sharing: features stay process by process": Mutant(
        SHARING, "gathered(padded).swapaxes(0, 1)", "gathered(padded)", SHARED
    ),
    "sharing: groups of this process alone": Mutant(
        COLLECTION, "tuple(map(moments.over_processes, g))", "tuple(g)", SHARED
    ),
    "remat: nothing is computed again": Mutant(
        REMAT, "    if not on:\n", "    if True:\n", AGAIN
    ),
    "remat: other names of the parameters": Mutant(
        REMAT, "again.__name__ = module.__name__", "pass", NAMED
    ),
    "pods: any error of a pod is a lost process": Mutant(
        "training/parallel.py", "any(sign in str(error) for sign in CONNECTIONS)", "True", LOST
    ),
    "pods: an error of one process alone is a lost process": Mutant(
        "training/parallel.py", "jax.process_count() > 1 and any(sign", "any(sign", LOST
    ),
}  # fmt: skip
