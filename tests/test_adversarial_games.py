"""What each adversarial system's players minimise, against the networks called by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from games import config, opening

import gm_jax
from gm_jax.adversarial.shared.networks import DCGANDiscriminator, PointDiscriminator
from gm_jax.adversarial.shared.tricks import Tricks
from gm_jax.model import example_keys
from gm_jax.nn.layers import BatchNorm, normal
from gm_jax.settings import as_dict

ONE = jax.devices()[:1]
NO_TRICKS = as_dict(Tricks())


def opened(name, digits16, **overrides):
    """{player: its objective}, variables, a prepared batch, functions, of a small game."""
    phase, batches, variables = opening(config(name, digits16, **overrides), ONE)
    batch = jax.jit(batches.prepare)(batches.first, jax.random.key(0))
    play = {
        player.name: jax.jit(player.moves[0].objective, static_argnums=3)
        for player in phase.model.players
    }
    return play, variables, batch, phase.model


def loss_and_slope(objective, variables, batch, player_owns, step=0):
    """The objective's value and its gradient in what the player owns."""

    def value(owned):
        seen = variables._replace(params={**variables.params, **owned})
        return objective(seen, batch, jax.random.key(5), step)[0]

    return jax.value_and_grad(value)({name: variables.params[name] for name in player_owns})


def norm(tree):
    return float(sum(jnp.sum(x**2) for x in jax.tree.leaves(tree))) ** 0.5


@pytest.mark.slow
def test_a_penalty_reaches_the_gradient_and_refuses_batch_normalisation(digits16):
    slopes = []
    for weight in (0.0, 10.0):
        play, variables, batch, _ = opened("wgan_gp", digits16, **{"penalty.weight": weight})
        slopes.append(loss_and_slope(play["discriminator"], variables, batch, ["discriminator"])[1])
    assert norm(jax.tree.map(jnp.subtract, *slopes)) > 1e-3
    with pytest.raises(gm_jax.UserError, match="without batch normalisation"):
        opened("wgan_gp", digits16, **{"discriminator.normalization": "batch"})


def test_choices_that_do_not_go_together_are_refused(digits16):
    for change, message in (
        ({"discriminator.optimizer.eps_root": 0.0}, "eps_root"),
        ({"value_function": "hinge"}, "has no labels"),
        (
            {"value_function": "nonsense"},
            "value_function is 'nonsense': it must be one of: min",
        ),
        ({"penalty.name": "nonsense"}, "penalty.name is 'nonsense'"),
        ({"prior": "nonsense"}, "prior is 'nonsense'"),
        ({"networks": "nonsense"}, "networks is 'nonsense'"),
        ({"tricks.flip": 0.1}, "unknown setting tricks.flip"),
        ({"system": "began"}, "unknown setting average_start"),
        ({"tricks.packing": 3}, "packs of 3"),
        ({"tricks.replay.size": 8}, "must be at least batch_size 16"),
        ({"tricks.noise.steps": 0}, "tricks.noise: deviation needs"),
        ({"tricks.packing": 0}, "tricks.packing is 0: it must be at least 1"),
        ({"tricks.flips": 3}, "tricks.flips is 3.0: it must be at most 1"),
        ({"discriminator.normalization": "spectra"}, "one of: batch, spectral, none"),
        ({"discriminator.often": {"frist": 3}}, "unknown setting discriminator.often.frist"),
        ({"networks": "dcgan"}, "choose points"),
        ({"conditional": True}, "old fakes without labels"),
        (
            {"penalty.name": "dragan", "value_function": "wasserstein", "tricks": NO_TRICKS},
            "D of probabilities",
        ),
        (
            {
                "discriminator.optimizer": {
                    "name": "rmsprop",
                    "learning_rate": 1e-3,
                    "eps_in_sqrt": False,
                }
            },
            "eps_in_sqrt",
        ),
    ):
        with pytest.raises(gm_jax.UserError, match=message):
            gm_jax.build(config("unrolled", digits16, **change))
    with pytest.raises(gm_jax.UserError, match="two domains"):
        gm_jax.build(config("cogan", digits16, **{"data.name": "npz"}))


@pytest.mark.slow
def test_the_unrolled_generator_minimises_the_saddle_after_the_discriminators_steps(digits16):
    """Against K steps of the D move played by hand; its slope needs the way through them."""
    plain = {
        "value_function": "minimax",
        "unroll.steps": 2,
        "discriminator.optimizer.learning_rate": 0.05,
        # What D is shown otherwise, or told otherwise, is no part of G's loss.
        "tricks": {**NO_TRICKS, "packing": 2},
    }
    play, variables, batch, model = opened("unrolled", digits16, **plain)
    (owner,) = [p for p in model.players if p.name == "discriminator"]
    key, after = jax.random.key(5), variables
    for _ in range(plain["unroll.steps"]):

        def loss(owned, seen=after):
            seen = seen._replace(params={**seen.params, **owned})
            return play["discriminator"](seen, batch, key, 0)[0]

        owned = {"discriminator": after.params["discriminator"]}
        updates, opt = owner.optimizer.update(
            jax.grad(loss)(owned), after.opt["discriminator"], owned
        )
        owned = jax.tree.map(jnp.add, owned, updates)
        after = after._replace(
            params={**after.params, **owned}, opt={**after.opt, "discriminator": opt}
        )
    expected = -play["discriminator"](after, batch, key, 0)[0]
    found, through = loss_and_slope(play["generator"], variables, batch, ["generator"])
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    stopped, _, _, _ = opened("unrolled", digits16, **plain, **{"unroll.through": False})
    found, constant = loss_and_slope(stopped["generator"], variables, batch, ["generator"])
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert norm(jax.tree.map(jnp.subtract, through, constant)) > 1e-4 * norm(constant)


def test_extra_critic_moves_come_first_and_at_every_so_manieth_round(digits16):
    often = {"discriminator.often": {"times": 100, "first": 25, "every": 500}}
    (phase,) = gm_jax.build(config("wgan", digits16, **often, **{"discriminator.times": 5}))
    times = phase.model.players[0].moves[0].times
    assert [times(s) for s in (0, 24, 25, 499, 500, 501)] == [100, 100, 5, 5, 100, 5]


@pytest.mark.slow
def test_the_label_enters_both_players(digits16):
    play, variables, batch, model = opened("cgan", digits16)
    other = {**batch, "label": (batch["label"] + 1) % 10}
    key = jax.random.key(5)
    samples = [model.functions["sample"](variables, b, key)["image"] for b in (batch, other)]
    assert jnp.abs(samples[0] - samples[1]).max() > 1e-4
    # D of the same real images: only their label differs.
    real = [
        play["discriminator"](variables, b, key, 0)[1].metrics["real_output"]
        for b in (batch, other)
    ]
    assert real[0] != real[1]


def test_acgan_asks_for_the_class_of_real_and_of_generated_examples(digits16):
    play, variables, batch, _ = opened("acgan", digits16)
    value, aux = play["discriminator"](variables, batch, jax.random.key(5), 0)
    classes = aux.metrics["class_of_real"] + aux.metrics["class_of_fake"]
    assert aux.metrics["class_of_fake"] > 1.0 and aux.metrics["class_of_real"] > 1.0
    # At the start D's logits are near 0: the source costs 2 log 2, and each class about log 10.
    np.testing.assert_allclose(value - classes, 2 * np.log(2), rtol=0.1)
    wrong = {**batch, "label": (batch["label"] + 1) % 10}
    a, b = (play["generator"](variables, x, jax.random.key(5), 0)[0] for x in (batch, wrong))
    assert a != b


@pytest.mark.slow
def test_information_reaches_d_and_g_and_vanishes_for_a_silent_code(digits16):
    slopes = {}
    for weight in (0.0, 1.0):
        play, variables, batch, _ = opened("infogan", digits16, information=weight)
        for player in ("discriminator", "generator"):
            slopes[player, weight] = loss_and_slope(play[player], variables, batch, [player])[1]
    for player in ("discriminator", "generator"):
        change = jax.tree.map(jnp.subtract, slopes[player, 0.0], slopes[player, 1.0])
        assert norm(change) > 1e-3
    # Q's heads are silent at first: log Q is log 1/10 and the Gaussian's, and H(c) meets the first.
    informed = play["discriminator"](variables, batch, jax.random.key(5), 0)[1].metrics
    gaussian = 2 * np.log(2) - np.log(2 * np.pi) - 1 / 3
    np.testing.assert_allclose(informed["information"], gaussian, atol=0.15)


@pytest.mark.slow
def test_bigan_flips_the_labels_for_generator_and_encoder(digits16):
    play, variables, batch, _ = opened("bigan", digits16)
    key = jax.random.key(5)
    of_d, of_g = (play[p](variables, batch, key, 0) for p in ("discriminator", "generator"))
    # softplus(-x) - softplus(x) = -x: exchanging the labels changes the loss by the outputs alone.
    outputs = of_d[1].metrics["fake_output"] - of_d[1].metrics["real_output"]
    np.testing.assert_allclose(of_d[0] - of_g[0], outputs, atol=1e-5)
    assert abs(outputs) > 1e-3
    _, slope = loss_and_slope(play["generator"], variables, batch, ["generator", "encoder"])
    assert norm(slope["generator"]) > 0 and norm(slope["encoder"]) > 0


@pytest.mark.slow
def test_vaegan_gives_the_encoder_no_adversarial_slope(digits16):
    """D's last layer decides L_GAN and not D_l: only decoder and D may feel it."""
    play, variables, batch, _ = opened("vaegan", digits16)
    params = dict(variables.params)
    params["discriminator"] = {
        **params["discriminator"],
        "Dense_0": jax.tree.map(lambda x: 3.0 * x + 1.0, params["discriminator"]["Dense_0"]),
    }
    other = variables._replace(params=params)
    key = jax.random.key(5)
    for player, feels in (("encoder", False), ("decoder", True), ("discriminator", True)):
        a, b = (play[player](v, batch, key, 0)[0] for v in (variables, other))
        assert (abs(float(a - b)) > 1e-3) == feels
    encoder = play["encoder"](variables, batch, key, 0)
    adversarial = play["discriminator"](variables, batch, key, 0)[0]
    like = encoder[1].metrics["like"]
    np.testing.assert_allclose(encoder[0], encoder[1].metrics["kl"] + like, rtol=1e-5)
    decoder = play["decoder"](variables, batch, key, 0)[0]
    np.testing.assert_allclose(decoder, 0.01 * like - 0.99 * adversarial, rtol=1e-4)


@pytest.mark.slow
def test_began_keeps_its_k_and_uses_the_old_one(digits16):
    play, variables, batch, _ = opened("began", digits16, balance_rate=0.5, gamma=0.5)
    variables = variables._replace(state={**variables.state, "k": jnp.array(0.4)})
    value, aux = play["discriminator"](variables, batch, jax.random.key(5), 0)
    m = aux.metrics
    np.testing.assert_allclose(value, m["real_error"] - 0.4 * m["fake_error"], rtol=1e-5)
    k = np.clip(0.4 + 0.5 * (0.5 * m["real_error"] - m["fake_error"]), 0, 1)
    np.testing.assert_allclose(aux.state["k"], k, rtol=1e-5)
    assert 0.0 <= float(k) <= 1.0 and float(k) != 0.4


@pytest.mark.slow
def test_ebgans_generator_minimises_the_energy_and_pulls_codes_apart(digits16):
    values = []
    for weight in (0.0, 0.5):
        play, variables, batch, _ = opened("ebgan", digits16, pulling_away=weight)
        value, aux = play["generator"](variables, batch, jax.random.key(5), 0)
        values.append(value)
    np.testing.assert_allclose(values[1] - values[0], 0.5 * aux.metrics["pulling_away"], rtol=1e-3)
    fake = play["discriminator"](variables, batch, jax.random.key(5), 0)[1].metrics["fake_energy"]
    np.testing.assert_allclose(values[0], fake, rtol=1e-5)


@pytest.mark.slow
def test_cogans_domains_share_all_but_the_layers_next_to_the_images(digits16):
    _, variables, batch, model = opened("cogan", digits16)
    assert set(variables.params["discriminator"]) == {"first_a", "first_b", "Discriminator_0"}
    pair = model.functions["sample"](variables, batch, jax.random.key(5))
    assert pair["image"].shape == pair["image_b"].shape == batch["image"].shape
    last = variables.params["generator"]["TransposedConv_1"]["kernel"]
    assert 2 in last.shape  # One channel a domain; every layer before it is common.


@pytest.mark.slow
@pytest.mark.parametrize("module", [DCGANDiscriminator, PointDiscriminator])
def test_spectral_normalisation_reaches_the_largest_singular_value_and_keeps_its_vector(module):
    made = module(width=8, normalization="spectral")
    x = normal(example_keys(jax.random.key(0), {"index": jnp.arange(4)}), (8, 8, 1))
    x = x if module is DCGANDiscriminator else x.reshape(4, -1)[:, :2]
    variables = made.init(jax.random.key(1), x, train=True)
    params, state = variables["params"], {"batch_stats": variables["batch_stats"]}
    for _ in range(60):
        _, state = made.apply({"params": params, **state}, x, train=True, mutable=["batch_stats"])
    for norms in state["batch_stats"].values():
        (name,) = (k.split("/")[0] for k in norms if k.endswith("sigma"))
        kernel = np.asarray(params[name]["kernel"])
        largest = np.linalg.svd(kernel.reshape(-1, kernel.shape[-1]), compute_uv=False)[0]
        np.testing.assert_allclose(norms[f"{name}/kernel/sigma"], largest, rtol=1e-3)


def test_batch_normalisation_has_the_fields_epsilon():
    """Trap: eps set to .8 in a port from another framework's momentum."""
    x = jnp.array([[0.0], [0.02]])
    layer = BatchNorm(train=True)
    variables = layer.init(jax.random.key(0), x)
    scale = variables["params"]["BatchNorm_0"]["scale"]
    out, _ = layer.apply(variables, x, mutable=["batch_stats"])
    np.testing.assert_allclose(out[:, 0] / scale, [-0.953, 0.953], atol=0.01)
