"""A workdir belongs to one run, survives what befalls files, and says what has changed."""

import errno
import json
import os
import shutil

import buckets
import jax
import numpy as np
import pytest
from PIL import Image

import gm_jax
from gm_jax import files, trained, workdir
from gm_jax.training import checkpoint, parallel, reporting

ONE = jax.devices()[:1]


def pictures(folder, count, seed=0):
    folder.mkdir(exist_ok=True)
    for i, image in enumerate(np.random.default_rng(seed).integers(0, 256, (count, 8, 8), "uint8")):
        Image.fromarray(image).save(folder / f"{i:03d}.png")


def recipe(path="pictures", **changes):
    config = gm_jax.load_config("configs/gan_digits.py:smoke")
    common = {"data.name": "folder", "data.path": str(path), "show.every": 0, "steps": 2}
    common |= {"report.every": 1, "checkpoint.every": 2, "batch_size": 8}
    config.update_from_flattened_dict({**common, **changes})
    return config


@pytest.fixture(scope="module")
def recipes():
    """Recipes by number of steps: the tests of a run move to other directories."""
    return {steps: recipe(steps=steps) for steps in (1, 2, 4)}


@pytest.fixture(scope="module")
def begun(recipes, tmp_path_factory):
    """A run of two steps on twenty pictures, both in the current directory when it began."""
    folder = tmp_path_factory.mktemp("begun")
    with pytest.MonkeyPatch.context() as context:
        context.chdir(folder)
        pictures(folder / "pictures", 20)
        gm_jax.train(recipes[2], "run", ONE)
    return folder


@pytest.fixture
def run(begun, tmp_path, monkeypatch):
    """A copy of it, in a directory of its own, which is the current one."""
    shutil.copytree(begun, tmp_path, dirs_exist_ok=True)
    text = (tmp_path / "run/data.json").read_text()
    (tmp_path / "run/data.json").write_text(text.replace(str(begun), str(tmp_path)))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "run"


def read(path):
    return json.loads(path.read_text())


def test_a_second_run_in_a_workdir_is_refused_by_the_name_of_the_first(run, recipes):
    (run / "lock").write_text("process 1 on elsewhere, long dead")  # The lock is not the file.
    with files.locked(run / "lock") as other:
        assert other is None
        with pytest.raises(gm_jax.UserError, match=f"in use by process {os.getpid()} on .* since"):
            gm_jax.train(recipes[2], run, ONE)
    assert gm_jax.train(recipes[2], run, ONE).step == 2


@pytest.mark.parametrize(
    "tail", [b"\n", b"\0\0\0\0\n", b"\0\0", b'{"phase": "train", "st', b"[]\n"]
)
def test_what_a_log_ends_with_after_a_crash_is_cut_off(tail, tmp_path, capsys):
    lines = [json.dumps({"phase": "train", "step": step}) + "\n" for step in (1, 2, 3)]
    log = tmp_path / "metrics.jsonl"
    log.write_bytes("".join(lines[:2]).encode() + tail + lines[2].encode())
    reporting.close(reporting.open_log(tmp_path, "train", 2, 4, silent=False))
    assert log.read_text() == "".join(lines[:2])
    assert f"note: {log}: 1 damaged line dropped" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"", b"\0" * 40, b"[1]"])
def test_a_damaged_config_is_written_again_from_the_recipe(content, run, recipes, capsys):
    before = (run / "config.json").read_bytes()
    (run / "config.json").write_bytes(content)
    with pytest.raises(gm_jax.UserError, match="config.json is damaged: train with this run"):
        gm_jax.load(run)
    assert gm_jax.train(recipes[2], run, ONE).step == 2
    assert "config.json is damaged; it is rewritten" in capsys.readouterr().err
    assert (run / "config.json").read_bytes() == before


def test_a_damaged_description_of_the_data_is_written_again(run, recipes, capsys):
    before = (run / "data.json").read_bytes()
    (run / "data.json").write_bytes(b"")
    gm_jax.train(recipes[2], run, ONE)
    assert "data.json is damaged or missing: the data may have" in capsys.readouterr().err
    assert (run / "data.json").read_bytes() == before


def test_a_config_of_another_program_or_system_is_refused_by_what_matters_first(run, recipes):
    settings = read(run / "config.json")
    (run / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(gm_jax.UserError, match="is not this library's: it has no `system`"):
        gm_jax.train(recipes[2], run, ONE)
    (run / "config.json").write_text(json.dumps({**settings, "system": "ddpm", "beta": 2.0}))
    with pytest.raises(gm_jax.UserError, match=r"another recipe \(system: 'ddpm', now 'gan'\)"):
        gm_jax.train(recipes[2], run, ONE)


def test_other_examples_are_noted_once(run, recipes, capsys):
    pictures(run.parent / "pictures", 21)
    gm_jax.train(recipes[2], run, ONE)
    assert "the data held 20 examples and holds 21 now" in capsys.readouterr().err
    pictures(run.parent / "pictures", 21, seed=1)
    gm_jax.train(recipes[2], run, ONE)
    assert "the data holds other examples than before" in capsys.readouterr().err
    gm_jax.train(recipes[2], run, ONE)
    assert "note" not in capsys.readouterr().err


def test_fewer_steps_than_were_trained_are_noted_and_change_nothing(run, recipes, capsys):
    assert gm_jax.train(recipes[1], run, ONE).step == 2
    assert "train is already at step 2, beyond steps=1" in capsys.readouterr().err
    assert read(run / "config.json")["steps"] == 2


def test_data_that_has_moved_is_taken_from_where_it_is_now(run, recipes, capsys):
    (run.parent / "pictures").rename(run.parent / "photos")
    advice = r"pictures is gone: say where it is now with .*run/config.json --config.data.path="
    for again in (lambda: gm_jax.load(run), lambda: gm_jax.train(recipes[2], run, ONE)):
        with pytest.raises(gm_jax.UserError, match=advice):
            again()
    moved = recipes[4].copy_and_resolve_references()
    moved.data.path = "photos"
    gm_jax.load(run, moved, ONE)
    assert gm_jax.train(moved, run, ONE).step == 4
    note = f"data.path was {run.parent}/pictures and is now {run.parent}/photos"
    assert capsys.readouterr().err.count(note) == 2
    gm_jax.load(run, devices=ONE)
    assert "note" not in capsys.readouterr().err


def test_a_run_finds_its_data_from_another_directory(run, recipes, tmp_path, monkeypatch, capsys):
    assert read(run / "config.json")["data"]["path"] == "pictures"
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    gm_jax.load("../run", devices=ONE)
    assert (
        f"'pictures', which is not found from here: using {tmp_path}/pictures"
        in capsys.readouterr().err
    )
    assert gm_jax.train(recipes[4], "../run", ONE).step == 4


@pytest.mark.parametrize("broken", ["checkpoint", "log"])
def test_a_full_disk_is_one_line_and_the_run_goes_on_afterwards(broken, run, recipes, monkeypatch):
    """As if it had never been full."""
    shutil.copytree(run, run.parent / "whole")
    whole = gm_jax.train(recipes[4], run.parent / "whole", ONE)

    def full(*given, **named):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as context:
        if broken == "checkpoint":
            context.setattr(checkpoint.ocp.CheckpointManager, "save", full)
        else:
            context.setattr(files, "append", full)
        with pytest.raises(
            gm_jax.UserError, match=r"No space left on device\): .*the same command"
        ):
            gm_jax.train(recipes[4], run, ONE)
    again = gm_jax.train(recipes[4], run, ONE)
    jax.tree.map(
        np.testing.assert_array_equal,
        *(parallel.to_host(t.variables.params) for t in (whole, again)),
    )
    assert (run / "metrics.jsonl").read_text() == (run.parent / "whole/metrics.jsonl").read_text()


def test_a_folder_that_cannot_be_written_is_refused_before_the_work(run, monkeypatch):
    model = gm_jax.load(run, devices=ONE)
    monkeypatch.setattr(trained, "sample", lambda *given: pytest.fail("it worked first"))
    (run.parent / "file").write_text("in the way")
    for write in (gm_jax.show, trained.save_samples):
        with pytest.raises(gm_jax.UserError, match=r"cannot write to .*/file/x \(Not a directory"):
            write(model, run.parent / "file/x")


def test_a_reader_leaves_a_run_as_it_is(run):
    for file in (run / "checkpoints/train/2/variables/d").iterdir():
        file.write_bytes(file.read_bytes()[:100])
    before = sorted(run.rglob("*"))
    with (
        pytest.warns(RuntimeWarning, match="checkpoint 2 cannot be read"),
        pytest.raises(gm_jax.UserError, match="holds no checkpoint yet"),
    ):
        gm_jax.load(run, devices=ONE)
    assert sorted(run.rglob("*")) == before


def test_processes_with_other_files_do_not_begin(monkeypatch):
    other = {"spec": {"image": {"shape": [8, 8, 1]}}, "size": 19}
    monkeypatch.setattr(parallel, "gather", lambda text: [text, json.dumps(other)])
    with pytest.raises(gm_jax.UserError, match="size is 20 on process 0 and 19 on 1; start all"):
        workdir.agree("data", {**other, "size": 20})
    workdir.agree("data", other)


def test_a_failure_of_one_process_stops_the_others(monkeypatch):
    """Whichever meeting point they are at."""
    message = np.frombuffer(b"no data here", np.uint8)

    def of_two(mine):
        theirs = np.array([message.size, 1], np.int32) if mine.size == 2 else message
        return np.stack([theirs, mine])

    monkeypatch.setattr(jax, "process_count", lambda: 2)
    monkeypatch.setattr(parallel.multihost_utils, "process_allgather", of_two)
    for meeting in (parallel.barrier, lambda: parallel.any_process(False), _nothing_together):
        with pytest.raises(gm_jax.UserError, match="process 0 stopped: no data here"):
            meeting()


def _nothing_together():
    with parallel.together():
        pass


def test_names_of_paths(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert str(files.path_of("~/run")) == "/home/me/run"
    assert str(files.path_of("a:b ~")) == "a:b ~"
    with pytest.raises(
        gm_jax.UserError, match="s3://b/run is not a place for runs: use a path on a disk, or gs://"
    ):
        files.path_of("s3://b/run")
    monkeypatch.setattr(files.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(gm_jax.UserError, match=r"gs://b/run needs the package gcsfs: .*\[gcs\]"):
        files.path_of("gs://b/run")
    monkeypatch.setattr(files.importlib.util, "find_spec", lambda name: True)

    def offline(path):
        raise RuntimeError("Name or service not known\nand much else")

    monkeypatch.setattr(files.epath.gpath.PosixGPath, "exists", offline)
    with pytest.raises(gm_jax.UserError, match=r"reach gs://b/run \(Name or service not known\):"):
        files.path_of("gs://b/run")


@pytest.mark.slow
def test_a_run_in_a_bucket_is_the_run_on_a_disk(begun, recipes, tmp_path, monkeypatch, capsys):
    """Configuration, log, events, pictures and checkpoints; resumed there, and read from there."""
    monkeypatch.chdir(begun)
    on_disk = recipes[4].copy_and_resolve_references()
    on_disk.update_from_flattened_dict({"show.every": 2, "show.counts.sample": 4})
    in_bucket = on_disk.copy_and_resolve_references()
    in_bucket.steps = 2
    buckets.fake(tmp_path / "buckets", monkeypatch)
    gm_jax.train(in_bucket, "gs://mine/run", ONE)
    assert "gs://mine/run cannot be locked" in capsys.readouterr().err
    there = gm_jax.train(on_disk, "gs://mine/run", ONE)
    here = gm_jax.train(on_disk, tmp_path / "run", ONE)
    loaded = gm_jax.load("gs://mine/run", devices=ONE)
    for model in (there, loaded):
        jax.tree.map(
            np.testing.assert_array_equal,
            *(parallel.to_host(t.variables.params) for t in (here, model)),
        )
    for name in ("metrics.jsonl", "config.json", "data.json"):
        assert (tmp_path / "buckets/mine/run" / name).read_text() == (
            tmp_path / "run" / name
        ).read_text()
    gm_jax.save_samples(loaded, "gs://mine/run/samples")
    names = {file.name for file in (tmp_path / "buckets/mine/run/samples").iterdir()}
    assert names >= {"step_0000004_sample.png", "sample.gif", "samples.npz"}
    assert len(list((tmp_path / "buckets/mine/run/events/train").iterdir())) >= 1
    assert not (begun / "gs:").exists()
