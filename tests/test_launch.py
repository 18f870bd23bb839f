"""The launcher and the recipes: what they do, and what they say to mistakes."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from absl import flags
from absl.testing import flagsaver
from ml_collections import ConfigDict
from picture_files import write
from PIL import Image
from published_files import write_tiny, write_tiny_clip
from sample_files import text_file, wav_folder

import gm_jax
import launch
from gm_jax import gallery, recipes
from gm_jax.data import pairs

ROOT = Path(__file__).parent.parent
RECIPE = re.compile(r"configs/[a-z0-9_]+\.py")
RECIPES = sorted((ROOT / "configs").glob("[!_]*.py"))
# One of each kind of data and family, each time; the others in test-all.
SMOKED = ("vae_digits", "gan_ring")
GOOD = "--config=configs/ddpm_digits.py:smoke"


@pytest.fixture
def fresh_flags():
    """Forgets a recipe's flags afterwards: a program parses its command line once."""
    yield
    for name in [n for n in flags.FLAGS if n.split(".")[0] == "config"]:
        delattr(flags.FLAGS, name)


@pytest.mark.parametrize(
    "arguments,message",
    [
        ([GOOD, "--config.optimizer.lerning_rate=1"], 'Did you mean "learning_rate"'),
        ([GOOD, "--config.nope=1"], "no setting 'nope'; --config=configs/NAME.py --help lists"),
        (
            [GOOD, "--config.data.flip", "false"],
            "'false' is not a flag: .* --config.data.flip=false",
        ),
        ([GOOD, "--", "hello"], "'hello' is not a flag"),
        (["--config.steps=3"], "needs a recipe: give --config=configs/NAME.py"),
        ([GOOD, "--config.batch_size=many"], "batch_size"),
        (
            ["--config=configs/ddpm_digitz.py"],
            r"no recipe at configs/ddpm_digitz.py \(did you mean configs/ddpm_digits.py\?\)",
        ),
        (["--config=gan_digits"], r"did you mean configs/gan_digits.py\?"),
        (["--config=configs/ddpm_digits.py:smok"], "no variant 'smok'.* it has: smoke"),
        ([GOOD, "--config.optimizer=adam"], "optimizer is a group: set one of its settings"),
        (["--confg=x"], "confg"),
        (["--mode=trian"], "mode"),
        (["--profile=0"], "--profile=0: 0 is not a positive integer"),
    ],
)
def test_mistakes_in_the_command_line_are_one_line(arguments, message, fresh_flags):
    with pytest.raises(gm_jax.UserError, match=message) as caught:
        launch._parse(["launch.py", *arguments])
    assert "\n" not in str(caught.value)


def test_help_lists_every_setting_of_a_recipe(capsys, fresh_flags):
    with pytest.raises(SystemExit) as caught:
        launch._parse(["launch.py", GOOD, "--help"])
    assert caught.value.code == 0
    told = capsys.readouterr().out
    for line in ("--workdir", "sampler.steps=4", "sampler.eta=0.0", "beta~_t", "small, learned]"):
        assert line in told
    assert "(default: 50)" in told


def test_any_argument_of_an_optimizer_can_be_set_on_the_command_line(fresh_flags):
    arguments = ["--config.optimizer.b2=.99", "--config.optimizer.nesterov=True"]
    launch._parse(["launch.py", GOOD, *arguments])
    optimizer = flags.FLAGS.config.optimizer
    assert (optimizer.b2, optimizer.nesterov, optimizer.eps) == (0.99, True, None)


def test_a_trained_run_has_its_own_recipe_on_the_command_line(tmp_path, fresh_flags):
    settings = gm_jax.load_config("configs/ddpm_digits.py:smoke")
    (tmp_path / "config.json").write_text(settings.to_json_best_effort())
    arguments = [f"--workdir={tmp_path}", "--mode=sample", "--config.sampler.steps=3"]
    launch._parse(["launch.py", *arguments])
    assert flags.FLAGS.config.sampler.steps == 3 and flags.FLAGS.config.system == "ddpm"


@pytest.mark.parametrize(
    "arguments,message",
    [
        (["--processes=2", "--process=0"], "need --coordinator=HOST:PORT of process 0"),
        (["--coordinator=a:1", "--processes=2"], "needs --processes=N and --process=I"),
        (["--coordinator=a:1", "--processes=2", "--process=2"], "from 0 to 1, not 2"),
        (["--coordinator=a:1", "--processes=2", "--process=-1"], "from 0 to 1, not -1"),
        (["--coordinator=a", "--processes=2", "--process=0"], "HOST:PORT of process 0, not 'a'"),
        (["--pod", "--process=1"], "--pod excludes"),
        (["--pod"], r"did not find each other \(.*\): --pod is for a TPU pod"),
    ],
)
def test_flags_of_processes_that_do_not_fit_are_one_line(arguments, message, monkeypatch):
    def alone(*given):
        raise ValueError("coordinator_address should be defined.")

    monkeypatch.setattr(jax.distributed, "initialize", alone)
    with flagsaver.flagsaver():
        launch.flags.FLAGS(["launch.py", *arguments])
        with pytest.raises(gm_jax.UserError, match=message) as caught:
            launch._prepare_jax()
    assert "\n" not in str(caught.value)


def test_a_platform_that_is_not_installed_is_one_line(monkeypatch):
    def none():
        raise AssertionError

    monkeypatch.setattr(jax, "devices", none)
    monkeypatch.setenv("JAX_PLATFORMS", "cuda")
    with (
        flagsaver.flagsaver(),
        pytest.raises(gm_jax.UserError, match="no devices for JAX_PLATFORMS=cuda: unset it, or"),
    ):
        launch.flags.FLAGS(["launch.py"])
        launch._prepare_jax()


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_a_variant_that_a_recipe_has_not_is_never_the_recipe_itself(recipe):
    with pytest.raises(gm_jax.UserError, match="no variant 'smoek'"):
        gm_jax.load_config(f"{recipe}:smoek")


@pytest.mark.parametrize(
    "processes,message,code",
    [
        (4, "UNKNOWN: Gloo all-reduce failed: Connection closed by peer\nmore", 3),
        (4, "RESOURCE_EXHAUSTED: out of memory", None),
        (1, "UNKNOWN: Gloo all-reduce failed", None),
    ],
)
def test_a_process_that_lost_another_one_says_so_and_does_not_wait(
    processes, message, code, monkeypatch, capsys
):
    def broken(*_, **__):
        raise jax.errors.JaxRuntimeError(message)

    def leave(number):
        raise SystemExit(number)

    monkeypatch.setattr(launch.app, "run", broken)
    monkeypatch.setattr(os, "_exit", leave)
    monkeypatch.setattr(jax, "process_count", lambda: processes)
    with pytest.raises(SystemExit if code else jax.errors.JaxRuntimeError) as caught:
        launch.run()
    if code:
        assert caught.value.code == code
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("error: another process of this run died") and "by peer)" in line


def run_launcher(*arguments):
    return subprocess.run(
        [sys.executable, str(ROOT / "launch.py"), *arguments], capture_output=True, text=True,
        env={**os.environ, "JAX_NUM_CPU_DEVICES": "2"}, cwd=ROOT,
    )  # fmt: skip


def test_train_sample_and_evaluate_from_the_command_line(tmp_path):
    recipe, workdir = "--config=configs/gan_digits.py:smoke", f"--workdir={tmp_path / 'run'}"
    assert run_launcher(recipe, workdir, "--config.show.counts.interpolation=2").returncode == 0
    assert (tmp_path / "run/samples/step_0000004_sample.png").exists()
    sampled = run_launcher(workdir, "--mode=sample")
    assert sampled.returncode == 0, sampled.stderr
    names = [Path(line).name for line in sampled.stdout.splitlines()]
    assert sorted(names) == ["interpolation.png", "sample.png", "samples.npz"]
    with np.load(tmp_path / "run/samples/samples.npz") as archive:
        assert archive["image"].shape == (32, 8, 8, 1) and archive["image"].dtype == np.uint8
    strip = Image.open(tmp_path / "run/samples/interpolation.png")
    assert strip.width > 5 * strip.height
    judged = run_launcher(workdir, "--mode=evaluate")
    assert "fd_classifier_digits" in judged.stdout and "real against real" in judged.stdout
    result = json.loads((tmp_path / "run/evaluation.json").read_text())["fd_classifier_digits"]
    assert result["examples"] == 32 and result["value"] > result["real_against_real"] > 0

    refused = run_launcher("--config=configs/vae_digits.py:smoke", workdir)
    assert refused.returncode == 2
    assert re.fullmatch("error: .* belongs to another recipe .*\n", refused.stderr)


def test_what_a_run_says_at_its_end(tmp_path):
    def said(steps, reached):
        trained = SimpleNamespace(step=reached, phase=SimpleNamespace(steps=steps))
        return launch._outcome(trained, tmp_path)

    assert said(0, 0).startswith("this recipe trains nothing")
    assert said(9, 9) == f"trained to step 9; checkpoints are in {tmp_path}"
    (tmp_path / "samples").mkdir()
    beyond = "trained to step 9, beyond the 4 of the recipe; pictures are in"
    assert said(4, 9) == f"{beyond} {tmp_path / 'samples'}, checkpoints beside them"


def test_a_workdir_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(gm_jax.UserError, match="cannot write to .*choose another --workdir"):
        gm_jax.train(gm_jax.load_config(GOOD[9:]), tmp_path / "file" / "run", jax.devices()[:1])


def test_what_there_is_not_is_refused(tmp_path):
    config = gm_jax.load_config("configs/vae_digits.py:smoke")
    with pytest.raises(gm_jax.UserError, match="is not the workdir of a run"):
        gm_jax.load(tmp_path)
    trained = gm_jax.train(config, tmp_path / "run", jax.devices()[:1])
    with pytest.raises(gm_jax.UserError, match="no function 'samples'; it has: sample"):
        gm_jax.sample(trained, 4, "samples")
    config.batch_size = 15
    with pytest.raises(
        gm_jax.UserError, match="batch_size 15 does not divide by 2 devices: .* such as 16"
    ):
        gm_jax.train(config, tmp_path / "odd", jax.devices()[:2])
    config.system = "vea"
    with pytest.raises(gm_jax.UserError, match="unknown system 'vea'"):
        gm_jax.build(config)


@pytest.mark.parametrize("path", RECIPES, ids=lambda p: p.stem)
def test_every_recipe_carries_its_evidence(path):
    fields = recipes.header(path)
    needed = {"paper", "command", "hardware", "time", "metric", "reference", "measured", "target"}
    assert needed | {"again", "status"} <= set(fields), path
    assert fields["status"] in ("reproduced", "toy", "unverified")
    assert f"--config=configs/{path.name}" in fields["command"]
    assert recipes.load_config(f"{path}:smoke").steps <= 10


def pictures(settings, root):
    """Two pictures that a recipe takes as data of one's own: of classes with captions, or pairs."""
    side = settings.get("resize") or settings.size or 32
    square, layout = np.zeros((side, side), np.uint8), settings.name == "pairs" and settings.layout
    names, colour = ("a", "b"), Image.fromarray(np.stack([square] * 3, axis=-1))
    if layout == "halves":
        return write(
            root, "train/1.png", image=Image.fromarray(np.concatenate([square] * 2, axis=1))
        )
    if layout:
        names = settings.domains or pairs.DOMAINS[layout]
    write(root, *(f"train/{name}/1.png" for name in names), image=colour)
    if layout == "masks":
        write(root, f"train/{names[1]}/1.png", image=Image.fromarray(square))
    if settings.get("captions"):
        for name in names:
            (root / f"train/{name}/1.txt").write_text("a picture of nothing")
    return root


def needs(config, request):
    """A recipe's configuration with data that a test has."""
    written = {"text": text_file, "wav": wav_folder}
    stages = [stage for stage in config.stages.values() if not isinstance(stage, str)]
    for backbone in (part for part in (config, *stages) if part.system == "backbone"):
        backbone.weights = "random"
    if config.system == "stable_diffusion":
        folder = request.getfixturevalue("tmp_path_factory").mktemp("weights")
        config.weights = str(write_tiny(folder))
    if config.system == "clip" and not config.steps:
        folder = request.getfixturevalue("tmp_path_factory").mktemp("weights")
        config.weights = str(write_tiny_clip(folder / "clip")[0])
        config.data.update(name="digits", captions="")
    if config.system == "stylegan2" and not config.steps:
        golden = request.getfixturevalue("shared") / "data" / "stylegan2-golden"
        config.weights = str(golden / "tiny_network.pkl")
    if config.data.name in written:
        config.data.path = str(written[config.data.name]())
    elif config.data.name in ("cifar10", "folder", "pairs"):
        root = pictures(config.data, request.getfixturevalue("tmp_path_factory").mktemp("pictures"))
        name = "pairs" if config.data.name == "pairs" else "folder"
        for part in (config, *stages):
            part.data.update(name=name, path=str(root))
    elif config.data.name == "styled":
        config.data.styles = "patterns"
        if config.data.base == "folder":
            root = request.getfixturevalue("tmp_path_factory").mktemp("pictures")
            config.data.path = str(pictures(config.data, root))
    elif config.data.name == "emoji":
        config.data.path = str(request.getfixturevalue("shared") / "data" / "noto-emoji")
        for stage in stages:
            stage.data.path = config.data.path
    elif config.data.name not in (
        "digits", "ring", "grid", "shapes", "patches", "photographs", "none"
    ):  # fmt: skip
        config.data.directory = str(request.getfixturevalue("shared") / "data" / "tfds")
    return config


@pytest.mark.slow
@pytest.mark.parametrize("path", RECIPES, ids=lambda p: p.stem)
def test_every_recipe_builds(path, request):
    """At its full size, each variant: nothing is compiled."""
    for variant in ("", *variants_of(path)):
        config = gm_jax.load_config(f"{path}:{variant}")
        if any(isinstance(stage, str) and stage for stage in config.stages.values()):
            continue  # On a run that was trained before.
        if variant and path.stem in ("clip", "stable_diffusion"):
            continue  # CLIP's vocabulary is published, too.
        config = needs(config, request)
        if variant and not config.steps and not config.get("weights", "random"):
            continue
        phases = gm_jax.build(config)
        # Published weights as they are.
        untrained = path.stem in ("clip", "lpips", "stable_diffusion", "stylegan2")
        if not variant:  # Stages may be of published weights, too.
            assert (phases[-1].steps == 0) == untrained


def variants_of(path):
    with pytest.raises(gm_jax.UserError, match="no variant") as refusal:
        gm_jax.load_config(f"{path}:of no name")
    return [
        name for name in str(refusal.value).rpartition("it has: ")[2].split(", ") if name != "none"
    ]


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(p, marks=() if p.stem in SMOKED else pytest.mark.slow, id=p.stem)
        for p in RECIPES
    ],
)
def test_every_recipe_smokes(path, tmp_path, request):
    config = needs(gm_jax.load_config(f"{path}:smoke"), request)
    if config.data.directory:
        # A classifier of MNIST takes longer than a smoke test may.
        config.evaluate.update(score=0, agreement=0, preserved=0, modes=0, clustering=0)
    trained = gm_jax.train(config, tmp_path, jax.devices()[:1])
    name = "sample" if "sample" in trained.functions else next(iter(trained.functions))
    samples = gm_jax.sample(trained, 3, name)
    assert {len(values) for values in samples.values()} == {3}
    assert "label" in samples or not config.get("conditional")
    if config.evaluate.counts or config.evaluate.score:
        values = [row["value"] for row in gm_jax.evaluate(trained, tmp_path).values()]
        assert values and np.all(np.isfinite(values))


def test_recipes_that_text_names_exist():
    texts = [*ROOT.glob("gm_jax/**/*.py"), *ROOT.glob("configs/*.py"), *ROOT.glob("*.md")]
    named = {(path, name) for path in texts for name in RECIPE.findall(path.read_text())}
    assert len(named) > 50 and not [pair for pair in named if not (ROOT / pair[1]).exists()]


def test_the_gallery_is_as_the_recipes_say():
    page = gallery.page(ROOT / "configs", ROOT / "docs" / "gallery")
    assert {len(re.split(r"(?<!\\)\|", row)) for row in page.splitlines() if "|" in row} == {8}
    assert page == (ROOT / "docs" / "zoo.md").read_text(encoding="utf-8"), (
        "make it anew: python launch.py --list=docs/zoo.md"
    )


def test_a_run_that_shows_nothing_has_no_picture(tmp_path):
    trained = SimpleNamespace(config=ConfigDict({"show": {"counts": {"sample": 0}}}))
    with pytest.raises(gm_jax.UserError, match="shows nothing"):
        gallery.keep(trained, "clip_shapes", tmp_path)


def test_pictures_of_the_gallery_are_small():
    pictures = [*(ROOT / "docs" / "gallery").iterdir()]
    assert pictures and all(path.stat().st_size <= gallery.LARGEST for path in pictures)
