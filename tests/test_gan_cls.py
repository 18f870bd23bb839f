"""GAN-INT-CLS: networks as published, what one device and eight pair, what is refused."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from games import refuses

import gm_jax
from gm_jax.multimodal import gan_cls
from gm_jax.multimodal.shared.text_gan import Discriminator, Generator

KEY = jax.random.key(0)


def bottleneck(c):
    """Convolutions without biases and their norms: 1x1, 3x3, 3x3, a quarter of the channels."""
    q = c // 4
    return c * q + 2 * q + 9 * q * q + 2 * q + 9 * q * c + 2 * c


def parameters(module, *shapes):
    inputs = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes]
    made = jax.eval_shape(functools.partial(module.init, train=True), KEY, *inputs)["params"]
    return sum(leaf.size for leaf in jax.tree.leaves(made))


def test_the_published_networks_have_the_authors_layers():
    """By hand, of main_cls_int.lua's sizes: 64 pixels, z of 100, texts of 1,024 numbers."""
    settings = gm_jax.load_config("configs/gan_cls_shapes.py:published").to_dict()
    own, other = settings["generator"], settings["discriminator"]
    del own["optimizer"], other["optimizer"]
    up = 16 * sum(a * b for a, b in ((1024, 512), (512, 256), (256, 128), (128, 3)))
    norms = 2 * (1024 + 512 + 256 + 128)
    expected = (1024 * 128 + 128) + 228 * 16 * 1024 + up + norms + 3
    expected += bottleneck(1024) + bottleneck(512)
    generator = Generator((64, 64, 3), **own)
    assert parameters(generator, (2, settings["latent"]), (2, 1024)) == expected
    down = 16 * sum(a * b for a, b in ((3, 64), (64, 128), (128, 256), (256, 512)))
    expected = down + 64 + 2 * (128 + 256 + 512) + bottleneck(512) + 1024 * 128 + 2 * 128
    expected += (512 + 128) * 512 + 2 * 512 + 16 * 512 + 1
    assert parameters(Discriminator(**other), (2, 64, 64, 3), (2, 1024)) == expected


def test_between_the_last_two_maps_there_is_no_activation():
    """So they are linear in the first map, but for norms: x and -x give opposite maps."""
    module, x = Discriminator(width=4, text=4), jax.random.normal(KEY, (2, 32, 32, 3))
    t = jnp.ones((2, 3))
    variables = module.init(KEY, x, t, train=False)
    _, kept = module.apply(
        variables, x, t, train=False, capture_intermediates=True, mutable=["intermediates"]
    )
    maps = kept["intermediates"]
    before, after = maps["BatchNorm_0"]["__call__"][0], maps["Conv_2"]["__call__"][0]
    kernel = variables["params"]["Conv_2"]["kernel"]
    linear = jax.lax.conv_general_dilated(
        before, kernel, (2, 2), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    np.testing.assert_allclose(after, linear, atol=1e-5)


def test_eight_devices_pair_texts_and_pictures_as_one_does():
    captions = jnp.array([[0], [0], [1], [2], [2], [2], [3], [0]] * 2)
    images = jnp.arange(16.0).reshape(16, 1, 1, 1)
    batch = {"caption": captions, "image": images, "index": jnp.arange(16)}
    wrong, (own, means) = gan_cls.others(batch), gan_cls.halfway(images[:, 0, 0], batch)
    np.testing.assert_array_equal(
        wrong.ravel(), [2, 2, 3, 6, 6, 6, 7, 10, 10, 10, 11, 14, 14, 14, 15, 2]
    )
    np.testing.assert_array_equal(means.ravel(), np.arange(8) + 4.0)
    np.testing.assert_array_equal(own["index"], np.arange(8))

    @functools.partial(jax.pmap, axis_name="data")
    def program(batch):
        return gan_cls.others(batch), gan_cls.halfway(batch["image"][:, 0, 0], batch)

    parts = jax.tree.map(lambda x: x.reshape(8, 2, *x.shape[1:]), batch)
    on_eight = jax.tree.map(lambda x: np.asarray(x).reshape(-1, *x.shape[2:]), program(parts))
    jax.tree.map(np.testing.assert_array_equal, on_eight, (wrong, (own, means)))


def test_where_all_captions_are_equal_the_next_picture_stands_in():
    batch = {
        "caption": jnp.ones((4, 3), jnp.int32),
        "image": jnp.arange(4.0).reshape(4, 1, 1, 1),
        "index": jnp.arange(4),
    }
    np.testing.assert_array_equal(gan_cls.others(batch).ravel(), [1, 2, 3, 0])


@pytest.mark.parametrize(
    "overrides, message",
    [
        ({"stages": {}}, "give stages.clip, the workdir of one such as"),
        ({"batch_size": 7}, "batch_size 7 is odd"),
        ({"data.size": 24}, "images of 24x24 are no doublings of 4x4: set data.size to 16, 32"),
        ({"mismatch": 1.0}, "mismatch is 1.0: it must be below 1.0"),
        ({"sampler.prompt": "a pink cross"}, "no caption of the training data has pink"),
    ],
)
def test_what_cannot_be_drawn_is_refused(overrides, message):
    refuses("gan_cls_shapes", overrides, message)


def test_a_clip_of_other_captions_is_refused():
    settings = gm_jax.load_config("configs/gan_cls_shapes.py:smoke")
    with settings.unlocked():
        settings.stages.clip.data = settings.data.copy_and_resolve_references()
        settings.stages.clip.data.caption_length = 20
    with pytest.raises(gm_jax.UserError, match="trained on captions of 20 of"):
        gm_jax.build(settings)
    settings.stages.clip = gm_jax.load_config("configs/vqvae_shapes.py:smoke")
    with pytest.raises(gm_jax.UserError, match=r"stages.clip is no CLIP \(it has the functions"):
        gm_jax.build(settings)
