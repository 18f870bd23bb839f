"""Stable Diffusion by its public doors, at tiny size: folders and checkpoints, samples, tuning."""

import json
import shutil

import jax
import numpy as np
import pytest
import torch_files
from PIL import Image
from published_files import TINY, tiny_tensors, write_tiny
from safetensors.numpy import load_file, save_file

import gm_jax
from gm_jax.diffusion import stable_diffusion
from gm_jax.diffusion.stable_diffusion import inputs, tuning
from gm_jax.diffusion.stable_diffusion.files import SCHEDULER
from gm_jax.recipes import recipe
from gm_jax.weights.clip import join_parts


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_tiny(tmp_path_factory.mktemp("sd") / "tiny")


def config(weights, sampler=None, **changed):
    own = dict(
        system="stable_diffusion", steps=0, batch_size=2, weights=str(weights),
        data=dict(name="none"), sampler=dict(steps=2, prompt="cat") | (sampler or {}),
        show=dict(every=0, counts=dict(sample=1)), sample=dict(count=1),
    )  # fmt: skip
    return recipe("", {**own, **changed})


def draw(tmp_path, settings, count=2, seed=0, **given):
    """`count` images of a recipe, in a workdir of its own."""
    workdir = tmp_path / f"run{len(list(tmp_path.iterdir()))}"
    trained = gm_jax.load(workdir, settings, jax.devices()[:1])
    return gm_jax.sample(trained, count, seed=seed, **given)["image"]


@pytest.mark.slow
def test_a_folder_is_sampled_without_any_training(folder, tmp_path):
    settings = config(folder)
    trained = gm_jax.load(tmp_path / "run", settings, jax.devices()[:1])
    first = gm_jax.sample(trained, 2)["image"]
    assert first.shape == (2, 16, 16, 3) and first.dtype == np.uint8
    assert (first[0] != first[1]).any()  # Each example has noise of its own.
    assert (gm_jax.sample(trained, 2, seed=1)["image"] != first).any()
    again = gm_jax.load(tmp_path / "run", None, jax.devices()[:1])  # As the workdir remembers it.
    np.testing.assert_array_equal(gm_jax.sample(again, 2)["image"], first)


@pytest.mark.slow
def test_prompts_take_turns_and_the_negative_one_counts(folder, tmp_path):
    cat, both = (draw(tmp_path, config(folder, dict(prompt=p))) for p in ("cat", "cat\naaa"))
    np.testing.assert_array_equal(cat[0], both[0])
    assert (cat[1] != both[1]).any()
    negative = draw(tmp_path, config(folder, dict(negative="aaa")))
    assert (negative != cat).any()
    without = dict(guidance=0.0)  # No guidance: the negative prompt is not even read.
    np.testing.assert_array_equal(
        draw(tmp_path, config(folder, without)),
        draw(tmp_path, config(folder, without | dict(negative="aaa"))),
    )


def single(tmp_path, name, text="original"):
    """A checkpoint in the original layout with the same numbers."""
    parts = tiny_tensors(layouts={"unet": "original", "vae": "original", "text_encoder": text})
    tensors = join_parts({k: x for part in parts.values() for k, x in part.items()})
    tensors |= {"model_ema.decay": np.float32(0.99), "betas": np.ones(3, np.float32)}
    path = tmp_path / name
    if name.endswith(".ckpt"):
        torch_files.write(path, tensors, around=lambda state: {"epoch": 1, "state_dict": state})
    else:
        save_file({k: np.array(x) for k, x in tensors.items()}, path)
    return path


CHECKPOINTS = {"sd.safetensors": "original", "sd.ckpt": "original 5", "v2.ckpt": "openclip"}


@pytest.mark.slow
@pytest.mark.parametrize("name", CHECKPOINTS)
def test_a_checkpoint_is_the_folder(name, folder, tmp_path):
    path = single(tmp_path, name, CHECKPOINTS[name])
    (phase,) = gm_jax.build(config(path, architecture=str(folder)))
    (expected,) = gm_jax.build(config(folder))
    ours, theirs = (p.stages["published"].variables().params for p in (phase, expected))
    assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    for x, y in zip(arrays(ours), arrays(theirs), strict=True):
        np.testing.assert_array_equal(x, y)


def arrays(tree):
    return [np.asarray(x) for x in jax.tree.leaves(tree)]


def picture(path, value, mode="RGB", size=(16, 16)):
    Image.new(mode, size, value).save(path)
    return str(path)


@pytest.mark.slow
def test_image_to_image_and_inpainting(folder, tmp_path):
    image = picture(tmp_path / "image.png", (200, 30, 90))
    little = draw(tmp_path, config(folder, dict(image=image, strength=0.5)))
    assert little.shape == (2, 16, 16, 3)
    # Where the mask is black, the latents are the image's, whatever the prompt.
    mask = picture(tmp_path / "mask.png", 0, "L")
    kept = [
        draw(tmp_path, config(folder, dict(image=image, mask=mask, strength=1.0, prompt=prompt)))
        for prompt in ("cat", "aaa")
    ]
    np.testing.assert_array_equal(*kept)
    white = picture(tmp_path / "white.png", 255, "L")
    new = draw(tmp_path, config(folder, dict(image=image, mask=white, strength=1.0)))
    np.testing.assert_array_equal(new, draw(tmp_path, config(folder)))  # Nothing of it is kept.


@pytest.mark.slow
def test_an_inpainting_network_sees_the_mask(tmp_path):
    path = write_tiny(tmp_path / "nine", {"unet": {"in_channels": 9}})
    image = picture(tmp_path / "image.png", (200, 30, 90))
    masks = [picture(tmp_path / f"{v}.png", v, "L") for v in (0, 255)]
    images = [
        draw(tmp_path, config(path, dict(image=image, mask=mask, strength=1.0))) for mask in masks
    ]
    assert (images[0] != images[1]).any()
    with pytest.raises(gm_jax.UserError, match="is an inpainting model"):
        draw(tmp_path, config(path))


# Evaluations of the network in five steps: Heun's evaluates twice in all but the last, PLMS's once
# more, PNDM's Runge-Kutta start nine times more.
EVALUATIONS = {"heun": 9, "plms": 6, "pndm": 14}
NOISY = {"ancestral", "euler_ancestral", "dpmpp_2m_sde"}


@pytest.mark.parametrize("name", inputs.SAMPLERS)
def test_every_sampler_goes_with_any_checkpoint(name, folder):
    recipe = config(folder, dict(name=name, steps=5))
    (phase,) = gm_jax.build(recipe)
    assert "sample" in phase.model.functions
    table = inputs.chain(SCHEDULER, recipe.sampler, False).table
    assert table.evaluations == EVALUATIONS.get(name, 5)
    assert (table.y.noise[:-1] > 0).any() == (name in NOISY)
    assert table.points.alpha[0] < 0.2 and table.points.sigma[-1] < 0.05


def test_an_old_schedulers_settings_are_those_that_the_reference_corrects():
    """Files older than `steps_offset` start at time 0, and some of DDIM's clip latents."""
    old = {k: v for k, v in SCHEDULER.items() if k != "steps_offset"}
    corrected = inputs.scheduler({**old, "_class_name": "DDIMScheduler", "clip_sample": True}, None)
    assert corrected["steps_offset"] == 1 and corrected["clip_sample"] is False
    assert "prediction_type" not in old or corrected["prediction_type"] == old["prediction_type"]
    assert inputs.scheduler(old, "v_prediction")["prediction_type"] == "v_prediction"


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["plms", "heun"])
def test_another_sampler_samples(sampler, folder, tmp_path):
    images = draw(tmp_path, config(folder, dict(name=sampler, guidance=0.0)), 1)
    assert images.shape == (1, 16, 16, 3)


@pytest.mark.slow
def test_bfloat16_computes_and_keeps_in_bfloat16(folder, tmp_path):
    trained = gm_jax.load(tmp_path / "run", config(folder, dtype="bfloat16"), jax.devices()[:1])
    kept = jax.tree.leaves(trained.variables.frozen)
    assert kept and all(x.dtype == "bfloat16" for x in kept)
    wide = draw(tmp_path, config(folder)).astype(float)
    assert np.abs(gm_jax.sample(trained, 2)["image"] - wide).mean() < 10


def refused(settings):
    with pytest.raises(gm_jax.UserError) as error:
        gm_jax.build(settings)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_what_cannot_be_opened_is_said_in_one_line(folder, tmp_path):
    assert "is not there" in refused(config(tmp_path / "nothing"))
    for part in ("unet", "vae", "text_encoder", "scheduler", "tokenizer"):
        copy = tmp_path / f"no_{part}"
        shutil.copytree(folder, copy)
        shutil.rmtree(copy / part)
        assert f"has no {part}" in refused(config(copy))
    copy = tmp_path / "no_weights"
    shutil.copytree(folder, copy)
    (copy / "vae" / "model.safetensors").unlink()
    assert "vae holds no weights" in refused(config(copy))
    tensors = load_file(folder / "unet" / "model.safetensors")
    tensors["more"] = tensors.pop("conv_in.bias")
    shutil.copytree(folder, tmp_path / "other")
    save_file(tensors, tmp_path / "other" / "unet" / "model.safetensors")
    message = refused(config(tmp_path / "other"))
    assert "1 missing (conv_in.bias); 1 unexpected (more)" in message
    path = tmp_path / "lm.safetensors"
    save_file({"model.embed.weight": np.ones((3, 2), np.float32)}, path)
    assert "it is no original checkpoint of Stable Diffusion 1.x or 2.x" in refused(config(path))
    tiny = single(tmp_path, "tiny.safetensors")
    assert "is of another architecture" in refused(config(tiny))
    wrong = TINY["text_encoder"] | {"hidden_size": 12}
    shutil.copytree(folder, tmp_path / "width")
    (tmp_path / "width" / "text_encoder" / "config.json").write_text(json.dumps(wrong))
    assert "misshapen" in refused(config(tmp_path / "width"))


@pytest.mark.slow
def test_what_cannot_be_drawn_is_said_in_one_line(folder, tmp_path, capsys):
    assert "1000 times" in refused(config(folder, dict(steps=1001)))
    assert "multiples of 2" in refused(config(folder, dict(height=15, width=16)))
    assert "set sampler.image" in refused(config(folder, dict(mask="mask.png")))
    odd = picture(tmp_path / "odd.png", (0, 0, 0), size=(15, 16))
    assert "15 pixels" in refused(config(folder, dict(image=odd)))
    assert "cannot be read as a picture" in refused(config(folder, dict(image=str(folder))))
    assert "weights is empty" in refused(config(""))
    gm_jax.build(config(folder, dict(prompt="cat cat cat cat cat aaa")))
    assert "without effect is: aaa" in capsys.readouterr().err


def captioned(folder, tmp_path, **changed):
    pictures = tmp_path / "pictures"
    if not pictures.exists():
        pictures.mkdir()
        for number in range(4):
            picture(pictures / f"{number}.png", (50 * number, 20, 90))
            (pictures / f"{number}.txt").write_text("cat" if number % 2 else "aaa")
    data = dict(name="folder", path=str(pictures), captions="clip", caption_length=7,
                vocabulary=str(folder / "tokenizer"))  # fmt: skip
    own = dict(steps=2, data=data, optimizer=dict(learning_rate=0.1))
    settings = config(folder, **{**own, **changed})
    settings.report.every = settings.checkpoint.every = 1
    return settings


@pytest.mark.slow
@pytest.mark.parametrize("train", ["unet", "lora"])
def test_fine_tuning_changes_what_it_says_and_is_exported(train, folder, tmp_path):
    settings = captioned(folder, tmp_path, train=train)
    trained = gm_jax.train(settings, tmp_path / "run", jax.devices()[:1])
    images = gm_jax.sample(trained, 2)["image"]
    before = draw(tmp_path, config(folder))
    assert (images != before).any()
    out = stable_diffusion.export(trained, tmp_path / "out")
    np.testing.assert_allclose(draw(tmp_path, config(out)).astype(int), images, atol=1)
    ours, theirs = (load_file(f) for f in (
        out / "unet" / "diffusion_pytorch_model.safetensors", folder / "unet" / "model.safetensors"
    ))  # fmt: skip
    assert {k: x.shape for k, x in ours.items()} == {k: x.shape for k, x in theirs.items()}
    changed = {k for k, x in ours.items() if (x != theirs[k]).any()}
    if train == "lora":
        assert changed and all(".attn" in name for name in changed)
        alone = stable_diffusion.export(trained, tmp_path / "updates", merge=False)
        updates = load_file(alone / "pytorch_lora_weights.safetensors")
        name = "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k"
        a, b = (updates[f"unet.{name}.lora_{part}.weight"] for part in "AB")
        expected = theirs[f"{name}.weight"] + b @ a
        np.testing.assert_allclose(ours[f"{name}.weight"], expected, atol=1e-5)
    else:
        assert len(changed) > 100
    with pytest.raises(gm_jax.UserError, match="exists"):
        stable_diffusion.export(trained, out)


@pytest.mark.slow
@pytest.mark.parametrize("train", ["unet", "lora"])
def test_fine_tuning_goes_on_bitwise_and_is_one_run_on_any_devices(train, folder, tmp_path):
    """In plain gradient descent: Adam would make rounding large where a gradient is zero."""
    settings = captioned(folder, tmp_path, train=train, steps=4)
    settings.batch_size, settings.report.every = 8, 3
    settings.optimizer.name, settings.optimizer.learning_rate = "sgd", 0.1
    two = jax.devices()[:2]
    whole = gm_jax.train(settings, tmp_path / "whole", two)
    settings.steps = 2
    gm_jax.train(settings, tmp_path / "parts", two)
    settings.steps = 4
    parts = gm_jax.train(settings, tmp_path / "parts", two)
    jax.tree.map(np.testing.assert_array_equal, whole.variables, parts.variables)
    logs = [(tmp_path / name / "metrics.jsonl").read_text() for name in ("whole", "parts")]
    assert logs[0] == logs[1]
    one, eight = (
        gm_jax.train(settings, tmp_path / f"on{n}", jax.devices()[:n]).variables for n in (1, 8)
    )
    for x, y in zip(arrays(one.params), arrays(eight.params), strict=True):
        np.testing.assert_allclose(x, y, atol=2e-6)
    before = gm_jax.build(settings)[0].stages["published"].variables().params["unet"]
    start = arrays(before) if train == "unet" else [0.0] * len(arrays(one.params))
    assert max(np.abs(x - y).max() for x, y in zip(arrays(one.params), start, strict=True)) > 1e-3


@pytest.mark.slow
def test_captions_are_given_as_strings(folder, tmp_path):
    """Of published weights and of fine-tuned ones: where no prompt is stated."""
    silent = dict(prompt="", guidance=0.0)
    cat = draw(tmp_path, config(folder, dict(prompt="cat", guidance=0.0)))
    assert (draw(tmp_path, config(folder, silent)) != cat).any()  # The empty prompt.
    given = draw(tmp_path, config(folder, silent), given={"caption": "cat"})
    np.testing.assert_array_equal(given, cat)
    both = draw(tmp_path, config(folder, silent), given={"caption": ["cat", "aaa"]})
    np.testing.assert_array_equal(both[0], cat[0])
    assert (both[1] != cat[1]).any()
    with pytest.raises(gm_jax.UserError, match="does not depend on caption"):
        draw(tmp_path, config(folder, dict(prompt="cat")), given={"caption": "aaa"})
    settings = captioned(folder, tmp_path, train="lora", sampler=silent)
    trained = gm_jax.train(settings, tmp_path / "tuned", jax.devices()[:1])
    images = gm_jax.sample(trained, 2, given={"caption": "cat"})["image"]
    assert (images != gm_jax.sample(trained, 2, given={"caption": "aaa"})["image"]).any()


def test_a_rank_or_a_scale_of_zero_is_the_base(folder):
    (phase,) = gm_jax.build(config(folder))
    base = phase.stages["published"].variables().params["unet"]
    key = jax.random.key(0)
    assert tuning.init_lora(key, base, 0) == {}
    updates = tuning.init_lora(key, base, 2)
    assert updates
    moved = jax.tree.map(lambda x: x + 1.0, updates)
    for same in (tuning.merged(base, {}, 1.0), tuning.merged(base, updates, 1.0),
                 tuning.merged(base, moved, 0.0)):  # fmt: skip
        for ours, theirs in zip(arrays(same), arrays(base), strict=True):
            np.testing.assert_array_equal(ours, theirs)
    changed = [(a != b).any() for a, b in zip(
        arrays(tuning.merged(base, moved, 1.0)), arrays(base), strict=True
    )]  # fmt: skip
    assert sum(changed) == len(updates)
