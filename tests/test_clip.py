"""CLIP: its loss in closed form, its temperature, its captions, and what is measured with it."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from games import config, opening
from published_files import write_tiny_clip

import gm_jax
from gm_jax import data, replicas
from gm_jax.data import shapes
from gm_jax.data.shapes import meanings
from gm_jax.evaluation import matching
from gm_jax.evaluation.shapes import judge
from gm_jax.judging import alignment
from gm_jax.losses.contrastive import info_nce
from gm_jax.model import Variables
from gm_jax.multimodal.shared import clip_files
from gm_jax.recipes import recipe
from gm_jax.tokenizers.words import encode_prompts
from gm_jax.trained import Trained, mapped_functions

ONE = jax.devices()[:1]


def test_the_loss_of_equal_and_of_orthogonal_embeddings():
    count, none = 6, np.zeros((6, 6), bool)
    pair = jnp.arange(count)
    np.testing.assert_allclose(info_nce(jnp.ones((count, count)), pair, none), np.log(count))
    for scale in (1.0, 14.0):
        expected = np.log1p((count - 1) * np.exp(-scale))
        np.testing.assert_allclose(
            info_nce(scale * jnp.eye(count), pair, none), expected, atol=1e-6
        )
    # What is ignored is no candidate; the pair always is one.
    ignored = none.copy()
    ignored[:, :3] = True
    few = info_nce(jnp.ones((count, count)), pair, ignored)
    np.testing.assert_allclose(few, np.log([4, 4, 4, 3, 3, 3]), rtol=1e-6)
    # The candidates of all devices, of which this one's pairs are the last three.
    logits = jax.random.normal(jax.random.key(0), (6, 6))
    np.testing.assert_allclose(
        info_nce(logits[3:], pair[3:], none[3:]), info_nce(logits, pair, none)[3:], rtol=1e-6
    )


@functools.cache
def opened():
    """The small game, its batches and its variables on one device."""
    return opening(config("clip", "", temperature=0.05), ONE)


@pytest.mark.slow
def test_loss_and_gradients_on_eight_devices_are_those_on_one():
    """Negatives are those of all devices, and so are the gradients of the gathered embeddings."""
    with jax.enable_x64(True):
        phase, batches, variables = opening(config("clip", "", dtype="float64"), ONE, np.float64)
        (move,) = phase.model.players[0].moves
        batch = jax.device_get(batches.prepare(batches.first, jax.random.key(0)))
        batch["caption"][1] = batch["caption"][9]  # Equal captions on two devices.

        def value(params, batch):
            own = variables._replace(params=params)
            return move.objective(own, batch, jax.random.key(0), 0)[0]

        def mapped(params, batch):
            return replicas.mean(jax.value_and_grad(value)(params, batch))

        one = jax.jit(jax.value_and_grad(value))(variables.params, batch)
        parts = {k: x.reshape(8, -1, *x.shape[1:]) for k, x in batch.items()}
        eight = jax.pmap(mapped, replicas.NAME, in_axes=(None, 0), out_axes=None)
        found = eight(jax.device_get(variables.params), parts)
        one, found = jax.device_get((one, found))
        # Along the gradient: both sides of a pair learn.
        slope, step = optax.global_norm(one[1]), 1e-6
        low, high = (
            jax.jit(value)(
                jax.tree.map(lambda x, g, far=far: x + far * g / slope, variables.params, one[1]),
                batch,
            )
            for far in (-step, step)
        )
        np.testing.assert_allclose((high - low) / (2 * step), slope, rtol=1e-5)
    assert one[0] > 0.1
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=1e-12), one, found)


@pytest.mark.slow
def test_the_temperature_is_bounded_after_the_step_and_learns_at_the_bound():
    phase, batches, variables = opened()
    (player,) = phase.model.players
    for push, expected in ((-1.0, np.log(100.0)), (1.0, np.log(100.0) - 1e-3)):
        owned = dict(variables.params) | {"scale": {"log": jnp.log(100.0)}}
        gradients = jax.tree.map(jnp.zeros_like, owned) | {"scale": {"log": jnp.float32(push)}}
        updates, _ = player.optimizer.update(gradients, player.optimizer.init(owned), owned)
        after = optax.apply_updates(owned, updates)
        np.testing.assert_allclose(after["scale"]["log"], expected, rtol=1e-6)
    # Beyond the bound, too, the loss has a slope.
    batch = batches.prepare(batches.first, jax.random.key(0))

    def loss(log):
        params = variables.params | {"scale": {"log": log}}
        own = variables._replace(params=params)
        return player.moves[0].objective(own, batch, jax.random.key(0), 0)[0]

    assert abs(jax.jit(jax.grad(loss))(jnp.float32(5.0))) > 1e-3


def test_the_temperature_starts_at_its_setting():
    np.testing.assert_allclose(jnp.exp(opened()[2].params["scale"]["log"]), 20.0, rtol=1e-6)


def test_only_matrices_decay():
    phase, _, variables = opened()
    (player,) = phase.model.players
    zero = jax.tree.map(jnp.zeros_like, variables.params)
    updates, _ = player.optimizer.update(zero, player.optimizer.init(zero), variables.params)
    moved = jax.tree_util.tree_leaves_with_path(jax.tree.map(lambda u: bool(u.any()), updates))
    for path, decays in moved:
        name = jax.tree_util.keystr(path)
        assert decays == any(part in name for part in ("kernel", "'embedding'")), name


@pytest.mark.slow
def test_every_caption_has_an_end_the_longest_too():
    """Its last word would else not count: the vector of a text is that at its end."""
    settings = config("clip", "")
    (phase,) = gm_jax.build(settings)
    source = data.open_source(settings.data)
    assert source.spec["caption"].shape == (10,)
    batch = source.load(np.arange(60))
    words = np.sum(batch["caption"] > 0, axis=1)
    assert words.max() == 10 and words.min() == 4
    image = jnp.zeros((60, 32, 32, 3))
    variables = jax.jit(phase.model.init)(jax.random.key(0), batch | {"image": image}, None)
    encode = jax.jit(phase.model.functions["encode_text"])
    kept = encode(variables, {"caption": batch["caption"]}, None)["embedding"]
    for last in range(2):  # With another last word, with another first one.
        changed = batch["caption"].copy()
        rows = np.arange(60)
        changed[rows, words - 1 if last else 0] = 7
        other = encode(variables, {"caption": changed}, None)["embedding"]
        differs = (changed != batch["caption"]).any(1)
        assert (np.abs(other - kept).max(1)[differs] > 1e-4).all()


def test_recall_counts_pairs_that_are_nearest():
    queries = np.eye(3)[[0, 1, 2, 2]]
    candidates = np.eye(3)[[0, 2, 2, 1]]
    np.testing.assert_array_equal(matching.recall(queries, candidates), [1, 0, 0, 0])
    np.testing.assert_array_equal(matching.recall(queries, candidates, 2), [1, 0, 1, 0])
    equal = np.ones((4, 3))
    assert not matching.recall(equal, equal).any() and matching.recall(equal, equal, 4).all()


def test_prompts_of_a_class_count_alike_however_long_their_vectors():
    texts = np.array([[[100.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [1.0, 0.0]]])
    found = matching.prompt_ensemble(texts)
    np.testing.assert_allclose(found, [[np.sqrt(0.5), np.sqrt(0.5)], [1.0, 0.0]])
    np.testing.assert_array_equal(matching.classify(np.eye(2), found), [1, 0])


def test_cmmd_and_clip_score_in_closed_form():
    a, b = np.array([[3.0, 0.0]]), np.array([[0.0, 0.2]])
    expected = 1000 * 2 * (1 - np.exp(-2 / 200))  # Of two points at a distance of root 2.
    np.testing.assert_allclose(matching.cmmd(a, b), expected)
    x = np.random.default_rng(0).normal(size=(50, 4))
    np.testing.assert_allclose(matching.cmmd(x, x[::-1]), 0.0, atol=1e-9)
    mixed = matching.cmmd(np.concatenate([a, b]), a)
    np.testing.assert_allclose(mixed, expected / 4)
    texts = np.array([[2.0, 0.0], [-1.0, 0.0], [1.0, 1.0]])
    scores = matching.clip_scores(np.array([[1.0, 0.0]] * 3), texts)
    np.testing.assert_allclose(scores, [2.5, 0.0, 2.5 * np.sqrt(0.5)])


def one_hot(attributes):
    """What a picture means as a vector, whichever object is named first."""
    rows = np.eye(9)[meanings(np.asarray(attributes))]
    return np.float32(rows.reshape(len(rows), -1))


def in_numbers(texts):
    """The attributes that captions name, [n, 8]."""
    rows = np.zeros((len(texts), 8), np.int32)
    for row, text in zip(rows, texts, strict=True):
        relation = next((word for word in shapes.RELATIONS if f" {word} " in text), None)
        if relation:
            row[shapes.RELATION] = list(shapes.RELATIONS).index(relation) + 1
        for part, where in zip(text.split(f" {relation} "), (0, 4), strict=False):
            for column, words in enumerate(shapes.OBJECT.values()):
                row[where + column] = [*words].index((set(words) & set(part.split())).pop()) + 1
    return rows


def oracle(**evaluate):
    """A CLIP that makes no mistake on pictures of shapes: the judge's, and the words' own."""
    settings = recipe("", small("clip_shapes") | dict(evaluate=evaluate))
    (phase,) = gm_jax.build(settings)
    symbols = np.array(data.open_source(settings.data).spec["caption"].symbols)

    def function(entry, numbers):
        def embed(variables, batch, key):
            shape = jax.ShapeDtypeStruct((len(batch[entry]), 72), jnp.float32)
            return {"embedding": jax.pure_callback(numbers, shape, batch[entry])}

        return embed

    def of_images(images):
        return one_hot(judge(np.asarray(data.to_uint8(images))))

    def of_texts(ids):
        return one_hot(in_numbers([" ".join(symbols[row[row > 0]]) for row in np.asarray(ids)]))

    functions = {
        "encode_image": function("image", of_images), "encode_text": function("caption", of_texts)
    }  # fmt: skip
    phase = phase._replace(model=phase.model._replace(functions=functions))
    return Trained(settings, phase, mapped_functions(phase, ONE), Variables({}), ONE)


def small(name, **changes):
    return gm_jax.load_config(f"configs/{name}.py:smoke").to_dict() | changes


@pytest.mark.slow
def test_retrieval_is_among_scenes_of_different_meaning():
    """Of 300 captions some say the same with the objects exchanged: no CLIP could tell them."""
    found = alignment.retrieval(oracle(), 300)
    assert set(found) == {
        f"{name}_at_{k}_of_{n}" for name in ("text", "image") for k in (1, 5) for n in (100, 300)
    }
    assert {row["value"] for row in found.values()} == {1.0}
    assert {row["examples"] for row in found.values()} == {300}
    batch = alignment._distinct(data.open_source(dict(name="shapes", captions="words")), 300)
    assert len(np.unique(batch["caption"], axis=0)) == 300
    with pytest.raises(gm_jax.UserError, match="evaluate.retrieval is 999, and digits has 10"):
        alignment._distinct(data.open_source(DIGITS), 999)
    few = data.open_source(dict(name="shapes", captions="words", held_out=["red cross"]), "unseen")
    with pytest.raises(gm_jax.UserError, match="evaluate.retrieval is 400, and shapes has 3"):
        alignment._distinct(few, 400)  # Of 2 + 2 * 40 * 4 in all; endless, and yet it ends.
    with pytest.raises(gm_jax.UserError, match="needs images with captions: set data.captions"):
        alignment._distinct(data.open_source(dict(name="digits")), 9)


DIGITS = dict(name="digits", captions="words", template="the digit {}")


def test_classes_are_found_by_texts_in_combinations_that_training_never_had():
    prompts = ("a small {}", "a large {}")
    for split in ("test", "unseen"):
        found = alignment.zero_shot(oracle(split=split, prompts=prompts), 30)["zero_shot"]
        assert found["value"] == 1.0 and found["of_classes"] == 24 and found["split"] == split
    # A prompt that says too little says nothing of the size: both are as near.
    image, label, classes = alignment._labelled(data.open_source(DIGITS), 20)
    assert image.shape == (20, 8, 8, 1) and classes == tuple("0123456789") and label.max() == 9
    with pytest.raises(gm_jax.UserError, match="no caption of the training data has pink"):
        alignment.zero_shot(oracle(prompts=("a pink {}",)), 4)
    with pytest.raises(gm_jax.UserError, match="needs classes with names; ring has none"):
        alignment._labelled(data.open_source(dict(name="ring")), 4)


def test_names_of_classes_are_captions():
    source, test = data.open_source(DIGITS), data.open_source(DIGITS, "test")
    assert source.captions(np.arange(2)) == [f"the digit {n}" for n in source.load([0, 1])["label"]]
    assert (
        source.spec["caption"] == test.spec["caption"] and len(source.spec["caption"].symbols) == 14
    )
    np.testing.assert_array_equal(
        encode_prompts(source.captions(np.arange(9)), source.spec["caption"]),
        source.load(np.arange(9))["caption"],
    )


@pytest.mark.slow
def test_a_run_is_scored_by_a_clip_of_its_own(tmp_path):
    """Another model's samples, here of an untrained one, are encoded as the CLIP sees them."""
    settings = recipe("", small("clip_shapes"))
    gm_jax.train(settings, tmp_path / "clip", ONE)
    own = recipe("", dict(
        system="first_stage", steps=1, batch_size=8, network=dict(widths=(4, 4), groups=2),
        data=dict(name="shapes", captions="words", size=16), show=dict(counts=dict(sample=0)),
        evaluate=dict(batch_size=8, clip=str(tmp_path / "clip")),
    ))  # fmt: skip
    (phase,) = gm_jax.build(own)
    examples = data.open_source(own.data, "test").load(np.arange(24))
    image, caption = examples["image"], examples["caption"]
    clip = gm_jax.load(tmp_path / "clip", None, ONE)

    def sample(variables, batch, key):
        shown = data.to_float(jnp.asarray(image)[batch["index"] + shift])
        return {"image": shown + 0.0 * batch["caption"][:, :1, None, None]}

    for shift in (0, 8):
        model = phase.model._replace(functions={"sample": sample})
        functions = mapped_functions(phase._replace(model=model), ONE)
        trained = Trained(own, phase._replace(model=model), functions, Variables({}), ONE)
        row = alignment.clip_score(trained, 8)["clip_score"]
        assert (row["value"] == row["of_the_data"]) == (shift == 0) and row["examples"] == 8
        row = alignment.r_precision(trained, 8)["r_precision"]
        for key, rows in (("value", slice(shift, shift + 8)), ("of_the_data", slice(0, 8))):
            encoded = (
                alignment._encoded(clip, name, v)
                for name, v in (("image", image[rows]), ("caption", caption[:8]))
            )
            assert row[key] == matching.recall(*encoded).mean(), key
        row = alignment.cmmd(trained, 8)["cmmd"]
        if shift:  # These are the others that the data's own are compared with.
            np.testing.assert_allclose(row["value"], row["real_against_real"], rtol=1e-5)
        else:
            assert abs(row["value"]) < 1e-9 < row["real_against_real"]
    own.evaluate.clip = ""
    with pytest.raises(gm_jax.UserError, match="set evaluate.clip to the workdir of its run"):
        alignment.cmmd(trained._replace(config=own), 8)
    results = gm_jax.evaluate(gm_jax.load(tmp_path / "clip", None, ONE), tmp_path / "clip")
    assert {"cosine", "clip_score", "zero_shot", "text_at_1_of_16"} <= set(results)
    assert 0.0 <= results["zero_shot"]["interval95"][0] <= results["zero_shot"]["value"]


def published(path, **changes):
    own = dict(system="clip", steps=0, batch_size=2, weights=str(path), data=dict(name="none"),
               show=dict(every=0, counts=dict(sample=0)))  # fmt: skip
    return recipe("", own | changes)


def test_published_weights_are_used_as_they_are(tmp_path):
    folder, params = write_tiny_clip(tmp_path / "clip")
    trained = gm_jax.load(tmp_path / "run", published(folder), ONE)
    image = np.random.default_rng(1).integers(0, 256, (3, 8, 8, 3), np.uint8)
    ids = np.array([[1, 2, 8, 0, 0], [8, 8, 8, 8, 8], [5, 4, 3, 2, 8]])
    for function, given in (("encode_image", {"image": image}), ("encode_text", {"caption": ids})):
        (found,) = gm_jax.sample(trained, 3, function, given=given).values()
        assert found.shape == (3, 6)
        np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0, rtol=1e-5)
    opened = clip_files.open_clip(folder)
    jax.tree.map(np.testing.assert_array_equal, clip_files.read(opened).params, params)
    again = clip_files.read(clip_files.open_clip(tmp_path / "openai.safetensors")._replace())
    jax.tree.map(np.testing.assert_array_equal, again.params, params)


def test_published_weights_go_on_being_trained(tmp_path):
    folder, params = write_tiny_clip(tmp_path / "clip")
    images = np.zeros((16, 8, 8, 3), np.uint8)
    np.savez(tmp_path / "data.npz", image=images, caption=np.array([f"{n}" for n in range(16)]))
    own = dict(name="npz", path=str(tmp_path / "data.npz"), captions="words")
    with pytest.raises(gm_jax.UserError, match="reads 9 symbols, and the captions have 18"):
        gm_jax.build(published(folder, steps=1, data=own))
    np.savez(tmp_path / "data.npz", image=images, caption=np.array(["a b c d"] * 8 + ["e f g"] * 8))
    (phase,) = gm_jax.build(published(folder, steps=1, data=own))
    jax.tree.map(np.testing.assert_array_equal, phase.start({}).params, params)
    start = phase.model.init(jax.random.key(0), {}, phase.start({}))
    assert start.params is not None and set(start.params) == {"image", "text", "scale"}


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(weights="nowhere"), "nowhere is not there: give --config.weights="),
        (dict(weights=""), "steps is 0: give the published weights to use"),
        (dict(activation="gelu"), "activation is for a single file"),
        (
            dict(data=dict(name="shapes")),
            "takes images of 8x8, and the data has 32x32: set data",
        ),
        (dict(steps=1, weights="", data=dict(name="digits")), "this system needs `caption`"),
        (dict(steps=1, weights="", temperature=0.001), "temperature must be at least 0.01"),
        (dict(steps=1, weights="", text=dict(heads=3)), "text.width 512 does not divide into hea"),
    ],
)
def test_what_does_not_fit_is_refused(change, message, tmp_path):
    folder, _ = write_tiny_clip(tmp_path / "clip")
    with pytest.raises(gm_jax.UserError, match=message):
        gm_jax.build(published(change.pop("weights", folder), **change))


def test_another_network_is_refused(tmp_path):
    folder, _ = write_tiny_clip(tmp_path / "clip", hidden_act="relu")
    with pytest.raises(gm_jax.UserError, match="hidden_act is 'relu', which no CLIP has"):
        clip_files.open_clip(folder)
    with pytest.raises(gm_jax.UserError, match="no text_projection: it is no CLIP of openai's"):
        clip_files.open_clip(folder / "model.safetensors")
    (folder / "config.json").write_text("{}")
    with pytest.raises(gm_jax.UserError, match="no config.json of a CLIP"):
        clip_files.open_clip(folder)
