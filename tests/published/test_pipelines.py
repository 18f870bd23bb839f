"""Whole pipelines against the reference implementation, from files in diffusers' layout."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from golden import golden
from published_files import nchw, write_folder

from gm_jax.diffusion.shared import published
from gm_jax.diffusion.stable_diffusion import files, generate

PIPELINES = (
    "text_ddim", "text_pndm", "text_euler_a", "text_dpmpp_karras", "img2img_ddim",
    "inpaint_4_channels", "inpaint_9_channels",
)  # fmt: skip

# Each compiles three networks for itself: the fast run has one.
QUICK = ("text_ddim",)
QUICK_FIRST = [
    pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in PIPELINES
]


def mask_of(height, width):
    """As the golden file describes it."""
    mask = np.zeros((1, height, width, 1), np.float32)
    mask[:, height // 4 : 3 * height // 4 + 8, : width // 2] = 1.0
    return jnp.asarray(mask)


@pytest.mark.parametrize("dtype", ["float32", pytest.param("float64", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", QUICK_FIRST)
def test_a_pipeline(name, dtype, shared, tmp_path):
    pipelines = golden(shared, "pipelines")
    case = pipelines.cases[name]
    path = write_folder(tmp_path, pipelines, name)
    steps, strength = case["steps"], case["strength"]
    first = 0 if strength is None else steps - int(steps * strength)
    with jax.enable_x64(dtype == "float64"):
        opened = files.open_published(path, jnp.dtype(dtype))
        variables = files.read(opened)
        nets = generate.Networks(**opened.components)
        chain = published.chain(opened.scheduler, steps, eta=case["eta"], first=first)
        draws = {}
        for noise, shape, where in case["noise"]:
            draws.setdefault(where.split(" < ")[0], []).append(
                nchw(pipelines.value(noise, shape)).astype(dtype)
            )
        # The calls: an image's latents, the start, a masked image's latents, then the steps.
        encoded = draws.get("sample", []) + [None] * 2
        steps_noise = jnp.stack(draws.get("step", draws["prepare_latents"]))
        masking = opened.components["unet"].config["in_channels"] > nets.latents
        noise = generate.Noise(
            start=draws["prepare_latents"][0],
            image=encoded[0],
            masked=encoded[0] if masking else encoded[1],
            fresh=jax.tree_util.Partial(lambda draws, number: draws[number], steps_noise),
        )
        context, negative = (
            generate.encode_text(nets, variables, jnp.asarray(case[ids]))
            for ids in ("ids", "negative_ids")
        )
        height, width = case["size"]
        image = mask = None
        if case["image"]:
            image = nchw(pipelines.unit(f"{name}.image", (1, 3, height, width)).astype(dtype))
            image = 2.0 * image - 1.0
        if case["mask"]:
            mask = mask_of(height, width).astype(dtype)
        prompt, guidance = generate.Prompt(context, negative), case["guidance_scale"] - 1.0

        @jax.jit
        def run(variables, image, mask, noise):
            latents = generate.generate(
                nets, variables, chain, prompt, noise, guidance, image, mask, first == 0
            )
            return latents, generate.decode(nets, variables, latents)

        latents, decoded = run(variables, image, mask, noise)
    decoded = jnp.clip(decoded / 2.0 + 0.5, 0.0, 1.0)
    expected = {k.split("/")[1]: x for k, x in pipelines.outputs.items() if k.startswith(name)}
    for output, ours in (("latents", latents), ("image", decoded)):
        theirs = expected[output]
        ours = np.moveaxis(np.asarray(ours), -1, 1)
        theirs = theirs if theirs.shape == ours.shape else np.moveaxis(theirs, -1, 1)
        np.testing.assert_allclose(ours, theirs, atol=1e-4 * np.abs(theirs).max(), err_msg=output)
    embeds = np.asarray(context)
    np.testing.assert_allclose(embeds, expected["prompt_embeds"].reshape(embeds.shape), atol=1e-4)
