"""Train, sample and evaluate from recipes.

    python launch.py --config=configs/ddpm_digits.py --workdir=runs/ddpm_digits
    python launch.py --workdir=runs/ddpm_digits --mode=sample
    python launch.py --workdir=runs/ddpm_digits --mode=evaluate
    python launch.py --config=configs/study_ring.py --workdir=runs/study_ring --mode=study
    python launch.py --list=docs/zoo.md

The same command continues an interrupted run. On SIGINT, SIGTERM, SIGUSR1 and SIGUSR2 a run saves
itself and stops (Slurm: `--signal=USR1@60`). `configs/NAME.py:smoke` runs any recipe in seconds;
`--config.optimizer.learning_rate=3e-4` overrides one setting, and `--config=configs/NAME.py --help`
lists all settings.
"""

import os
import re
import shutil
import sys
import textwrap
from pathlib import Path

import jax
from absl import app, flags, logging
from ml_collections import config_flags

import gm_jax
from gm_jax import gallery, recipes
from gm_jax.cache import cache_directory
from gm_jax.files import path_of
from gm_jax.settings import describe
from gm_jax.training import parallel
from gm_jax.training.loop import Stopped

CONFIGS = Path(__file__).parent / "configs"

WORKDIR = flags.DEFINE_string("workdir", None, "The folder of the run: a path, or gs://BUCKET/...")
MODE = flags.DEFINE_enum("mode", "train", ["train", "sample", "evaluate", "study"], "What to do.")
LIST = flags.DEFINE_string("list", None, "Write the gallery of recipes, docs/zoo.md, and stop.")
GALLERY = flags.DEFINE_string("gallery", None, "With --mode=sample: also keep a picture here.")
COORDINATOR = flags.DEFINE_string("coordinator", None, "host:port of process 0, on plain hosts.")
PROCESSES = flags.DEFINE_integer("processes", None, "The number of processes.")
PROCESS = flags.DEFINE_integer("process", None, "The number of this process, from 0.")
PROFILE = flags.DEFINE_integer(
    "profile", None, "Trace so many rounds into the workdir, after compilation.", lower_bound=1
)
POD = flags.DEFINE_bool("pod", False, "Join the processes that the TPU pod or Slurm started.")


def main(_):
    if LIST.value:
        path = Path(LIST.value)
        path.write_text(gallery.page(CONFIGS, path.parent / "gallery"), encoding="utf-8")
        return
    config = flags.FLAGS.config if "config" in flags.FLAGS else None
    if WORKDIR.value is None or (MODE.value in ("train", "study") and config is None):
        raise gm_jax.UserError("give --config=configs/NAME.py and --workdir=DIR; see --help")
    if PROFILE.value and MODE.value != "train":
        raise gm_jax.UserError(f"--profile traces training, not --mode={MODE.value}")
    # Orbax and TFDS log at length, even the errors they raise. Our own messages are notes.
    logging.set_verbosity(logging.FATAL)
    _prepare_jax()
    workdir = path_of(WORKDIR.value)
    if MODE.value == "study":
        table = gm_jax.study(config, workdir)
        print(table.read_text() if table else "other processes are still running the last runs")
        return
    if MODE.value == "train":
        trained = gm_jax.train(config, workdir, profile=PROFILE.value or 0)
        print(_outcome(trained, workdir))
        return
    trained = gm_jax.load(workdir, config)
    if MODE.value == "sample":
        drawn = {}
        if "sample" in trained.functions:  # A translator only shows what it makes of the data.
            drawn["sample"] = gm_jax.sample(trained, trained.config.sample.count)
        files = gm_jax.show(trained, workdir / "samples", drawn=drawn)
        files += [gm_jax.save_samples(trained, workdir / "samples", d) for d in drawn.values()]
        if GALLERY.value:
            files.append(gallery.keep(trained, _name(), Path(GALLERY.value)))
        print("\n".join(map(str, files)))
    else:
        print(gm_jax.report(gm_jax.evaluate(trained, workdir)))


def _outcome(trained, workdir) -> str:
    """What a training has reached, and where to find it."""
    steps, pictures = trained.phase.steps, workdir / "samples"
    if not steps:
        return "this recipe trains nothing: draw samples with --mode=sample"
    beyond = f", beyond the {steps} of the recipe" if trained.step > steps else ""
    kept = f"checkpoints are in {workdir}"
    if pictures.exists():
        kept = f"pictures are in {pictures}, checkpoints beside them"
    return f"trained to step {trained.step}{beyond}; {kept}"


def _name() -> str:
    """The recipe's name on the command line."""
    argument = next((a for a in sys.argv if a.startswith("--config=")), "")
    if not argument:
        raise gm_jax.UserError("--gallery names the picture after the recipe: give --config=, too")
    return Path(argument.removeprefix("--config=").partition(":")[0]).stem


def _prepare_jax():
    """Joins the processes of a pod, and caches compiled programs for the next run.

    Raises UserError if the processes do not find each other, or if JAX does not start.
    """
    if not jax.config.jax_compilation_cache_dir:
        jax.config.update("jax_compilation_cache_dir", str(cache_directory() / "xla"))
    _check_processes()
    try:
        if COORDINATOR.value:
            jax.config.update("jax_cpu_collectives_implementation", "gloo")
            jax.distributed.initialize(COORDINATOR.value, PROCESSES.value, PROCESS.value)
        elif POD.value:
            jax.distributed.initialize()
    except (RuntimeError, ValueError, KeyError) as error:
        reason = str(error).strip().partition("\n")[0].rstrip(".")
        raise gm_jax.UserError(
            f"the processes did not find each other ({reason}): --pod is for a TPU pod,"
            " srun or mpirun; elsewhere give each --coordinator=HOST:PORT --processes=N --process=I"
        ) from error
    try:
        jax.devices()
    except (RuntimeError, AssertionError) as error:
        raise gm_jax.UserError(
            f"JAX has no devices for JAX_PLATFORMS={os.environ.get('JAX_PLATFORMS', '')}: unset it,"
            " or install JAX for that platform"
        ) from error


def _check_processes():
    """Raises UserError if the flags of several processes contradict each other."""
    numbers = PROCESSES.value is not None, PROCESS.value is not None
    host, _, port = (COORDINATOR.value or "").rpartition(":")
    if POD.value and (COORDINATOR.value or any(numbers)):
        wrong = "--pod excludes --coordinator, --processes and --process"
    elif not COORDINATOR.value and any(numbers):
        wrong = "--processes and --process need --coordinator=HOST:PORT of process 0"
    elif not COORDINATOR.value:
        return
    elif not (host and port.isdigit()):
        wrong = f"--coordinator must be HOST:PORT of process 0, not {COORDINATOR.value!r}"
    elif not all(numbers):
        wrong = "--coordinator needs --processes=N and --process=I, the number of this one, from 0"
    elif not 0 <= PROCESS.value < PROCESSES.value:
        wrong = f"--process must be from 0 to {PROCESSES.value - 1}, not {PROCESS.value}"
    else:
        return
    raise gm_jax.UserError(wrong)


def _parse(argv):
    """The flags; every mistake in them is one line. The recipe's settings become flags first."""
    name, argv = _recipe_name(argv)
    config = gm_jax.load_config(name) if name else None
    if "--help" in argv or "-h" in argv:
        print(_help(config))
        sys.exit(0)
    try:
        if config is not None:
            config_flags.DEFINE_config_dict("config", config, sys_argv=argv)
        strays = flags.FLAGS(argv)[1:]
    except (flags.Error, AttributeError, KeyError, TypeError, ValueError, OSError) as error:
        raise gm_jax.UserError(_one_line(error)) from error
    if strays:
        raise gm_jax.UserError(
            f"{strays[0]!r} is not a flag: join a flag and its value by =, as in --workdir=DIR"
            " or --config.data.flip=false"
        )
    return strays


def _recipe_name(argv: list[str]) -> tuple[str | None, list[str]]:
    """The value of --config, and the other arguments.

    Without it, overrides apply to the recipe of the run in --workdir.
    """
    name, rest, arguments = None, [], iter(argv)
    for argument in arguments:
        flag, equals, value = argument.partition("=")
        if flag in ("--config", "-config"):
            name = value if equals else next(arguments, "")
        else:
            rest.append(argument)
    if name is None and any(a.startswith("--config.") for a in rest):
        workdirs = [a.partition("=")[2] for a in rest if a.startswith("--workdir=")]
        saved = [Path(w).expanduser() / "config.json" for w in workdirs]
        name = next((str(path) for path in saved if path.is_file()), None)
        if name is None:
            raise gm_jax.UserError(
                "--config.NAME=... needs a recipe: give --config=configs/NAME.py"
            )
    return name, rest


def _one_line(error: Exception) -> str:
    """A mistake in the flags as one line."""
    while error.args and isinstance(error.args[0], Exception):
        error = error.args[0]
    text = " ".join(str(error.args[0] if error.args else error).replace("\\n", " ").split())
    key = re.fullmatch(r"'?(\w+)'?( Did you mean .*)?", text)
    if key:
        hint = f".{key[2]}" if key[2] else "; --config=configs/NAME.py --help lists all settings"
        return f"this recipe has no setting {key[1]!r}{hint}"
    group = re.match(r"flag --config\.(\S+?)=.* as a ConfigDict", text)
    if group:
        return (
            f"{group[1]} is a group: set one of its settings, --config.{group[1]}.NAME=..., or use"
            " a variant of the recipe, configs/NAME.py:VARIANT, in which it is one value"
        )
    return text


def _help(config) -> str:
    """The docstring and the flags; with a recipe, also every setting, its value and meaning."""
    lines = [__doc__.strip(), ""]
    for flag in flags.FLAGS.get_key_flags_for_module(sys.modules[__name__]):
        lines += _entry(f"--{flag.name}", flag.help)
    if config is None:
        return "\n".join([*lines, "", "--config=configs/NAME.py --help lists a recipe's settings"])
    lines += ["", f"settings of this recipe ({config.system}), set by --config.NAME=VALUE:", ""]
    for name, value, meaning in describe(recipes.schema_of(config), config):
        lines += _entry(f"{name}={value}", meaning)
    return "\n".join(lines)


def _entry(left: str, meaning: str) -> list[str]:
    """A name and its meaning side by side, wrapped to the width of the terminal."""
    indent, width = 36, max(80, shutil.get_terminal_size().columns)
    first = f"  {left:<{indent - 4}}  "
    lines = textwrap.wrap(meaning, width - indent) or [""]
    if len(first) > indent:
        return [first.rstrip(), *(" " * indent + line for line in lines)]
    return [first + lines[0], *(" " * indent + line for line in lines[1:])]


def run():
    """The program: a user's mistake ends in one line and exit code 2, a stopped run in 130, and
    one of several processes that loses another one in 3."""
    try:
        app.run(main, flags_parser=_parse)
    except gm_jax.UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except Stopped as stopped:
        print(stopped, file=sys.stderr)
        sys.exit(130)
    except jax.errors.JaxRuntimeError as error:
        if not parallel.is_alone(error):
            raise
        reason = str(error).partition("\n")[0][:200]
        print(
            f"error: another process of this run died or does not answer ({reason}): start all of"
            " them again, by the same command, and the run continues",
            file=sys.stderr,
        )
        # At a usual exit JAX would wait for that process, and then abort this one.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(3)


if __name__ == "__main__":
    run()
