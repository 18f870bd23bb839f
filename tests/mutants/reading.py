"""Mistakes in reading ahead, in what is kept in memory, and in moving batches to the devices."""

from mutants import Mutant

PIPELINE, EXAMPLES, RECORDS = "data/pipeline.py", "data/examples.py", "data/records.py"
KEPT = (
    "test_reading_ahead.py::"
    "test_batches_of_kept_examples_are_those_of_examples_decoded_at_each_visit"
)
ENDED = "test_reading_ahead.py::test_a_run_that_ends_or_fails_closes_its_stream"
AHEAD = "test_reading_ahead.py::test_only_what_is_decoded_once_is_read_far_ahead"
STAGED = "test_reading_ahead.py::test_a_staged_batch_is_played_bitwise_as_one_on_the_host"
ONCE = "test_folders.py::test_pictures_are_read_in_several_threads_in_order"
OTHER = "test_reading_ahead.py::test_records_of_another_format_are_left_to_tfds"
READING = {
    "reading: a batch late": Mutant(
        PIPELINE, "slice(start, None)", "slice(start + 1, None)",
        "test_reading_ahead.py::test_a_batch_alone_is_the_one_of_the_stream",
    ),
    "reading: goes on behind a failed run": Mutant(
        "training/loop.py", "contextlib.closing(game)", "contextlib.nullcontext()", ENDED
    ),
    "reading: what is not kept is read far ahead": Mutant(
        PIPELINE, "if not source.kept:", "if source.size is None:", AHEAD
    ),
    "reading: several epochs ahead": Mutant(
        PIPELINE, "min(AHEAD // values, source.size)", "AHEAD // values", AHEAD
    ),
    "reading: decoded at each visit": Mutant(
        "data/workers.py", "known[missing] = True", "known[missing] = False", ONCE
    ),
    "reading: kept where another belongs": Mutant(
        EXAMPLES, "arrays[name][indices] = values", "arrays[name][indices[::-1]] = values", KEPT
    ),
    "reading: crops are kept": Mutant(
        EXAMPLES, "if kept and not at_random:", "if kept:", KEPT
    ),
    "reading: every format is records of bytes": Mutant(
        RECORDS, "single and isinstance(data, ArrayRecordDataSource)", "single", OTHER
    ),
    "staging: the whole batch on each device": Mutant(
        "training/parallel.py", "PartitionSpec(replicas.NAME))", "PartitionSpec())",
        STAGED,
    ),
}  # fmt: skip
