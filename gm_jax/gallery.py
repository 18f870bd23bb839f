"""The gallery: a small picture of each recipe's run, and the page that shows all of them."""

import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from gm_jax import data, zoo
from gm_jax.errors import UserError
from gm_jax.recipes import header, load_config
from gm_jax.trained import Trained, sample

LARGEST = 60_000  # bytes of a picture
FEWEST = 4  # examples of a picture, which may then be larger
TEXT = 1200  # characters of a text

TITLES = {
    "adversarial": "Adversarial",
    "autoencoders": "Autoencoders",
    "autoregressive": "Autoregressive",
    "diffusion": "Diffusion",
    "energy": "Energy",
    "translation": "Translation",
    "multimodal": "Text and image",
    "features": "Features",
}


def keep(trained: Trained, name: str, folder: Path) -> Path:
    """A run's samples, or whatever it shows, as `folder`/NAME: a PNG of at most LARGEST bytes.

    Text stays text, sounds become spectrograms. A picture that is too large shows fewer examples.
    Raises UserError if the run shows nothing.
    """
    counts = {name: count for name, count in trained.config.show.counts.items() if count}
    if not counts:
        raise UserError(
            "this run shows nothing (show.counts): name one of its functions,"
            " --config.show.counts.NAME=16"
        )
    function = "sample" if "sample" in counts else next(iter(counts))
    count = counts[function]
    folder.mkdir(parents=True, exist_ok=True)
    outputs = sample(trained, count, function)
    with tempfile.TemporaryDirectory() as scratch:
        while True:
            first = {k: v[:count] for k, v in outputs.items()}
            (full, *_) = data.show(first, Path(scratch) / name)
            kept = folder / full.with_suffix(".txt" if full.suffix == ".txt" else ".png").name
            if full.suffix == ".txt":
                kept.write_text(full.read_text(encoding="utf-8")[:TEXT] + "\n", encoding="utf-8")
            elif full.suffix == ".wav":
                _spectrogram(outputs, kept)
            else:
                palette = Image.open(full).convert("P", palette=Image.Palette.ADAPTIVE)
                palette.save(kept, optimize=True)
            if kept.stat().st_size <= LARGEST or count <= FEWEST:
                return kept
            count //= 2


def _spectrogram(outputs: dict, path: Path) -> None:
    """The first sounds of a batch over time and frequency, one after another."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4, 2), dpi=80, layout="constrained")
    axes = figure.add_subplot()
    sound = np.concatenate(list(outputs["audio"][:4])).astype(np.float32) / 2**15
    axes.specgram(sound + 1e-6, NFFT=256, noverlap=128, Fs=int(outputs["rate"][0]), cmap="magma")
    axes.set(xlabel="seconds", ylabel="Hz")
    figure.savefig(path)


def page(configs: Path, gallery: Path) -> str:
    """All recipes by family, in Markdown: picture, status, our number, time.

    gallery  the folder of pictures that `keep` filled, beside the page
    """
    lines = ["# The zoo", "", "Made by `python launch.py --list=docs/zoo.md`.", ""]
    recipes = {path: load_config(path) for path in sorted(configs.glob("[!_]*.py"))}
    for family, title in TITLES.items():
        lines += [f"## {title}", "", "| | recipe | data | status | measured | time |"]
        lines += ["|---|---|---|---|---|---|"]
        for path, config in recipes.items():
            if zoo.SYSTEMS[config.system].__name__.split(".")[1] == family:
                lines.append(_row(path, config, gallery))
        lines.append("")
    return "\n".join(lines)


def _row(path: Path, config, gallery: Path) -> str:
    fields = header(path)
    status, measured, time = (_clause(fields.get(n, "")) for n in ("status", "measured", "time"))
    picture = ""
    if (gallery / f"{path.stem}.png").exists():
        picture = f'<img src="{gallery.name}/{path.stem}.png" width="160">'
    elif (gallery / f"{path.stem}.txt").exists():
        picture = f"[text]({gallery.name}/{path.stem}.txt)"
    title = fields["title"].rstrip(".").replace("|", r"\|")
    recipe = f"[{path.stem}](../{path.parent.name}/{path.name})<br>{title}"
    data_name = config.data.name
    return f"| {picture} | {recipe} | {data_name} | {status} | {measured} | {time} |"


def _clause(text: str) -> str:
    """The first clause of a header's field."""
    return text.split("; ")[0].replace("|", r"\|")
