"""By hand, in float64: what restyles pictures, by one network of many styles and by AdaIN."""

import numpy as np

from twins.game import game
from twins.numbers import agree, hot

STYLES = 6


def pictures_of(of):
    return (np.asarray(of.batch[name], np.float64) for name in ("image", "image_b"))


def maps_of(calls, x):
    """The maps of one picture, as the features' network returned them; it may see it again."""
    mean, deviation = np.array([-0.030, -0.088, -0.188]), np.array([0.458, 0.448, 0.450])
    seen = (np.asarray(x) - mean) / deviation
    return next(c.output for c in calls["backbone"] if np.allclose(c.inputs[0], seen, atol=1e-5))


def gram(x):
    b, h, w, c = x.shape
    flat = x.reshape(b, h * w, c)
    return flat.transpose(0, 2, 1) @ flat / (h * w)


def gram_error(a, b):
    return ((gram(a) - gram(b)) ** 2).mean((1, 2))


def moments(x):
    return x.mean((1, 2)), np.sqrt(x.var((1, 2), ddof=1) + 1e-5)


def moment_error(a, b):
    return sum(((m - n) ** 2).mean(1) for m, n in zip(moments(a), moments(b), strict=True))


def squares(a, b):
    return ((a - b) ** 2).mean((1, 2, 3))


def adain(x, y):
    mean, variance = x.mean((1, 2), keepdims=True), x.var((1, 2), keepdims=True)
    m, s = (v[:, None, None] for v in moments(y))
    return s * (x - mean) / np.sqrt(variance + 1e-5) + m


def of_layers(error, a, b):
    return sum(error(a[name], b[name]) for name in ("relu1_1", "relu2_1"))


def test_conditional_instance_norm():
    """lambda_c times squares of one layer's maps + lambda_s times those of Gram matrices."""
    of = game("style_cin", content=0.7, style=3.0)
    c, s = pictures_of(of)
    played = of.play()
    (call,) = played.calls["net"]
    np.testing.assert_allclose(call.inputs[0], c, atol=1e-6)
    np.testing.assert_array_equal(call.inputs[1], hot(of.batch["label_b"], STYLES))
    y, true, style = (maps_of(played.calls, x) for x in (call.output, c, s))
    content = squares(y["relu1_1"], true["relu1_1"]).mean()
    painted = of_layers(gram_error, y, style).mean()
    agree(played.metric("content"), content)
    agree(played.metric("style"), painted)
    agree(played.value, 0.7 * content + 3.0 * painted)


def test_the_functions_of_conditional_instance_norm():
    of = game("style_cin")
    c, s = pictures_of(of)
    rows = hot(of.batch["label_b"], STYLES)
    outputs, calls = of.work("translate")
    (call,) = calls["net"]
    np.testing.assert_array_equal(call.inputs[1], rows)
    np.testing.assert_allclose(outputs["image"], call.output, atol=1e-6)
    shown, _ = of.work("compare")
    np.testing.assert_allclose(shown["image"], np.stack([c, s, call.output], 1), atol=1e-5)
    blends, calls = of.work("blend")
    following = hot((np.asarray(of.batch["label_b"]) + 1) % STYLES, STYLES)
    for number, share in enumerate((0, 0.25, 0.5, 0.75, 1)):
        expected = (1 - share) * rows + share * following
        np.testing.assert_allclose(calls["net"][number].inputs[1], expected, atol=1e-6)
        found = calls["net"][number].output
        np.testing.assert_allclose(blends["image"][:, number], found, atol=1e-6)
    np.testing.assert_allclose(blends["image"][:, 0], outputs["image"], atol=1e-5)


def test_what_conditional_instance_norm_is_measured_by():
    of = game("style_cin")
    c, s = pictures_of(of)
    values, calls = of.work("restyling")
    true, style = maps_of(calls, c), maps_of(calls, s)
    made = maps_of(calls, calls["net"][0].output)
    for name, y in (("", made), ("_of_content", true), ("_of_painting", style)):
        agree(values[f"content{name}"], squares(y["relu1_1"], true["relu1_1"]))
        agree(values[f"style{name}"], of_layers(gram_error, y, style), rtol=1e-4)
    assert (values["content_of_noise"] > 0).all() and (values["style_of_noise"] > 0).all()


def test_adaptive_instance_norm():
    """Squares of f(g(t)) - t, not of f(g(t)) - f(c), + lambda times means and deviations."""
    of = game("style_adain", style=3.0, alpha=0.5)
    c, s = pictures_of(of)
    played = of.play()
    (call,) = played.calls["decoder"]
    content, style = maps_of(played.calls, c), maps_of(played.calls, s)
    target = adain(content["relu2_1"], style["relu2_1"])
    np.testing.assert_allclose(call.inputs[0], target, rtol=1e-4, atol=1e-4)
    y = maps_of(played.calls, call.output)
    near, painted = squares(y["relu2_1"], target).mean(), of_layers(moment_error, y, style).mean()
    agree(played.metric("content"), near)
    agree(played.metric("style"), painted)
    agree(played.value, near + 3.0 * painted)


def test_the_functions_of_adaptive_instance_norm():
    of = game("style_adain", alpha=0.3)
    c, s = pictures_of(of)
    outputs, calls = of.work("translate")
    f, target = (maps_of(calls, x)["relu2_1"] for x in (c, s))
    target = adain(f, target)
    (call,) = calls["decoder"]
    np.testing.assert_allclose(call.inputs[0], 0.3 * target + 0.7 * f, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(outputs["image"], call.output, atol=1e-5)
    shown, _ = of.work("compare")
    np.testing.assert_allclose(shown["image"], np.stack([c, s, call.output], 1), atol=1e-5)
    blends, calls = of.work("blend")
    for number, share in enumerate((0, 0.25, 0.5, 0.75, 1)):
        call = calls["decoder"][number]
        expected = share * target + (1 - share) * f
        np.testing.assert_allclose(call.inputs[0], expected, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(blends["image"][:, number], call.output, atol=1e-5)


def test_what_adaptive_instance_norm_is_measured_by():
    of = game("style_adain")
    c, s = pictures_of(of)
    values, calls = of.work("restyling")
    true, style = (maps_of(calls, x) for x in (c, s))
    made = maps_of(calls, calls["decoder"][0].output)
    for name, y in (("", made), ("_of_content", true), ("_of_painting", style)):
        agree(values[f"content{name}"], squares(y["relu2_1"], true["relu2_1"]))
        agree(values[f"style{name}"], of_layers(moment_error, y, style), rtol=1e-4)
    assert (values["content_of_noise"] > 0).all() and (values["style_of_noise"] > 0).all()
