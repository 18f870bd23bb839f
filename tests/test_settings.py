"""Settings: each has a meaning, a type and bounds; what cannot be meant is said in one line."""

import copy
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest
from games import config
from ml_collections import ConfigDict
from sample_files import text_file

import gm_jax
from gm_jax import zoo
from gm_jax.recipes import changed, complete, differences, recipe, schema_of
from gm_jax.settings import as_dict, defaults, describe, fields, is_schema, read

RECIPES = sorted(path.stem for path in Path("configs").glob("[!_]*.py"))
# One recipe a system is enough to know its schema.
OF_SYSTEM = {gm_jax.load_config(f"configs/{name}.py").system: name for name in RECIPES}


def smoke(system):
    """The smallest recipe of a system, as nested dicts."""
    return gm_jax.load_config(f"configs/{OF_SYSTEM[system]}.py:smoke").to_dict()


def leaves(schema, settings, path=()):
    """(path, setting) of every setting that is no group."""
    for name, setting in fields(schema).items():
        if is_schema(setting.kind):
            yield from leaves(setting.kind, settings[name], (*path, name))
        elif name in settings:
            yield (*path, name), setting


def groups(schema, path=()):
    """The paths of all groups of settings, the whole first."""
    yield path
    for name, setting in fields(schema).items():
        if is_schema(setting.kind):
            yield from groups(setting.kind, (*path, name))


def with_value(settings, path, value):
    """The settings with another value at a path."""
    settings = copy.deepcopy(settings)
    part = settings
    for name in path[:-1]:
        part = part[name]
    part[path[-1]] = value
    return settings


def refusal(settings):
    """What is said of settings, one line; "" if they can be read."""
    try:
        read(schema_of(settings), settings)
    except gm_jax.UserError as error:
        assert "\n" not in str(error)
        return str(error)
    return ""


@pytest.mark.slow
@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_can_be_read_and_set_as_its_help_says(name):
    for variant in ("", ":smoke"):
        settings = gm_jax.load_config(f"configs/{name}.py{variant}")
        if not settings.steps and settings.get("weights") == "":
            settings.weights = "FILE"  # It trains nothing: its user has the weights.
        assert not refusal(settings)
        assert not differences(settings, complete(settings.to_dict()), free=False)
        for path, _, meaning in describe(schema_of(settings), settings):
            assert meaning.strip(), f"{path} has no meaning: say it in its schema's docstring"


@pytest.mark.slow
@pytest.mark.parametrize("system", zoo.SYSTEMS)
def test_what_no_setting_can_be_is_refused_by_its_name(system):
    settings = smoke(system)
    schema = schema_of(settings)
    for path in groups(schema):
        if "optimizer" not in path[-1:]:  # Its further arguments are optax's.
            assert "unknown setting" in refusal(with_value(settings, (*path, "wdith"), 3))
    for path, setting in leaves(schema, settings):
        name = ".".join(path)
        wrong = {int: "many", float: "much", bool: "maybe", str: 3}.get(setting.kind, object())
        if path != ("system",):
            assert name in refusal(with_value(settings, path, wrong)), name
        if setting.kind in (int, float):
            assert refusal(with_value(settings, path, float("nan"))).startswith(name), name
    for name in ("steps", "batch_size"):
        missing = {key: value for key, value in settings.items() if key != name}
        assert refusal(missing) == f"{name} is missing: the recipe must state it"


@pytest.mark.slow
@pytest.mark.parametrize("system", zoo.SYSTEMS)
def test_no_number_of_a_setting_ends_in_a_bare_error(system, digits16):
    """Whatever `read` lets pass can be built and traced, or is refused in one line."""
    settings = config_of_game(system, digits16)
    for path, setting in leaves(schema_of(settings), settings):
        if setting.kind not in (int, float) or path[0] in ("evaluate", "seed", "steps"):
            continue
        for value in (setting.kind(-1), setting.kind(0)):
            try:
                phases = gm_jax.build(ConfigDict(with_value(settings, path, value)))
                trace(phases[-1], with_value(settings, path, value)["batch_size"])
            except gm_jax.UserError as error:
                assert "\n" not in str(error)


def config_of_game(system, digits16):
    """A smoke recipe of the system on data that every machine has, as nested dicts."""
    settings = smoke(system)
    kinds = {"text": ("text", str(text_file()))}
    name, path = kinds.get(settings["data"]["name"], ("npz", str(digits16)))
    if settings["data"]["name"] not in ("digits", "ring", "grid", "wav"):
        settings["data"] |= {"name": name, "path": path}
    return settings


def trace(phase, batch_size):
    """Traces the phase's beginning and its moves on the shapes of its data."""
    source = gm_jax.data.open_source(phase.data)
    raw = {k: jnp.asarray(v[:batch_size]) for k, v in source.load(jnp.arange(batch_size)).items()}
    prepare = gm_jax.data.preparation(phase.data)

    def begin(key):
        batch = prepare({**raw, "index": jnp.arange(batch_size)}, key)
        variables = phase.model.init(key, batch, None)
        for player in phase.model.players:
            for move in player.moves:
                move.objective(variables, batch, key, jnp.int32(0))
        return variables.params

    if not phase.stages:
        jax.eval_shape(begin, jax.random.key(0))


@pytest.mark.parametrize(
    "system,change,message",
    [
        ("ngram", {"order": 5}, "order 5 sees 4 characters back"),
        ("bengio", {"network.order": 9}, "order 9 sees 8 characters back"),
        ("bengio", {"network.order": 1}, "network.order is 1: it must be at least 2"),
        ("gpt", {"sampler.top_p": 0.0}, "sampler.top_p is 0.0: it must be above 0"),
        ("gpt", {"sampler.temperature": -1.0}, "sampler.temperature is -1.0"),
        ("gpt", {"data.name": "digits"}, "needs `text`; this data set has image, label"),
        ("vae", {"data.name": "text", "data.path": str(text_file())}, "needs `image`; .* text"),
        ("vae", {"posterior.name": "categorical", "bound": "importance"}, "set bound to elbo"),
        ("vae", {"posterior.name": "gauss"}, "posterior.name is 'gauss': .* gaussian"),
        ("vae", {"likelihood": "poisson"}, "likelihood is 'poisson'"),
        ("vae", {"bound": "iwae"}, "bound is 'iwae': it must be one of: elbo, importance"),
        ("vqvae", {"quantizer.name": "ema"}, "quantizer.name is 'ema'"),
        ("dae", {"corruption.name": "blur"}, "corruption.name is 'blur'"),
        ("gated_pixelcnn", {"sampler.top_k": -1}, "sampler.top_k is -1"),
        ("ddpm", {"sampler.name": "dpm"}, "sampler.name is 'dpm': .* ancestral, ddim"),
        ("ddpm", {"sampler.steps": 2000}, "sampler.steps 2000 must be in 1"),
        ("ddpm", {"sampler.guidance": 1.0, "label_dropout": 0.0}, "label_dropout > 0"),
        ("ddpm", {"schedule": "cosin"}, "schedule is 'cosin': .*did you mean cosine"),
        ("ddpm", {"network.widht": 3}, "network.widht .did you mean width"),
        ("vae", {"steps": 0}, "steps is 0: it must be at least 1"),
        ("vae", {"checkpoint.keep": 0}, "checkpoint.keep is 0"),
        ("vae", {"average": 1.5}, "average is 1.5: it must be below 1"),
        ("vae", {"seed": 2**32 + 5}, "seed is 4294967301: it must be below 4294967296"),
        ("vae", {"dtype": "float23"}, "dtype is 'float23'"),
        ("vae", {"dtype": "float64"}, "JAX_ENABLE_X64"),
        ("vae", {"evaluate.scor": 3}, "unknown setting evaluate.scor .did you mean score"),
        ("vae", {"show.counts.sample": -3}, "show.counts.sample is -3"),
        ("gan", {"value_funtion": "minimax"}, "unknown setting value_funtion"),
        ("gan", {"penalty.weight": -1.0}, "penalty.weight is -1.0"),
        ("gan", {"generator.width": 0}, "generator.width is 0: it must be at least 1"),
        ("gan", {"discriminator.optimizer.beta1": 0.5}, "optax.adam takes no argument beta1"),
        ("vae", {"show.counts": {"manifld": 9}}, "show.counts.manifld: the model has no function"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused_before_anything_is_trained(
    system, change, message, digits16
):
    with pytest.raises(gm_jax.UserError, match=message) as caught:
        gm_jax.build(config(system, digits16, **change))
    assert "\n" not in str(caught.value)


def test_a_number_is_no_pair():
    settings = with_value(smoke("gan"), ("tricks", "real_label"), 0.9)
    assert refusal(settings) == "tricks.real_label is 0.9: it must be 2 values (a number, a number)"


def test_a_layer_changes_only_what_a_recipe_has():
    stated = {"system": "vae", "steps": 4, "batch_size": 2}
    with pytest.raises(gm_jax.UserError, match="unknown setting stepps .did you mean steps"):
        recipe("small", stated, small={"stepps": 2})
    with pytest.raises(gm_jax.UserError, match="unknown setting data.pth"):
        recipe("", stated | {"data": {"pth": "x"}})
    with pytest.raises(gm_jax.UserError, match="no variant 'big'; it has: small"):
        recipe("big", stated, small={"steps": 2})


def test_an_optimizer_that_is_named_starts_anew_and_one_that_is_not_keeps_its_own():
    stated = {"system": "vae", "steps": 4, "batch_size": 2}
    adam = {"name": "adam", "learning_rate": 1e-3, "b1": 0.5, "warmup_steps": 7}
    settings = recipe("", stated | {"optimizer": adam}, {"optimizer": {"learning_rate": 2e-3}})
    assert dict(settings.optimizer, b1=0.5) == dict(settings.optimizer)
    assert (settings.optimizer.learning_rate, settings.optimizer.warmup_steps) == (2e-3, 7)
    sgd = {"optimizer": {"name": "sgd", "learning_rate": 1.0}}
    named = ConfigDict(changed(settings.to_dict(), sgd)).optimizer
    assert named.warmup_steps == 0 and named.b1 is None


def test_another_system_keeps_what_it_has_in_common_with_the_recipe():
    ring = gm_jax.load_config("configs/gan_ring.py").to_dict()
    began = changed(ring, {"system": "began", "code": 3})
    assert (began["code"], began["latents"], began["data"]["name"]) == (3, 256, "ring")
    assert "value_function" not in began and not refusal(began)
    with pytest.raises(gm_jax.UserError, match="unknown setting margin"):
        changed(ring, {"system": "began", "margin": 3.0})


def test_a_run_of_an_older_version_has_todays_defaults_and_no_settings_that_are_gone():
    settings = gm_jax.load_config("configs/vae_digits.py")
    old = settings.to_dict() | {"forgotten": 3}
    old["network"]["widths"] = list(old["network"]["widths"])
    del old["study"], old["sample"]["seed"]
    assert not differences(complete(old), settings, free=False)


def test_what_may_differ_in_a_continuation_is_what_its_schema_marks():
    settings = gm_jax.load_config("configs/ddpm_digits.py").to_dict()
    other = with_value(with_value(settings, ("steps",), 9), ("sampler", "steps"), 3)
    other["data"]["path"] = "elsewhere"
    assert differences(settings, other) == []
    assert len(differences(settings, other, free=False)) == 3
    other = with_value(settings, ("batch_size",), 3)
    assert differences(settings, other) == ["batch_size: 64, now 3"]
    gan = gm_jax.load_config("configs/gan_digits.py").to_dict()
    assert differences(settings, gan) == ["system: 'ddpm', now 'gan'"]


def test_an_instance_is_a_recipe_and_a_recipe_an_instance():
    for system, module in zoo.SYSTEMS.items():
        settings = read(module.Settings, smoke(system))
        assert read(module.Settings, as_dict(settings)) == settings
        assert set(defaults(module.Settings)) == {*as_dict(settings)} - {
            "system", "steps", "batch_size",
        }  # fmt: skip


@pytest.mark.slow
def test_functions_are_judged_on_examples_that_there_are(tmp_path, digits16):
    settings = config("vae", digits16, **{"show.every": 0, "data.binarize": "fixed"})
    trained = gm_jax.train(settings, tmp_path, jax.devices()[:1])
    for counts, message in (
        ({"bound": 600}, "the split test has 297 examples: 0 is all"),
        ({"sample": 8}, "returns no value per example"),
    ):
        settings.evaluate.counts = ConfigDict(counts)
        with pytest.raises(gm_jax.UserError, match=message):
            gm_jax.evaluate(trained._replace(config=settings), tmp_path)
