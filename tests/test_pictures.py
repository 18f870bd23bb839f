"""Pictures as people bring them, read by one rule for training and evaluation."""

import io
import struct
import zlib

import numpy as np
import pytest
from picture_files import NOISE, RNG, grey, read, source_of, write
from PIL import Image

from gm_jax import UserError, data
from gm_jax.data import pictures
from gm_jax.evaluation.image_sets import open_images
from gm_jax.evaluation.resize import bicubic_weights


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tif", "avif"])
@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_photographs_stand_upright(root, suffix, orientation):
    """White was on the left when the camera wrote it; the EXIF says how to turn it."""
    stored = np.zeros((32, 48, 3), np.uint8)
    stored[:, :24] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    write(root, f"a.{suffix}", image=Image.fromarray(stored), exif=exif)
    (root / f"b.{suffix}").write_bytes((root / f"a.{suffix}").read_bytes())
    turned = np.rot90(stored, {3: 2, 6: 3, 8: 1}[orientation])
    for images in (read(root), next(open_images(str(root)).batches())):
        assert images.shape[1:] == turned.shape
        assert np.abs(images[0].astype(int) - turned).mean() < 16


def png_with_late_exif(orientation):
    """A PNG whose EXIF follows its pixels, as some programs write it."""
    file, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.zeros((4, 6, 3), np.uint8)).save(file, "PNG")
    body = b"eXIf" + exif.tobytes()[6:]
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    whole = file.getvalue()
    return whole[:-12] + chunk + whole[-12:]


def test_an_orientation_behind_the_pixels_is_seen(root):
    (root / "a.png").write_bytes(png_with_late_exif(6))
    assert read(root).shape == (1, 6, 4, 3)


def test_the_content_decides_between_grey_and_colour(root, capsys):
    drawing = grey().point(lambda level: 255 * (level > 127))
    web = Image.fromarray(NOISE).convert("P")  # Its palette has greys and colours.
    cases = {
        "bits": (drawing.convert("1"), 1), "palette": (drawing.convert("P"), 1),
        "plain": (drawing, 1), "web": (web, 3), "colour": (Image.fromarray(NOISE), 3),
    }  # fmt: skip
    for name, (image, channels) in cases.items():
        write(root, f"{name}/a.png", image=image)
        images = read(root / name)
        assert images.shape[-1] == channels, name
        said = "are read as grey (data.channels is 1)" in capsys.readouterr().err
        assert said == (name in ("bits", "palette"))
        np.testing.assert_array_equal(images, next(open_images_of(root / name)))
        capsys.readouterr()
    for name in ("bits", "palette", "plain"):
        np.testing.assert_array_equal(read(root / name)[0, ..., 0], np.asarray(drawing))
    assert read(root / "plain", channels=3).shape[-1] == 3
    assert read(root / "colour", channels=1).shape[-1] == 1


def open_images_of(root):
    """Evaluation's view of a folder of one picture, which it would not judge: doubled."""
    (file,) = root.iterdir()
    twin = root.parent / f"twin_{root.name}"
    twin.mkdir()
    for name in ("a", "b"):
        (twin / f"{name}{file.suffix}").write_bytes(file.read_bytes())
    return (batch[:1] for batch in open_images(str(twin)).batches())


def test_grey_among_colours_becomes_colour_and_this_is_said(root, capsys):
    write(write(root, "a.png"), "b.png", image=grey())
    assert read(root).shape == (2, 8, 8, 3)
    assert "1 of 2 pictures are grey, all are read as RGB" in capsys.readouterr().err


def test_an_alpha_that_is_opaque_is_none(root):
    write(root, "a.png", image=Image.fromarray(NOISE).convert("RGBA"))
    np.testing.assert_array_equal(read(root)[0], NOISE)


def sixteen_bits_a_channel():
    """A PNG of RGB with 16 bits a channel, of which Pillow would drop eight in silence."""
    row = b"\0" + bytes(8 * 3 * 2)
    head = struct.pack(">IIBBBBB", 8, 8, 16, 2, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(row * 8)), (b"IEND", b""))
    chunks = (
        struct.pack(">I", len(x)) + kind + x + struct.pack(">I", zlib.crc32(kind + x))
        for kind, x in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def long_text():
    """A PNG whose text would unpack to more than Pillow allows."""
    body = b"zTXtComment\0\0" + zlib.compress(b"x" * 2**21)
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    whole = png()
    return whole[:33] + chunk + whole[33:]


def png(side=8, kind="PNG"):
    file = io.BytesIO()
    Image.fromarray(np.resize(NOISE, (side, side, 3))).save(file, kind)
    return file.getvalue()


def bomb():
    head = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + head
    return (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13)
        + chunk
        + struct.pack(">I", zlib.crc32(chunk))
        + struct.pack(">I", 0)
        + b"IDAT"
        + struct.pack(">I", zlib.crc32(b"IDAT"))
    )


def clear_colour(mode):
    image = Image.fromarray(NOISE) if mode == "RGB" else Image.new(mode, (8, 8), 0)
    colour = tuple(NOISE[0, 0].tolist()) if mode == "RGB" else 0
    return lambda root: write(root, "x.png", image=image, transparency=colour)


def frames(suffix, **options):
    moved = [Image.fromarray(np.roll(NOISE, n, 0)) for n in range(3)]
    return lambda root: write(
        root, f"x.{suffix}", image=moved[0], save_all=True, append_images=moved[1:], **options
    )


def bytes_as(name, content):
    return lambda root: (root / name).write_bytes(content)


REFUSED = {
    "alpha": (lambda r: write(r, "x.png", image=Image.new("RGBA", (8, 8))), "x.png has an alpha"),
    "grey alpha": (lambda r: write(r, "x.png", image=Image.new("LA", (8, 8))), "x.png has an al"),
    "a clear palette entry": (clear_colour("P"), "x.png has an alpha .* background first"),
    "a clear colour": (clear_colour("RGB"), "x.png has an alpha .* background first"),
    "16 bits": (lambda r: write(r, "x.png", image=Image.new("I;16", (8, 8))), "more than 8 bits"),
    "16 bits of RGB": (bytes_as("x.png", sixteen_bits_a_channel()), "more than 8 bits a channel"),
    "16 bits of PPM": (bytes_as("x.ppm", b"P6 8 8 65535\n" + bytes(384)), "more than 8 bits"),
    "CMYK": (lambda r: write(r, "x.jpg", image=Image.new("CMYK", (8, 8))), "of mode CMYK: save it"),
    "LAB": (lambda r: write(r, "x.tif", image=Image.new("LAB", (8, 8))), "x.tif is of mode LAB"),
    "APNG": (frames("png"), "x.png holds 3 frames: save the one"),
    "GIF": (frames("gif"), "x.gif holds 3 frames"),
    "WebP": (frames("webp", lossless=True), "x.webp holds 3 frames"),
    "pages": (frames("tif"), "x.tif holds 3 frames"),
    "a bomb": (bytes_as("x.png", bomb()), "x.png is not a readable image: Image size"),
    "a long text": (bytes_as("x.png", long_text()), "x.png is not a readable image: Decompressed"),
    "a web page": (bytes_as("x.jpg", b"<html>403</html>"), "x.jpg .* none of png, jpg"),
    "nothing": (bytes_as("x.png", b""), "x.png is not a readable image"),
    "a cut PNG": (bytes_as("x.png", png()[:-60]), "x.png is not a readable image.* truncated"),
    "a cut JPEG": (bytes_as("x.jpg", png(64, "JPEG")[:-600]), "x.jpg is not a readable image"),
    "another size": (lambda r: write(r, "x.png", image=grey(8, 9)), "--config.data.size=64"),
    "two": (
        lambda r: write(write(r, "x.png", image=Image.new("LA", (8, 8))), "y.tif",
                        image=Image.new("LAB", (8, 8))),
        r"x.png has an alpha .*\(2 pictures are refused\)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_read_without_loss_is_refused_by_name(case, root):
    make, message = REFUSED[case]
    make(write(root, "plain_0.png", "plain_1.png"))
    for opened in (lambda: read(root), lambda: list(open_images(str(root)).batches())):
        with pytest.raises(UserError, match=message) as caught:
            opened()
        assert "\n" not in str(caught.value)


def test_two_lenses_of_one_shot_are_one_photograph(root):
    """Phones write multi-picture JPEGs: no animation, the first is what they show."""
    write(root, "a.jpg", image=Image.fromarray(NOISE), format="MPO", save_all=True,
          append_images=[Image.fromarray(NOISE[::-1].copy())])  # fmt: skip
    assert read(root).shape == (1, 8, 8, 3)


def by_the_evaluation(image, size):
    """`evaluation.resize.pil_bicubic` in float64, to height and width of one's own."""
    height, width = image.shape[:2]
    short = min(height, width)
    down, across = (
        bicubic_weights(side, max(size, round(side * size / short))).astype(float)
        for side in (height, width)
    )
    return np.clip(np.einsum("oh,hwc,pw->opc", down, image.astype(float), across), 0, 255)


@pytest.mark.parametrize("shape", [(96, 64), (40, 130), (9, 12)])
def test_sizes_are_made_by_the_filter_of_the_evaluation(shape):
    """Hard edges: a filter that rounds or clips between the axes is 20 levels off."""
    image = 255 * RNG.integers(0, 2, (*shape, 3), np.uint8)
    expected = by_the_evaluation(image, 16)
    resized = pictures.resized(image, 16)
    assert resized.shape == expected.shape
    assert np.abs(resized - expected).max() < 0.51


def test_a_folder_of_all_sizes_becomes_one(root):
    for number, shape in enumerate([(20, 31), (16, 16), (50, 24), (7, 9)]):
        image = Image.fromarray(RNG.integers(0, 256, (*shape, 3), np.uint8))
        write(root, f"{number}.png", image=image)
    source = source_of(root, size=16)
    assert source.spec["image"].shape == (16, 16, 3) and source.visit is None
    images = source.load(np.arange(4))["image"]
    for number, image in enumerate(images):
        whole = pictures.resized(np.asarray(Image.open(root / f"{number}.png")), 16)
        top, left = ((side - 16) // 2 for side in whole.shape[:2])
        np.testing.assert_array_equal(image, whole[top : top + 16, left : left + 16])


def test_random_crops_are_of_the_seed_and_the_position(root):
    ramp = np.arange(64, dtype=np.uint8)[None, :, None].repeat(8, 0)
    write(root, "a.png", image=Image.fromarray(ramp[..., 0]))
    source = source_of(root, size=8, crop="random")

    def lefts(seed, start, count, rows=slice(0, 4)):
        batches = data.training_batches(source, 4, seed, start, rows)
        images = np.concatenate([next(batches)["image"] for _ in range(count)])
        return images[:, 0, 0, 0]

    whole = lefts(0, 0, 50)
    np.testing.assert_array_equal(lefts(0, 20, 30), whole[80:])
    np.testing.assert_array_equal(
        lefts(0, 3, 1, slice(2, 4)), whole[14:16]
    )  # Another process' rows.
    assert not np.array_equal(lefts(1, 0, 50), whole)
    assert whole.min() == 0 and whole.max() == 56  # Both ends are reached.
    counts = np.bincount(whole, minlength=57)
    assert counts.max() < 14 and abs(whole.mean() - 28) < 5
    # Evaluation sees the centre.
    np.testing.assert_array_equal(
        source.load(np.array([0]))["image"][0, 0, :, 0], np.arange(28, 36)
    )


def test_binarisation_takes_random_crops_along(root):
    write(root, "a.png", image=grey(8, 40))
    source = source_of(root, size=8, crop="random", binarize="fixed")
    batch = next(data.training_batches(source, 16, 0, 0, slice(0, 16)))["image"]
    assert set(np.unique(batch)) == {0, 255} and len({x.tobytes() for x in batch}) > 4


def test_padding_leaves_the_pixels_as_they_are():
    image = RNG.integers(0, 256, (5, 6, 1)).astype(np.uint8)
    whole = pictures.padded(image, 8)
    assert whole.shape == (8, 8, 1) and whole.sum() == image.sum()
    np.testing.assert_array_equal(whole[1:6, 1:7], image)
    assert pictures.padded(NOISE, 8).shape[:2] == pictures.resized(NOISE, 8).shape[:2]
