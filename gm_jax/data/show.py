"""How data is shown: a picture, text or sound file for each entry of a function's outputs.

`kinds.KINDS` says which function shows what. Each takes the entry's values, all outputs and a path
without suffix, and returns the files it wrote. Images [B, H, W, C] become a grid, image sequences
[B, T, H, W, C] (a denoising chain, an interpolation) a row each; videos become rows and a GIF,
points of the plane a scatter over the discriminator's output. Texts are written below one another,
sounds one after another. What a run shows over time becomes a film.
"""

import wave
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

PIXELS = 64  # small images are enlarged to about this many pixels, to be seen
RULE = "-" * 80  # between texts
PAUSE = 0.25  # seconds after a sound
GAP, SHADE = 4, 64  # between pictures: its width in pixels and its grey

Outputs = Mapping[str, np.ndarray]


def grid(images: np.ndarray, columns: int | None = None) -> np.ndarray:
    """Images [B, H, W, C] uint8 as one picture [rows H', columns W', C], GAP pixels apart.

    Sequences of pictures, [B, T, H, W, C], become a row each; several short ones share a row.
    """
    if images.ndim == 5:
        length = images.shape[1]
        beside = max(1, int(np.sqrt(len(images) / length)))
        return grid(images.reshape(-1, *images.shape[2:]), columns=length * beside)
    count, height, width, channels = images.shape
    columns = columns or int(np.ceil(np.sqrt(count)))
    scale = max(1, PIXELS // height)
    slots, cell = -(-count // columns) * columns, (height * scale + GAP, width * scale + GAP)
    cells = np.full((slots, *cell, channels), SHADE, np.uint8)
    cells[:count, :-GAP, :-GAP] = images.repeat(scale, axis=1).repeat(scale, axis=2)
    rows = cells.reshape(-1, columns, *cells.shape[1:]).transpose(0, 2, 1, 3, 4)
    return rows.reshape(-1, columns * cells.shape[2], channels)[:-GAP, :-GAP]


def show_image(images: np.ndarray, outputs: Outputs, path: Path) -> list[Path]:
    """Images [B, H, W, C], or sequences of them, as a grid."""
    path = path.with_suffix(".png")
    _picture(grid(images)).save(path)
    return [path]


def show_video(videos: np.ndarray, outputs: Outputs, path: Path) -> list[Path]:
    """Videos [B, T, H, W, C]: a row of frames each, and moving beside one another.

    Of several films of each example, [B, k, T, H, W, C], one below the other.
    """
    videos = videos.reshape(-1, *videos.shape[-4:])
    moving = path.with_suffix(".gif")
    _save_moving([_picture(grid(frame)) for frame in np.moveaxis(videos, 1, 0)], moving)
    return [*show_image(videos, outputs, path), moving]


def show_segmentation(classes: np.ndarray, outputs: Outputs, path: Path) -> list[Path]:
    """Classes of pixels [B, H, W], a colour each; colours repeat after 20 classes."""
    from matplotlib import colormaps

    colours = np.round(255 * np.array(colormaps["tab20"].colors)).astype(np.uint8)
    return show_image(colours[classes % len(colours)], outputs, path)


def _picture(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)


def _save_moving(frames: list[Image.Image], path: Path) -> None:
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=200, loop=0)


def show_point(points: np.ndarray, outputs: Outputs, path: Path) -> list[Path]:
    """Points [B, 2] of the plane; a `field` [B] known at `field_point` [B, 2] lies behind them.

    The field is left out if its points lie on one line. A `label` [B] gives each point its colour;
    colours repeat after 10.
    """
    path = path.with_suffix(".png")
    figure, axes = _square()
    x, y = points.reshape(-1, 2).T
    field_points = outputs.get("field_point", np.zeros((1, 2)))
    if np.linalg.matrix_rank(field_points - field_points[0]) == 2:
        across, up = field_points.T
        axes.tricontourf(across, up, outputs["field"], levels=24, cmap="RdBu_r")
        axes.set(xlim=(across.min(), across.max()), ylim=(up.min(), up.max()))
    if "label" in outputs:
        look = {"c": outputs["label"] % 10, "cmap": "tab10", "vmin": 0, "vmax": 9, "alpha": 0.8}
    else:
        look = {"c": "black", "alpha": 0.4}
    axes.scatter(x, y, s=2.0, linewidths=0, **look)
    axes.set(xticks=[], yticks=[], aspect="equal")
    figure.savefig(path)
    return [path]


def _square():
    """A small figure without margins, drawn without a display."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3, 3), dpi=100)
    FigureCanvasAgg(figure)
    return figure, figure.add_axes((0, 0, 1, 1))


def show_text(texts: np.ndarray, outputs: Outputs, path: Path) -> list[Path]:
    """Code points [B, T], one example below another."""
    path = path.with_suffix(".txt")
    texts = ["".join(map(chr, points)) for points in texts]
    path.write_text(f"\n{RULE}\n".join(texts) + "\n", encoding="utf-8")
    return [path]


def show_audio(sounds: np.ndarray, outputs: Outputs, path: Path) -> list[Path]:
    """int16 [B, T] at `rate` [B] samples a second, one after another, PAUSE between them."""
    path, rate = path.with_suffix(".wav"), int(outputs["rate"][0])
    sounds = np.pad(sounds, ((0, 0), (0, int(PAUSE * rate))))
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes(sounds.astype("<i2").tobytes())
    return [path]


def film(folder: Path, name: str, most: int = 8) -> list[Path]:
    """What a run showed over time, `folder`/step_*_NAME.png, as a GIF and as small multiples.

    Writes NAME.gif and NAME_over_training.png, of at most `most` pictures from first to last;
    returns them, or nothing if there are fewer than two pictures.
    """
    files = sorted(folder.glob(f"step_*_{name}.png"))
    if len(files) < 2:
        return []
    frames = [Image.open(file).convert("RGB") for file in files]
    moving, still = folder / f"{name}.gif", folder / f"{name}_over_training.png"
    _save_moving(frames, moving)
    chosen = np.unique(np.linspace(0, len(frames) - 1, most).round().astype(int))
    strip = grid(np.stack([np.asarray(frames[i]) for i in chosen]), columns=len(chosen))
    Image.fromarray(strip).save(still)
    return [moving, still]
