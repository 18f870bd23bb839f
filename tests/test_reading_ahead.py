"""Reading ahead: fast and plain paths give the same batches, and no more is read than is needed."""

import itertools
import threading
import time

import jax
import numpy as np
import pytest
from picture_files import RNG, source_of, write
from PIL import Image
from test_phases import SETTINGS, climb

from gm_jax import UserError, data
from gm_jax.data import pipeline
from gm_jax.data.records import reader
from gm_jax.data.shuffling import shuffled
from gm_jax.model import Field, Phase
from gm_jax.training import loop, parallel

ALL = slice(0, 8)


def assert_equal(a, b):
    assert set(a) == set(b)
    for name in a:
        assert a[name].dtype == b[name].dtype
        np.testing.assert_array_equal(a[name], b[name])


@pytest.mark.parametrize("settings", [{}, {"size": 4}, {"size": 4, "crop": "random"}])
def test_batches_of_kept_examples_are_those_of_examples_decoded_at_each_visit(
    root, monkeypatch, settings
):
    """Of four epochs, read from the middle on by two processes of which each reads some rows."""
    for number in range(20):
        image = Image.fromarray(RNG.integers(0, 256, (6, 8, 3), np.uint8))
        write(root, f"{'ab'[number % 2]}/{number}.png", image=image)

    def batches(memory, start, rows):
        monkeypatch.setattr("gm_jax.data.workers.KEPT_BYTES", memory)
        data.folder._folder.cache_clear()
        source = source_of(root, **settings)
        assert source.kept == bool(memory) and bool(source.visit) == ("crop" in settings)
        return list(itertools.islice(data.training_batches(source, 8, 3, start, rows), 10))

    plain = batches(0, 2, ALL)
    assert plain[0]["image"].dtype == np.uint8 and plain[0]["label"].dtype == np.int32
    for start, rows in ((2, ALL), (2, slice(0, 5)), (6, slice(5, 8))):
        for batch, whole in zip(batches(2**31, start, rows), plain[start - 2 :], strict=False):
            assert_equal(batch, {name: values[rows] for name, values in whole.items()})


def test_a_batch_alone_is_the_one_of_the_stream():
    source = data.from_arrays("numbers", {"x": np.arange(20)}, {})
    stream = data.training_batches(source, 8, 3, 4, ALL, put=lambda b: {**b, "x": -b["x"]})
    alone = data.batch_at(source, 8, 3, ALL)
    for position, batch in zip((4, 5, 6), stream, strict=False):
        np.testing.assert_array_equal(batch["x"], -alone(position)["x"])


def test_only_what_is_decoded_once_is_read_far_ahead():
    source = data.from_arrays("x", {"image": np.zeros((800, 4, 4, 1))}, {"image": Field((4, 4, 1))})
    few = max(4, pipeline.READERS)
    assert pipeline._ahead(source, 8) == few
    assert pipeline._ahead(source._replace(size=None), 8) == few
    kept = source._replace(kept=True)
    assert pipeline._ahead(kept, 8) == 100  # An epoch.
    assert pipeline._ahead(kept._replace(size=2**30), 8) == pipeline.AHEAD // (16 * 8)
    assert pipeline._ahead(kept._replace(spec={"image": Field((4096, 4096, 3))}), 8) == few


def test_nothing_more_is_read_once_a_stream_is_dropped():
    asked, permits, first = [], threading.Semaphore(0), shuffled(np.arange(8), 8000, 0)

    def load(indices):
        if not np.array_equal(indices, first):
            permits.acquire(timeout=60)
        asked.append(indices)
        return {"x": indices}

    source = data.Source("x", 8000, load, {"x": Field(())}, kept=True)
    stream = data.training_batches(source, 8, 0, 0, ALL)
    next(stream)
    del stream
    permits.release(10_000)
    time.sleep(0.2)
    assert len(asked) <= 1 + pipeline.READERS  # Those that were under way.


def test_a_run_that_ends_or_fails_closes_its_stream(tmp_path):
    closed = []

    def start(position, put):
        try:
            while True:
                yield put({"index": np.arange(8, dtype=np.int32), "x": np.zeros(8, np.float32)})
        finally:
            closed.append(position)

    def refuse(variables, step):
        raise UserError("no score")

    first = next(start(0, lambda batch: batch))
    closed.clear()
    batches = loop.Batches(start, first, lambda batch, key: batch)
    phase, one = Phase("train", climb(), None, 3), jax.devices()[:1]
    loop.train(phase, batches, SETTINGS, tmp_path / "ends", devices=one)
    assert closed == [0]
    settings = SETTINGS._replace(periodic=((1, refuse),))
    with pytest.raises(UserError, match="no score") as caught:
        loop.train(phase, batches, settings, tmp_path / "fails", devices=one)
    assert closed == [0, 0] and caught  # While the traceback still holds the run.


@pytest.mark.parametrize("count", [1, 4])
def test_a_staged_batch_is_played_bitwise_as_one_on_the_host(count, monkeypatch):
    devices = jax.devices()[:count]

    def program(variables, frozen, batch, key, step, position, age, last):
        x = jax.lax.psum((batch["x"] * (1.0 + batch["index"])).sum(), "data")
        return variables * 0.9 + x, {"x": x}

    play = parallel.map_move(program, devices)
    batch = {"x": RNG.random(8).astype(np.float32), "index": np.arange(8, dtype=np.int32)}

    def played(batch):
        start = parallel.replicate(np.float32(1.0), devices)
        return play(start, (), batch, jax.random.key(0), 0, 0, 0, True)

    plain = parallel.feed(devices)(batch)
    assert isinstance(plain["x"], np.ndarray)  # A CPU's devices have no memory of their own.
    monkeypatch.setattr(parallel, "_has_memory", lambda device: True)
    staged = parallel.feed(devices)(batch)
    assert staged["x"].shape == plain["x"].shape == (count, 8 // count)
    assert {shard.device for shard in staged["x"].addressable_shards} == set(devices)
    assert {shard.data.shape for shard in staged["x"].addressable_shards} == {(1, 8 // count)}
    jax.tree.map(np.testing.assert_array_equal, played(staged), played(plain))


def test_records_are_decoded_as_tfds_decodes_them(shared):
    import tensorflow_datasets as tfds

    for name in ("mnist", "fashion_mnist"):
        builder = tfds.builder(name, data_dir=shared / "data" / "tfds")
        tfds_own = builder.as_data_source(split="test")
        names = ("image", "label")
        direct = reader(tfds_own, builder.info.features, names)
        rows = [5, 9_999, 0, 5]
        for ours, theirs in zip(direct(rows), tfds_own.__getitems__(rows), strict=True):
            assert_equal(ours, {key: np.asarray(theirs[key]) for key in names})
        assert direct.__name__ == "direct"


def test_records_of_another_format_are_left_to_tfds():
    import tensorflow_datasets as tfds

    class Rows(list):
        def __getitems__(self, rows):
            return [self[row] for row in rows]

    rows = Rows({"label": number, "other": None} for number in range(5))
    read = reader(rows, {"label": tfds.features.ClassLabel(num_classes=5)}, ("label",))
    assert [example["label"] for example in read([3, 1])] == [3, 1]
