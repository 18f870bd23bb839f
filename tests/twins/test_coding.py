"""By hand, in float64: sparse coding, its encoder, sparse and stacked autoencoders."""

import jax
import numpy as np
import pytest

from gm_jax.model import example_keys
from gm_jax.nn.layers import uniform
from twins.game import KEY, game
from twins.inputs import COUNT
from twins.numbers import agree, log_softmax, pick, sigmoid, softplus

ROWS = np.arange(COUNT)


def exact(tree):
    return jax.tree.map(np.float64, tree)


def white_of(image):
    return (np.float64(image).reshape(COUNT, -1) + 1) / 2


def white(of):
    return white_of(of.batch["image"])


def soft(x, threshold):
    return np.sign(x) * np.maximum(np.abs(x) - threshold, 0)


def bound_of(d):
    """(sum of the eigenvalues^512)^(1 / 512)."""
    values = np.linalg.eigvalsh(d.T @ d).clip(0) / np.linalg.norm(d, 2) ** 2
    return np.linalg.norm(d, 2) ** 2 * (values**512).sum() ** (1 / 512)


def path(d, x, penalty, steps, pull=0.0, guess=0.0):
    """z after each step of FISTA, from the guess."""
    z = y = guess + np.zeros((len(x), d.shape[1]))
    t, bound, found = 1.0, bound_of(d) + pull, [z]
    for _ in range(steps):
        slope = (y @ d.T - x) @ d + pull * (y - guess)
        new, new_t = soft(y - slope / bound, penalty / bound), (1 + np.sqrt(1 + 4 * t**2)) / 2
        z, y, t = new, new + (t - 1) / new_t * (new - z), new_t
        found.append(z)
    return found


def squares(d, x, z):
    return ((x - z @ d.T) ** 2).sum(1)


def lasso(d, x, z, penalty):
    return 0.5 * squares(d, x, z) + penalty * np.abs(z).sum(1)


def gradient(of):
    (move,) = of.model.players[0].moves
    slope = jax.grad(lambda p: move.objective(of.variables._replace(params=p), of.batch, KEY, 1)[0])
    return exact(jax.jit(slope)(of.variables.params))


def shown(x):
    return x / np.abs(x).max(-1, keepdims=True)


def of_columns(of, name, matrix):
    """A function that shows a column of a matrix an example."""
    image = of.work(name, moves=False)[0]["image"].reshape(COUNT, -1)
    agree(image, shown(matrix.T[ROWS % matrix.shape[1]]))


def test_sparse_coding():
    """Half the squared error and lambda |z|_1 at FISTA's code, which counts as a constant."""
    of = game("sparse_coding_patches", penalty=0.2)
    d, x = exact(of.variables.params["dictionary"]), white(of)
    z = path(d, x, 0.2, 5)[-1]
    played = of.play()
    agree(played.value, lasso(d, x, z, 0.2).mean())
    agree(played.metric("active"), (z != 0).sum(1).mean())
    agree(gradient(of)["dictionary"], (z @ d.T - x).T @ z / COUNT)
    of_columns(of, "atoms", d)
    d = d / np.linalg.norm(d, axis=0)
    z = path(d, x, 0.2, 5)[-1]
    outputs, _ = of.work("cost")
    agree(outputs["objective"], lasso(d, x, z, 0.2))
    agree(outputs["squared_error"], squares(d, x, z))
    agree(outputs["active"], (z != 0).sum(1))
    agree(of.work("encode")[0]["latent"], z)
    pair = of.work("reconstruct")[0]["image"].reshape(COUNT, -1)
    agree(pair, shown(np.concatenate([x, z @ d.T], 1)))


def test_what_solvers_lack_after_some_steps():
    of = game("sparse_coding_patches", penalty=0.2, minimum=400)
    d, x = exact(of.variables.params["dictionary"]), white(of)
    d = d / np.linalg.norm(d, axis=0)
    found = [lasso(d, x, z, 0.2) for z in path(d, x, 0.2, 400)]
    outputs, _ = of.work("gaps")
    agree(outputs["minimum"], found[-1], 1e-4)
    for steps in (20, 50, 100):
        np.testing.assert_allclose(
            outputs[f"fista_{steps}_gap"], found[steps] - found[-1], atol=1e-4
        )
        assert np.all(outputs[f"ista_{steps}_gap"] >= outputs[f"coordinates_{steps}_gap"] - 1e-4)
    assert outputs["ista_20_gap"].mean() > outputs["ista_100_gap"].mean() > -1e-4


PSD = {"penalty": 0.2, "pull": 0.7, "refinement.steps": 0, "encoder.layers": 2}


def guess(own, x):
    """f(x) of each encoder, which its parameters tell apart."""
    drive = x @ own["w"] + own.get("b", 0.0)
    if "log_threshold" not in own:
        return own["gain"] * np.tanh(drive)
    if "s" not in own:
        return own["gain"] * soft(drive, np.exp(own["log_threshold"]))
    z = 0.0
    for number, log_threshold in enumerate(own["log_threshold"]):
        z = soft(drive + (z @ own["s"] if number else 0.0), np.exp(log_threshold))
    return z


def psd(encoder, **settings):
    """A game whose thresholds leave a part of the units."""
    of = game("psd_patches", **PSD | settings, **{"encoder.name": encoder})
    return of._replace(variables=awake(of.variables))


def awake(variables):
    """With lower thresholds of the encoder, so that a part of the units passes them."""
    own = variables.params["encoder"]
    own = {k: v - 2.0 if k == "log_threshold" else v for k, v in own.items()}
    return variables._replace(params=variables.params | {"encoder": own})


def slope_along(of, energy):
    """That of the objective along some direction of the encoder, and that of energy(encoder)."""
    rng = np.random.default_rng(1)
    own, found = (exact(tree["encoder"]) for tree in (of.variables.params, gradient(of)))
    along = {name: rng.normal(size=x.shape) for name, x in own.items()}
    ends = [energy({k: own[k] + step * along[k] for k in own}) for step in (-1e-6, 1e-6)]
    return sum((found[k] * along[k]).sum() for k in own), (ends[1] - ends[0]) / 2e-6


@pytest.mark.parametrize("encoder", ["tanh", "shrinkage", "lista"])
def test_predictive_sparse_decomposition(encoder):
    """Inference begins at f(x) and is pulled there; dictionary and encoder descend on the energy,
    of which the codes count as constants."""
    of = psd(encoder)
    p, x = exact(of.variables.params), white(of)
    d, own = p["dictionary"], p["encoder"]
    f = guess(own, x)
    assert encoder == "tanh" or 0.1 < (f == 0).mean() < 0.9
    z = path(d, x, 0.2, 5, 0.7, f)[-1]
    far = ((z - f) ** 2).sum(1)
    played = of.play()
    agree(played.value, (lasso(d, x, z, 0.2) + 0.35 * far).mean())
    agree(played.metric("prediction_error"), far.mean())
    agree(played.metric("active"), (z != 0).sum(1).mean())
    agree(gradient(of)["dictionary"], (z @ d.T - x).T @ z / COUNT)
    agree(*slope_along(of, lambda own: 0.35 * ((z - guess(own, x)) ** 2).sum(1).mean()))

    of_columns(of, "atoms", d)
    of_columns(of, "filters", own["w"])
    agree(of.work("encode")[0]["latent"], f)
    d = d / np.linalg.norm(d, axis=0)
    agree(of.work("encode")[0]["latent"], f)
    pair = of.work("reconstruct")[0]["image"].reshape(COUNT, -1)
    agree(pair, shown(np.concatenate([x, f @ d.T], 1)))


@pytest.mark.parametrize("error", ["codes", "objective"])
def test_an_encoder_by_itself(error):
    """Nothing pulls, inference starts from f(x), and the dictionary is none of its own."""
    of = psd("shrinkage", **{"refinement.steps": 2, "refinement.error": error})
    own, x = exact(of.variables.params["encoder"]), white(of)
    d = exact(of.variables.state["dictionary"])
    d = d / np.linalg.norm(d, axis=0)
    z = path(d, x, 0.2, 5, 0.0, guess(own, x))[-1]

    def energy(own):
        f = guess(own, x)
        left = lasso(d, x, f, 0.2) if error == "objective" else 0.5 * ((z - f) ** 2).sum(1)
        return left.mean()

    played = of.play()
    agree(played.value, energy(own))
    agree(played.metric("prediction_error"), ((z - guess(own, x)) ** 2).sum(1).mean())
    agree(played.metric("active"), (z != 0).sum(1).mean())
    assert set(gradient(of)) == {"encoder"}
    agree(*slope_along(of, energy))
    of_columns(of, "atoms", d)
    assert not jax.tree.leaves(played.state)


def test_codes_of_pooled_codes():
    """The second layer sees the codes of 4x4 windows at stride 2, rectified, in squares of 2x2."""
    floor = {"refinement.steps": 0, "penalty": 0.2, "pull": 0.7, "pooling.floor": 0.03}
    of = game("psd_two_layers_patches", **floor)
    below = awake(of.variables.frozen["below"])
    of = of._replace(variables=awake(of.variables)._replace(frozen={"below": below}))
    image = white(of).reshape(COUNT, 10, 10)
    first = exact(below.params["encoder"])
    pooled = np.zeros((COUNT, 2, 2, 12))
    for i, j in np.ndindex(4, 4):
        u = guess(first, image[:, 2 * i : 2 * i + 4, 2 * j : 2 * j + 4].reshape(COUNT, 16))
        halves = np.concatenate([np.maximum(u, 0), np.maximum(-u, 0)], 1)
        pooled[:, i // 2, j // 2] += halves / 4
    x = pooled.reshape(COUNT, 48)
    contrast = np.sqrt((x**2).mean(1, keepdims=True))
    assert contrast.min() < 0.03 < contrast.max()
    x = x / np.maximum(contrast, 0.03)

    d, own = (exact(of.variables.params[name]) for name in ("dictionary", "encoder"))
    f = guess(own, x)
    z = path(d, x, 0.2, 5, 0.7, f)[-1]
    agree(of.play().value, (lasso(d, x, z, 0.2) + 0.35 * ((z - f) ** 2).sum(1)).mean())
    agree(of.work("encode")[0]["latent"], f)

    # A code's picture: the first layer's atoms, each in the windows of its square.
    d, atoms = d / np.linalg.norm(d, axis=0), exact(below.state["dictionary"])
    seen = {"x": x, "y": f @ d.T, "atom": d.T[ROWS % 10]}
    atoms = atoms / np.linalg.norm(atoms, axis=0)
    pictures = {name: np.zeros((COUNT, 10, 10)) for name in seen}
    for name, rows in seen.items():
        code = rows.reshape(COUNT, 2, 2, 2, 6)
        for i, j in np.ndindex(4, 4):
            part = (code[:, i // 2, j // 2, 0] - code[:, i // 2, j // 2, 1]) @ atoms.T
            place = pictures[name][:, 2 * i : 2 * i + 4, 2 * j : 2 * j + 4]
            place += part.reshape(COUNT, 4, 4)
    x, y, atom = (pictures[name].reshape(COUNT, 100) for name in seen)
    agree(of.work("atoms", moves=False)[0]["image"].reshape(COUNT, -1), shown(atom))
    pair = of.work("reconstruct")[0]["image"].reshape(COUNT, -1)
    agree(pair, shown(np.concatenate([x, y], 1)))


def test_what_an_encoder_loses_and_saves():
    """One that makes some way from 0 towards the code: a step or more of FISTA does as well."""
    of = game("psd_patches", **PSD, **{"encoder.name": "tanh"})
    d, x = exact(of.variables.params["dictionary"]), white(of)
    d = d / np.linalg.norm(d, axis=0)
    f = 0.3 * np.tanh(x @ d)
    encoder = {"w": np.float32(d), "b": np.zeros(10, "f"), "gain": np.full(10, 0.3, "f")}
    params = of.variables.params | {"encoder": encoder}
    of = of._replace(variables=of.variables._replace(params=params))
    outputs, _ = of.work("quality")
    values = [lasso(d, x, z, 0.2) for z in path(d, x, 0.2, 8)]
    agree(outputs["objective"], values[5])
    for steps in (1, 2, 4, 8):
        agree(outputs[f"fista_{steps}"], values[steps])
    mine = lasso(d, x, f, 0.2)
    agree(outputs["encoder_objective"], mine)
    agree(outputs["encoder_error"], squares(d, x, f))
    agree(outputs["encoder_active"], np.full(COUNT, 10))
    first = np.array([next((n for n in range(5) if values[n][i] <= mine[i]), 5) for i in ROWS])
    assert first.min() > 0 and first.max() < 5
    agree(outputs["equal_steps"], first)
    # A step of FISTA from the guess, in which nothing pulls.
    bound = bound_of(d)
    begun = soft(f - (f @ d.T - x) @ d / bound, 0.2 / bound)
    agree(outputs["begun_objective"], lasso(d, x, begun, 0.2))


def test_a_sparse_autoencoder_of_means():
    """KL(rho || mean of a unit over the batch), beside half the squared error and the decay."""
    settings = {"sparsity": "kl", "kl.target": 0.2, "kl.weight": 0.5, "decay": 0.3}
    of = game("sparse_ae_mnist", **settings)
    p, x = exact(of.variables.params["autoencoder"]), white(of)
    h = sigmoid(x @ p["w"] + p["c"])
    y = sigmoid(h @ p["v"] + p["b"])
    mean = h.mean(0)
    kl = (0.2 * np.log(0.2 / mean) + 0.8 * np.log(0.8 / (1 - mean))).sum()
    error = ((y - x) ** 2).sum(1)
    decay = 0.15 * sum((p[name] ** 2).sum() for name in ("w", "v"))
    played = of.play()
    agree(played.value, 0.5 * error.mean() + 0.5 * kl + decay)
    agree(played.metric("sparsity"), kl)
    agree(played.metric("squared_error"), error.mean())
    outputs, _ = of.work("distortion")
    agree(outputs["squared_error"], error)
    agree(outputs["activity"], h.mean(1))
    agree(outputs["active"], (h > 0.5).mean(1))
    agree(of.work("encode")[0]["latent"], h)
    of_columns(of, "filters", p["w"])


def largest(z, k):
    """All but the k largest of each row set to 0."""
    kept = np.zeros_like(z)
    np.put_along_axis(kept, z.argsort(1)[:, -k:], 1.0, 1)
    return z * kept


@pytest.mark.parametrize(("step", "k"), [(0, 10), (1, 8), (2, 5), (9, 3)])
def test_a_k_sparse_autoencoder(step, k):
    """k falls from 10 to 3 in three rounds; 6 units are kept in use."""
    of = game("sparse_ae_mnist", **{"decay": 0.3, "k_sparse.alpha": 2.0})
    p, x = exact(of.variables.params["autoencoder"]), white(of)
    h = largest(x @ p["w"] + p["c"], k)
    y = h @ p["w"].T + p["b"]
    played = of.play(step=step)
    agree(played.value, 0.5 * ((y - x) ** 2).sum(1).mean() + 0.15 * (p["w"] ** 2).sum())
    if step == 1:
        back = (y - x) / COUNT
        found = gradient(of)["autoencoder"]
        kept = (h != 0) * (back @ p["w"])
        agree(found["c"], kept.sum(0))
        agree(found["w"], x.T @ kept + back.T @ h + 0.3 * p["w"])
    if step == 0:
        h = largest(x @ p["w"] + p["c"], 6)
        y = h @ p["w"].T + p["b"]
        outputs, _ = of.work("distortion")
        agree(outputs["squared_error"], ((y - x) ** 2).sum(1))
        agree(outputs["activity"], h.mean(1))
        agree(outputs["active"], 0.6 * np.ones(COUNT))
        agree(of.work("encode")[0]["latent"], h)
        pair = (of.work("reconstruct")[0]["image"].reshape(COUNT, 2, -1) + 1) / 2
        agree(pair[:, 0], x)
        agree(pair[:, 1], y)


@pytest.mark.parametrize("few", [True, False])
def test_a_stacked_autoencoders_classifier(few):
    """It learns from the labelled few, if there are some, and is judged on the others."""
    of = game("sdae_mnist", **({} if few else {"data.name": "npz", "data.labelled": 0}))
    p, end = exact(of.variables.params), "_labelled" if few else ""
    log_ps, labels = [], [np.asarray(of.batch[name]) for name in ("label" + end, "label")]
    for name in ("image" + end, "image"):
        h = white_of(of.batch[name])
        for layer in p["layers"]:
            h = sigmoid(h @ layer["w"] + layer["c"])
        if name == "image":
            agree(of.work("encode")[0]["latent"], h)
        log_ps.append(log_softmax(h @ p["head"]["w"] + p["head"]["c"]))
    played, wrong = of.play(), [x.argmax(1) != y for x, y in zip(log_ps, labels, strict=True)]
    agree(played.value, -pick(log_ps[0], labels[0]).mean())
    agree(played.metric("error"), wrong[0].mean())
    outputs, _ = of.work("classified", moves=False)
    agree(outputs["error"], wrong[1])
    agree(outputs["log_likelihood"], pick(log_ps[1], labels[1]))
    of_columns(of, "filters", p["layers"][0]["w"])


def denoising(layer, h, kept):
    """Cross-entropy of h and what tied weights make of the entries that are kept, [B]."""
    code = sigmoid((h * kept) @ layer["w"] + layer["c"])
    logits = code @ layer["w"].T + layer["b"]
    return (h * softplus(-logits) + (1 - h) * softplus(logits)).sum(1)


def masks(key, batch, width, share):
    """Which entries of each example are kept."""
    return np.asarray(uniform(example_keys(key, batch), (width,)) >= share)
