"""python -m gm_jax.evaluation, with random weights that reach the 64-dimensional layer."""

import numpy as np
import pytest
from PIL import Image

from gm_jax.evaluation import EvaluationError, frechet_of_features, image_sets, weights


def pictures(n, side=24, seed=0, channels=3):
    coarse = np.random.default_rng(seed).integers(0, 256, (n, side // 4, side // 4, channels))
    return coarse.repeat(4, axis=1).repeat(4, axis=2).astype(np.uint8)


def folder(path, images):
    path.mkdir()
    for i, image in enumerate(images):
        Image.fromarray(image.squeeze()).save(path / f"{i:03}.png")
    return str(path)


def npz(path, **arrays):
    np.savez(path, **arrays)
    return str(path)


@pytest.mark.slow
def test_folder_against_npz(call, tmp_path):
    x, y = pictures(23), pictures(21, seed=1)
    a, b = folder(tmp_path / "a", x), npz(tmp_path / "b.npz", images=y)
    argv = (a, b, "--metrics=fid_64,kid_64,prdc_64,swd", "--protocol=clean")
    code, result, shown, _ = call(*argv, f"--sheet={tmp_path / 'sheet.png'}")
    assert code == 0
    fa, fb = (np.asarray(call.features.apply(call.features.params, z)["64"]) for z in (x, y))
    value = result["metrics"][call.name]["value"]
    np.testing.assert_allclose(value, frechet_of_features(fa, fb), rtol=1e-4)
    assert (result["n1"], result["n2"]) == (23, 21)
    assert result["protocol"]["resize"] == "pil_bicubic"
    assert result["weights"] == call.features.fingerprint
    assert "swd" in result["metrics"]
    for kind in ("kid", "precision", "recall", "density", "coverage"):
        assert call.name.replace("fd", kind) in result["metrics"]
    assert any("23 images for 64 dimensions" in w for w in result["warnings"])
    for part in (call.name, "N1 = 23", "protocol clean: pil_bicubic", "warning"):
        assert part in shown
    assert Image.open(tmp_path / "sheet.png").size[0] > 24 * 4


def test_statistics_are_cached_reused_and_kept(call, tmp_path, monkeypatch):
    a = folder(tmp_path / "a", pictures(23))
    b = npz(tmp_path / "b.npz", images=pictures(21, seed=1))
    kept = tmp_path / "a_stats.npz"
    code, first, _, _ = call(a, b, "--metrics=fid_64", f"--save={kept}")
    assert code == 0 and len(list((tmp_path / "cache/gm_jax/statistics").rglob("*.npz"))) == 2

    def never(*args, **kwargs):
        raise AssertionError("a second pass")

    with monkeypatch.context() as patch:
        patch.setattr("gm_jax.evaluation.passes.collect", never)
        code, again, _, _ = call(a, b, "--metrics=fid_64")
        assert code == 0
        code, filed, _, _ = call(kept, b, "--metrics=fid_64")
        code2, both, _, _ = call(kept, kept, "--metrics=fid_64", known=False)
        assert code == code2 == 0
        Image.fromarray(pictures(1, seed=9)[0]).save(tmp_path / "a/000.png")
        with pytest.raises(AssertionError, match="a second pass"):
            call(a, b, "--metrics=fid_64")
    value = first["metrics"][call.name]
    assert again["metrics"][call.name]["value"] == value["value"]
    assert filed["metrics"][call.name]["value"] == value["value"]
    assert abs(both["metrics"][call.name]["value"]) < 1e-6
    code, _, _, error = call(kept, b, "--metrics=fid_64", "--protocol=clean")
    assert code == 2 and "protocols differ in resize" in error


def test_a_set_alone(call, tmp_path):
    a = npz(tmp_path / "a.npz", images=pictures(22))
    code, result, _, _ = call(a, "--metrics=fid_64", f"--save={tmp_path / 's.npz'}")
    assert code == 0 and result["metrics"] == {} and result["n2"] is None
    assert (tmp_path / "s.npz").exists()


def test_a_bare_file(call, tmp_path):
    a = npz(tmp_path / "a.npz", images=pictures(22))
    bare = npz(tmp_path / "bare.npz", mu=np.zeros(64), sigma=np.eye(64))
    code, _, _, error = call(a, bare, "--metrics=fid_64")
    assert code == 2 and "state its protocol" in error
    code, _, _, error = call(a, bare, "--metrics=fid_64", "--protocol=tf2015")
    # These weights are not known to be Inception's, and bare files can only be Inception's.
    assert code == 2 and "features differ" in error
    code, result, _, _ = call(bare, bare, "--metrics=fid_64", "--protocol=tf2015", known=False)
    assert code == 0 and abs(result["metrics"]["fid_64"]["value"]) < 1e-6
    assert any("are stated by you" in w for w in result["warnings"])


def grey_folder(tmp_path):
    return folder(tmp_path / "grey", pictures(4, channels=1))


def alpha_folder(tmp_path):
    return folder(tmp_path / "alpha", pictures(4, channels=4))


def palette_folder(tmp_path):
    path = folder(tmp_path / "palette", pictures(3))
    image = Image.fromarray(pictures(1)[0]).convert("P")
    image.save(tmp_path / "palette/100.png", transparency=0)
    return path


def mixed_folder(tmp_path):
    path = folder(tmp_path / "mixed", pictures(3))
    Image.fromarray(pictures(1, side=28)[0]).save(tmp_path / "mixed/100.png")
    return path


def greyish_folder(tmp_path):
    path = folder(tmp_path / "greyish", pictures(3))
    Image.fromarray(pictures(1, channels=1)[0, ..., 0]).save(tmp_path / "greyish/100.png")
    return path


def broken_folder(tmp_path):
    path = folder(tmp_path / "broken", pictures(3))
    whole = (tmp_path / "broken/002.png").read_bytes()
    (tmp_path / "broken/002.png").write_bytes(whole[:60])
    return path


def deep_folder(tmp_path):
    path = folder(tmp_path / "deep", pictures(3))
    Image.fromarray(np.zeros((24, 24), np.uint16)).save(tmp_path / "deep/100.png")
    return path


def truncated(tmp_path):
    path = tmp_path / "cut.npz"
    np.savez(path, images=pictures(9))
    path.write_bytes(path.read_bytes()[:-2000])
    return path


def scrambled(tmp_path):
    path = tmp_path / "scrambled.npz"
    np.savez(path, images=pictures(9))
    whole = bytearray(path.read_bytes())
    whole[3000] ^= 1
    path.write_bytes(whole)
    return path


BAD = {
    "grey": (grey_folder, "grey (1 channels)"),
    "alpha": (alpha_folder, "000.png has an alpha channel"),
    "a clear colour": (palette_folder, "100.png has an alpha channel"),
    "mixed sizes": (mixed_folder, "100.png is 28x28"),
    "a broken image": (broken_folder, "002.png is not a readable image"),
    "16 bits": (deep_folder, "100.png has more than 8 bits a channel"),
    "one image": (lambda p: folder(p / "one", pictures(1)), "holds 1 images"),
    "no image": (lambda p: folder(p / "none", []), "no image (png"),
    "nothing there": (lambda p: p / "nowhere", "no such folder, zip or npz"),
    "truncated": (truncated, "broken or truncated"),
    "scrambled": (scrambled, "broken or truncated"),
    "floats": (lambda p: npz(p / "f.npz", x=np.zeros((9, 8, 8, 3))), "quantise floats"),
    "two arrays": (lambda p: npz(p / "t.npz", x=pictures(4), y=pictures(4)), "one array of uint8"),
    "objects": (lambda p: npz(p / "o.npz", x=np.array([{}, 3])), "one array of uint8"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_inputs_are_one_line_and_exit_code_2(case, call, tmp_path):
    make, expected = BAD[case]
    good = npz(tmp_path / "good.npz", images=pictures(22))
    code, result, _, error = call(good, make(tmp_path), "--metrics=fid_64")
    assert code == 2 and result is None
    line = [part for part in error.split("\n") if part.startswith("error: ")]
    assert len(line) == 1 and expected in line[0] and "Traceback" not in error


def test_bad_wishes(call, tmp_path):
    good = npz(tmp_path / "good.npz", images=pictures(22))
    for argv, expected in [
        (("--metrics=fid",), "fid needs the layer 2048"),
        (("--metrics=fjd",), "unknown metric 'fjd'"),
        (("--metrics=msssim",), "161 pixels a side"),
    ]:
        code, _, _, error = call(good, good, *argv)
        assert code == 2 and expected in error
    code, _, _, error = call(good, good, known=False)
    assert code == 2 and "no Inception weights at" in error and weights.OFFICIAL.url in error


def test_grey_images_on_request(call, tmp_path):
    grey = npz(tmp_path / "g.npz", images=pictures(22, channels=1)[..., 0])
    code, result, _, _ = call(grey, grey, "--metrics=fid_64", "--grey=repeat")
    assert code == 0 and result["protocol"]["grey"] == "repeat"


def test_images_in_a_folder_and_an_npz_are_the_same(tmp_path):
    x = pictures(150)
    a, b = folder(tmp_path / "a", x), npz(tmp_path / "b.npz", arr_0=x)
    for name in (a, b):
        opened = image_sets.open_images(name)
        assert opened.size == 150
        for _ in range(2):
            np.testing.assert_array_equal(np.concatenate(list(opened.batches())), x)


def test_grey_pictures_among_coloured_ones_are_read_as_in_training(tmp_path, capsys):
    opened = image_sets.open_images(greyish_folder(tmp_path))
    (batch,) = opened.batches()
    assert batch.shape == (4, 24, 24, 3) and np.ptp(batch[3], axis=-1).max() == 0
    assert "1 of 4 pictures are grey, all are read as RGB" in capsys.readouterr().err


def test_an_unknown_name_says_what_there_is():
    with pytest.raises(EvaluationError, match="tfds:NAME/SPLIT"):
        image_sets.open_images("cifar10")
