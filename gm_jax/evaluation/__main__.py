"""python -m gm_jax.evaluation A B --metrics=fid,kid,prdc --protocol=pytorch_fid

A is evaluated, B is the reference. Each is a folder of images, an npz of images, a TFDS split
(tfds:NAME/SPLIT), a run's workdir (run:WORKDIR), or a statistics file. Without B, the statistics of
A are computed, and kept with --save. A table goes to the screen, the full result to a JSON file.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ml_collections import ConfigDict

from gm_jax import outputs
from gm_jax.cache import cache_directory
from gm_jax.data import open_source
from gm_jax.errors import UserError
from gm_jax.evaluation import statistics
from gm_jax.evaluation.errors import EvaluationError
from gm_jax.evaluation.image_sets import Images, of_source, open_images
from gm_jax.evaluation.metrics import (
    needs,
    parse_metrics,
    refuse_lacking,
    report,
    with_layers,
)
from gm_jax.evaluation.passes import pass_over
from gm_jax.evaluation.protocols import (
    PROTOCOLS,
    Protocol,
    Provenance,
    inception_features,
    refuse_mismatch,
)
from gm_jax.evaluation.runs import is_run, open_run
from gm_jax.evaluation.sheet import nearest, save_sheet
from gm_jax.evaluation.statistics import Statistics
from gm_jax.evaluation.weights import load_inception


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    p = argparse.ArgumentParser(
        "python -m gm_jax.evaluation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("a", metavar="A", help="the images to evaluate, or their statistics")
    p.add_argument("b", metavar="B", nargs="?", help="the reference")
    p.add_argument(
        "--metrics",
        default="fid",
        help="some of fid, fid_64, fid_192, fid_768, sfid, is, kid, prdc, swd, msssim",
    )
    p.add_argument("--protocol", choices=PROTOCOLS, help="default: tf2015")
    p.add_argument("--grey", choices=("refuse", "repeat"), default="refuse")
    p.add_argument("--weights", help="Inception's weights: .pth, .npz, .safetensors")
    p.add_argument("--weights-sha256", help="accept weights with this hash under another name")
    p.add_argument("--download-weights", action="store_true")
    p.add_argument(
        "--samples", type=int, default=10_000, help="the number of samples that a run draws"
    )
    p.add_argument("--batch-size", type=int, help="default: 8 on a CPU, 64 elsewhere")
    p.add_argument("--no-uncertainty", action="store_true", help="no interval, limit and floor")
    p.add_argument("--out", default="evaluation.json")
    p.add_argument("--save", help="where to keep A's statistics")
    p.add_argument("--sheet", help="PNG of A's first images beside their nearest ones in B")
    p.add_argument("--cache", default=str(cache_directory() / "statistics"))
    return p


def evaluate(args: argparse.Namespace) -> dict:
    """The result of the command, as the dict that goes to the JSON file."""
    stated = PROTOCOLS[args.protocol]._replace(grey=args.grey) if args.protocol else None
    protocol = stated or PROTOCOLS["tf2015"]._replace(grey=args.grey)
    metrics = parse_metrics(args.metrics)
    _check_numbers(args)
    opened = [open_side(name, stated, args.samples) for name in filter(None, (args.a, args.b))]
    images = [side for side in opened if isinstance(side, Images)]
    if args.sheet and len(images) < 2:
        raise EvaluationError("a sheet needs the images of A and B, not their statistics")
    _check_outputs(args)
    sides = opened
    if images:
        weights = load_inception(args.weights, args.weights_sha256, args.download_weights)
        features = inception_features(weights, protocol)
        metrics = with_layers(metrics, tuple(features.layers))
        provenance = Provenance(protocol, features.name, features.fingerprint)
        for name, side in zip("AB", opened, strict=False):
            if not isinstance(side, Images):
                refuse_mismatch(side.provenance, provenance)
                refuse_lacking(name, side, metrics)
        needed = needs(metrics, [side.size for side in images])
        sides = [
            pass_over(side, features, protocol, needed, args.batch_size, Path(args.cache))
            if isinstance(side, Images)
            else side
            for side in opened
        ]
    a, b = (*sides, None)[:2]
    if args.save:
        statistics.save(a, args.save)
    if args.sheet:
        write_sheet(args.sheet, *images)
    return {"a": args.a, "b": args.b, **report(a, b, metrics, not args.no_uncertainty)}


def _check_numbers(args: argparse.Namespace) -> None:
    if args.batch_size is not None and args.batch_size < 1:
        raise EvaluationError(f"--batch-size must be at least 1, not {args.batch_size}")
    if args.samples < 2:
        raise EvaluationError(f"--samples must be at least 2, not {args.samples}")


def _check_outputs(args: argparse.Namespace) -> None:
    """Raises UserError, before the pass, if its results could not be written."""
    for option in ("out", "save", "sheet"):
        path = getattr(args, option)
        if path is not None:
            outputs.check(path, f"choose another --{option}")


def open_side(name: str, stated: Protocol | None, samples: int) -> Images | Statistics:
    """The contents of a statistics file, or images to pass over."""
    if Path(name).is_file() and statistics.holds_statistics(name):
        return statistics.load(name, stated)
    if name.startswith("tfds:"):
        dataset, _, split = name.removeprefix("tfds:").partition("/")
        return of_source(open_source(ConfigDict({"name": dataset}), split or "test"))
    workdir = name.removeprefix("run:")
    if workdir != name or is_run(Path(name)):
        return open_run(workdir, samples)
    return open_images(name)


def write_sheet(path: str, a: Images, b: Images, rows: int = 16) -> None:
    """The first images of A, each beside the three images of B that are nearest in pixels."""
    first = next(iter(a.batches()))[:rows]
    save_sheet(path, first, nearest(first, b.batches())[0])


def table(result: dict) -> str:
    """The result as a table for the screen."""
    protocol = result["protocol"]
    columns = f"{'value':>14}{'std':>12}{'95% interval':>24}{'N -> inf':>12}{'floor':>12}"
    lines = [
        f"A {result['a']} (N1 = {result['n1']})   B {result['b']} (N2 = {result['n2']})",
        f"protocol {protocol['name']}: {protocol['resize']}, {protocol['scale']}, "
        f"{protocol['quantisation']}   {result['features']} {result['weights']}",
        f"{'metric':<20}{columns}",
    ]
    for name, r in result["metrics"].items():
        std = f"{r['std']:.4g}" if "std" in r else ""
        interval = "[{:.5g}, {:.5g}]".format(*r["interval95"]) if "interval95" in r else ""
        limit = f"{r['infinity']:.5g}" if "infinity" in r else ""
        floor = f"{r['floor']['value']:.5g}" if "floor" in r else ""
        lines.append(f"{name:<20}{r['value']:>14.6g}{std:>12}{interval:>24}{limit:>12}{floor:>12}")
    return "\n".join([*lines, *(f"warning: {w}" for w in result["warnings"])])


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 with one line on stderr if something cannot be evaluated."""
    args = parser().parse_args(argv)
    try:
        result = evaluate(args)
        _print(table(result))
        with outputs.whole(args.out) as file:
            text = json.dumps(result, indent=2, default=np.ndarray.tolist) + "\n"
            file.write(text.encode())
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _print(text: str) -> None:
    """Prints names in any alphabet, with question marks for what the screen cannot show."""
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "replace").decode(encoding))


if __name__ == "__main__":
    sys.exit(main())
