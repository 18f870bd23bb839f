"""python -m gm_jax.evaluation A B --metrics=fid,kid,prdc --protocol=pytorch_fid

A is judged, B is the reference: each a folder of images, an npz of images, a TFDS split
(tfds:NAME/SPLIT), a run's workdir (run:WORKDIR), or a statistics file. Without B, A's own
statistics are made and can be kept with --save. A table goes to the screen, all of it to a JSON
file.
"""

import argparse
import json
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ml_collections import ConfigDict

from gm_jax.cache import cache_directory
from gm_jax.data import open_source
from gm_jax.errors import UserError
from gm_jax.evaluation import statistics
from gm_jax.evaluation.errors import EvaluationError
from gm_jax.evaluation.metrics import (
    needs,
    parse_metrics,
    report,
    with_layers,
)
from gm_jax.evaluation.passes import pass_over
from gm_jax.evaluation.protocols import PROTOCOLS, Protocol, inception_features
from gm_jax.evaluation.sheet import nearest, save_sheet
from gm_jax.evaluation.sources import Images, of_source, open_images
from gm_jax.evaluation.statistics import Statistics
from gm_jax.evaluation.weights import load_inception
from gm_jax.run import sample_images


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    p = argparse.ArgumentParser(
        "python -m gm_jax.evaluation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("a", metavar="A", help="the images that are judged, or their statistics")
    p.add_argument("b", metavar="B", nargs="?", help="the reference")
    p.add_argument(
        "--metrics", default="fid", help="of fid, fid_768, sfid, is, kid, prdc, swd, msssim"
    )
    p.add_argument("--protocol", choices=PROTOCOLS, help="default tf2015")
    p.add_argument("--grey", choices=("refuse", "repeat"), default="refuse")
    p.add_argument("--weights", help="Inception's: .pth, .npz, .safetensors")
    p.add_argument("--weights-sha256", help="accept weights with this hash under another name")
    p.add_argument("--download-weights", action="store_true")
    p.add_argument("--samples", type=int, default=10_000, help="how many a run draws")
    p.add_argument("--batch-size", type=int, help="default 8 on a CPU, 64 elsewhere")
    p.add_argument("--no-uncertainty", action="store_true", help="no interval, limit and floor")
    p.add_argument("--out", default="evaluation.json")
    p.add_argument("--save", help="where to keep A's statistics (.npz)")
    p.add_argument("--sheet", help="PNG of A's first images beside their nearest ones in B")
    p.add_argument("--cache", default=str(cache_directory() / "statistics"))
    return p


def evaluate(args: argparse.Namespace) -> dict:
    """All that the command does, as the dict that goes to the JSON file."""
    stated = PROTOCOLS[args.protocol]._replace(grey=args.grey) if args.protocol else None
    protocol = stated or PROTOCOLS["tf2015"]._replace(grey=args.grey)
    metrics = parse_metrics(args.metrics)
    sides = [open_side(name, stated, args.samples) for name in filter(None, (args.a, args.b))]
    images = [side for side in sides if isinstance(side, Images)]
    if images:
        weights = load_inception(args.weights, args.weights_sha256, args.download_weights)
        features = inception_features(weights, protocol)
        metrics = with_layers(metrics, tuple(features.layers))
        wanted = needs(metrics, [side.size for side in images])
        sides = [
            pass_over(side, features, protocol, wanted, args.batch_size, Path(args.cache))
            if isinstance(side, Images)
            else side
            for side in sides
        ]
    a, b = (*sides, None)[:2]
    if args.save:
        statistics.save(a, args.save)
    if args.sheet:
        write_sheet(args.sheet, args.a, args.b, args.samples)
    return {"a": args.a, "b": args.b, **report(a, b, metrics, not args.no_uncertainty)}


def open_side(name: str, stated: Protocol | None, samples: int) -> Images | Statistics:
    """A statistics file's contents, or images to pass over."""
    if Path(name).suffix == ".npz" and Path(name).is_file():
        try:
            members = set(zipfile.ZipFile(name).namelist())
        except zipfile.BadZipFile as error:
            raise EvaluationError(f"{name} is broken or truncated: {error}") from None
        if members & {"gm_jax.npy", "mu.npy"}:
            return statistics.load(name, stated)
    if name.startswith("tfds:"):
        dataset, _, split = name.removeprefix("tfds:").partition("/")
        return of_source(open_source(ConfigDict({"name": dataset}), split or "test"))
    workdir = name.removeprefix("run:")
    if workdir != name or (Path(name) / "config.json").is_file():
        return Images(name, samples, "", lambda: sample_images(workdir, samples))
    return open_images(name)


def write_sheet(path: str, a: str, b: str | None, samples: int, rows: int = 16) -> None:
    """The first images of A, each beside the three of B that are nearest in pixels."""
    sides = [open_side(name, None, samples) for name in filter(None, (a, b))]
    if len(sides) != 2 or not all(isinstance(side, Images) for side in sides):
        raise EvaluationError("a sheet needs the images of A and B, not their statistics")
    first = next(iter(sides[0].batches()))[:rows]
    save_sheet(path, first, nearest(first, sides[1].batches())[0])


def table(result: dict) -> str:
    """The result as lines for the screen."""
    protocol = result["protocol"]
    lines = [
        f"A {result['a']} (N1 = {result['n1']})   B {result['b']} (N2 = {result['n2']})",
        f"protocol {protocol['name']}: {protocol['resize']}, {protocol['scale']}, "
        f"{protocol['quantisation']}   {result['features']} {result['weights']}",
        f"{'metric':<20}{'value':>14}{'±':>12}{'95% interval':>24}{'N → ∞':>12}{'floor':>12}",
    ]
    for name, r in result["metrics"].items():
        std = f"{r['std']:.4g}" if "std" in r else ""
        interval = "[{:.5g}, {:.5g}]".format(*r["interval95"]) if "interval95" in r else ""
        limit = f"{r['infinity']:.5g}" if "infinity" in r else ""
        floor = f"{r['floor']['value']:.5g}" if "floor" in r else ""
        lines.append(f"{name:<20}{r['value']:>14.6g}{std:>12}{interval:>24}{limit:>12}{floor:>12}")
    return "\n".join([*lines, *(f"warning: {w}" for w in result["warnings"])])


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 with one line on stderr for what cannot be judged."""
    args = parser().parse_args(argv)
    try:
        result = evaluate(args)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(table(result))
    Path(args.out).write_text(json.dumps(result, indent=2, default=np.ndarray.tolist) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
