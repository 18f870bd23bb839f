"""Train, sample and evaluate from recipes.

    python launch.py --config=configs/ddpm_digits.py --workdir=runs/ddpm_digits
    python launch.py --workdir=runs/ddpm_digits --mode=sample
    python launch.py --workdir=runs/ddpm_digits --mode=evaluate
    python launch.py --config=configs/study_ring.py --workdir=runs/study_ring --mode=study
    python launch.py --list

The same command goes on where an interrupted run stopped. `configs/NAME.py:smoke` runs any recipe
in seconds; `--config.optimizer.learning_rate=3e-4` overrides one setting.
"""

import re
import sys
from pathlib import Path

import jax
from absl import app, flags, logging
from ml_collections import config_flags

import gm_jax
from gm_jax import recipes
from gm_jax.cache import cache_directory
from gm_jax.training.loop import Stopped

CONFIGS = Path(__file__).parent / "configs"

CONFIG = config_flags.DEFINE_config_file("config", None, "Recipe, configs/NAME.py[:VARIANT].")
WORKDIR = flags.DEFINE_string("workdir", None, "Where the run lives.")
MODE = flags.DEFINE_enum("mode", "train", ["train", "sample", "evaluate", "study"], "What to do.")
LIST = flags.DEFINE_bool("list", False, "Print the table of recipes and stop.")
COORDINATOR = flags.DEFINE_string("coordinator", None, "host:port of process 0, on plain hosts.")
PROCESSES = flags.DEFINE_integer("processes", None, "How many processes take part.")
PROCESS = flags.DEFINE_integer("process", None, "Which of them this is, from 0.")
POD = flags.DEFINE_bool("pod", False, "Join the processes that the TPU pod or Slurm started.")


def main(_):
    if LIST.value:
        print(recipes.table(CONFIGS))
        return
    if WORKDIR.value is None or (MODE.value in ("train", "study") and CONFIG.value is None):
        raise gm_jax.UserError("say --config=configs/NAME.py and --workdir=DIR; --help shows more")
    logging.set_verbosity(
        logging.ERROR
    )  # Orbax and TFDS talk at length; our own words are warnings.
    _prepare_jax()
    workdir = Path(WORKDIR.value)
    if MODE.value == "study":
        table = gm_jax.study(CONFIG.value, workdir)
        print(table.read_text() if table else "other processes are at work on the last runs")
        return
    if MODE.value == "train":
        gm_jax.train(CONFIG.value, workdir)
        print(f"trained; pictures are in {workdir / 'samples'}, checkpoints beside them")
        return
    trained = gm_jax.load(workdir, CONFIG.value)
    if MODE.value == "sample":
        files = gm_jax.show(trained, workdir / "samples")
        files.append(gm_jax.save_samples(trained, workdir / "samples"))
        print("\n".join(map(str, files)))
    else:
        print(gm_jax.report(gm_jax.evaluate(trained, workdir)))


def _prepare_jax():
    """Joins the processes of a pod, and keeps compiled programs for the next run."""
    if not jax.config.jax_compilation_cache_dir:
        jax.config.update("jax_compilation_cache_dir", str(cache_directory() / "xla"))
    if COORDINATOR.value:
        jax.config.update("jax_cpu_collectives_implementation", "gloo")
        jax.distributed.initialize(COORDINATOR.value, PROCESSES.value, PROCESS.value)
    elif POD.value:
        jax.distributed.initialize()


def _parse(argv):
    """The flags, with every mistake in them said in one line."""
    for argument in argv[1:]:
        if argument.startswith("--config="):
            gm_jax.load_config(argument.removeprefix("--config="))
    try:
        return flags.FLAGS(argv)
    except (flags.Error, AttributeError, KeyError, TypeError, ValueError, OSError) as error:
        while error.args and isinstance(error.args[0], Exception):
            error = error.args[0]
        text = " ".join(str(error.args[0] if error.args else error).replace("\\n", " ").split())
        key = re.fullmatch(r"'?(\w+)'?( Did you mean .*)?", text)
        if key:
            hint = f".{key[2]}" if key[2] else "; its file shows those it has"
            text = f"this recipe has no setting {key[1]!r}{hint}"
        group = re.match(r"flag --config\.(\S+?)=.* as a ConfigDict", text)
        if group:
            text = (
                f"{group[1]} holds settings of its own, --config.{group[1]}.NAME=...; a recipe may"
                " have a variant, configs/NAME.py:VARIANT, in which it is one value"
            )
        raise gm_jax.UserError(text) from error


def run():
    """The program: mistakes of use end in one line and exit code 2, a stopped run in 130."""
    try:
        app.run(main, flags_parser=_parse)
    except gm_jax.UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except Stopped as stopped:
        print(stopped, file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    run()
