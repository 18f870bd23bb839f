"""How well texts and pictures agree: of a model of captions by a judge or by CLIP, and of CLIP."""

from collections.abc import Iterator

import numpy as np

from gm_jax import data
from gm_jax.data.shapes import ATTRIBUTES, MOTION, OBJECTS, RELATION, attributes_of, meanings
from gm_jax.errors import UserError
from gm_jax.evaluation import matching, shapes
from gm_jax.evaluation.resize import pil_bicubic
from gm_jax.evaluation.uncertainty import share_interval
from gm_jax.tokenizers.words import encode_prompts
from gm_jax.trained import Trained, sample

SEARCHED = 40  # examples of an endless source for each that is wanted, until the search ends
GROUP = 100  # candidates of the retrieval that is reported beside the one among all


def attributes(trained: Trained, counts: dict[str, int]) -> dict[str, dict]:
    """FUNCTION_right: the share of pictures or films of the shapes world that show their caption.

    counts  {function: examples of the split}; of `reconstruct`, which returns pairs, the second is
            judged: what no sample of latents can surpass
    Beside it the same share if captions are shuffled, and of each attribute its own share. Raises
    UserError for data whose captions cannot be judged.
    """
    split, results = trained.config.evaluate.split, {}
    source = data.open_source(trained.phase.data, split)
    counts = {name: count for name, count in counts.items() if count}
    if counts and "attributes" not in source.spec:
        raise UserError(f"evaluate.attributes needs the data set shapes, not {source.name}")
    for name, count in counts.items():
        made = _pictures(sample(trained, count, name, split), name)
        wanted, found = source.load(np.arange(count))["attributes"], shapes.judge(made)
        floor = shapes.agreement(found, np.roll(wanted, 1, axis=0))["all"]
        for attribute, right in shapes.agreement(found, wanted).items():
            key = f"{name}_right" if attribute == "all" else f"{name}_right_{attribute}"
            results[key.replace(" ", "_")] = {**_share(right), "split": split}
        results[f"{name}_right"]["shuffled"] = float(np.mean(floor))
        if made.ndim == 5:
            results[f"{name}_constant"] = {**_share(shapes.constant(made)), "split": split}
    return results


def stories(trained: Trained, count: int) -> dict[str, dict]:
    """story_right_i: the share of `count` stories whose part i shows prompt i, of its T frames.

    Of films of the shapes world and `sampler.prompts`; beside it the shares of parts that move as
    the prompt says, and story_right and story_motion, of stories of which all parts do so;
    story_constant: that show one colour and shape in all frames.
    """
    sampler, split = trained.config.sampler, trained.config.evaluate.split
    source = data.open_source(trained.phase.data, split)
    if "story" not in trained.functions or not {"video", "attributes"} <= set(source.spec):
        raise UserError(
            "evaluate.stories needs films of shapes, and a model with stories: set sampler.prompts"
        )
    film, (length, *_) = sample(trained, count, "story", split)["video"], source.spec["video"].shape
    right, moved = [], []
    for number, prompt in enumerate(sampler.prompts):
        start = number * (length - sampler.keep)
        found, wanted = shapes.judge(film[:, start : start + length]), attributes_of(prompt)
        right.append((found == wanted).all(1))
        moved.append(found[:, MOTION] == wanted[MOTION])
    hits = {"right": np.all(right, 0), "motion": np.all(moved, 0)}
    hits |= {f"right_{number}": own for number, own in enumerate(right, 1)}
    hits |= {f"motion_{number}": own for number, own in enumerate(moved, 1)}
    hits |= {"constant": shapes.constant(film)}
    return {f"story_{name}": {**_share(own), "split": split} for name, own in hits.items()}


def _pictures(outputs: dict, name: str) -> np.ndarray:
    """Pictures [n, H, W, 3] or films [n, T, H, W, 3] that a function returned."""
    if not {"image", "video"} & set(outputs):
        raise UserError(f"evaluate.attributes.{name}: that function returns no image or video")
    made, axes = (outputs["video"], 5) if "video" in outputs else (outputs["image"], 4)
    return made[:, -1] if made.ndim > axes else made


def retrieval(trained: Trained, count: int) -> dict[str, dict]:
    """How often CLIP finds the text of an image, and the image of a text, at rank 1 and 5.

    Among `count` examples of the split, and among each hundred of them. No two have one caption, or
    show the same in other words.
    """
    split = trained.config.evaluate.split
    batch = _distinct(data.open_source(trained.phase.data, split), count)
    images = _encoded(trained, "image", batch["image"], split)
    texts = _encoded(trained, "caption", batch["caption"], split)
    results = {}
    for size in sorted({min(GROUP, count), count}):
        groups = [slice(start, start + size) for start in range(0, count - size + 1, size)]
        for name, queries, candidates in (("text", images, texts), ("image", texts, images)):
            for k in (1, 5):
                hits = [matching.recall(queries[g], candidates[g], k) for g in groups]
                row = {**_share(np.concatenate(hits)), "split": split}
                results[f"{name}_at_{k}_of_{size}"] = row
    return results


def _distinct(source: data.Source, count: int) -> dict[str, np.ndarray]:
    """The first `count` examples whose captions mean something different, [count, ...] each."""
    if not {"image", "caption"} <= set(source.spec):
        raise UserError("evaluate.retrieval needs images with captions: set data.captions")
    kept, seen = [], set()
    last = SEARCHED * count if source.size is None else source.size
    for index, meaning in meanings_in(source, "caption", last):
        if meaning not in seen:
            seen.add(meaning)
            kept.append(index)
        if len(kept) == count:
            batch = source.load(np.array(kept))
            return {name: batch[name] for name in ("image", "caption")}
    raise UserError(
        f"evaluate.retrieval is {count}, and {source.name} has {len(kept)} different captions in"
        " this split"
    )


def meanings_in(source: data.Source, entry: str, last: int) -> Iterator[tuple[int, bytes]]:
    """(index, what `entry` says of it) of the examples below `last`.

    Captions of the shapes world that mean the same, in whatever words, are equal.
    """
    for start in range(0, last, 4 * GROUP):
        batch = source.load(np.arange(start, min(start + 4 * GROUP, last)))
        own = meanings(batch["attributes"]) if "attributes" in batch else batch[entry]
        yield from enumerate((row.tobytes() for row in own), start)


def zero_shot(trained: Trained, count: int) -> dict[str, dict]:
    """How often CLIP finds the class of an image by texts about classes (`evaluate.prompts`).

    Of shapes: pictures of one object of the split; the classes are all pairs of colour and shape.
    """
    evaluate = trained.config.evaluate
    source = data.open_source(trained.phase.data, evaluate.split)
    image, label, classes = _labelled(source, count)
    field = source.spec.get("caption")
    if field is None:
        raise UserError("evaluate.zero_shot reads texts: set data.captions")
    texts = [prompt.format(name) for name in classes for prompt in evaluate.prompts]
    texts = _encoded(trained, "caption", encode_prompts(texts, field), evaluate.split)
    texts = texts.reshape(len(classes), len(evaluate.prompts), -1)
    images = _encoded(trained, "image", image, evaluate.split)
    hits = matching.classify(images, matching.prompt_ensemble(texts)) == label
    row = {**_share(hits), "of_classes": len(classes), "split": evaluate.split}
    return {"zero_shot": row}


def _labelled(source: data.Source, count: int):
    """The first `count` images that belong to a class, their classes, and the names of all."""
    if "attributes" in source.spec:
        batch = source.load(np.arange(4 * count))
        rows = np.flatnonzero(batch["attributes"][:, RELATION] == 0)[:count]
        _, colour, shape = batch["attributes"][rows, :RELATION].T
        label = (colour - 1) * len(ATTRIBUTES["shape"]) + shape - 1
        return batch["image"][rows], label, OBJECTS
    if not source.classes:
        raise UserError(f"evaluate.zero_shot needs classes with names; {source.name} has none")
    batch = source.load(np.arange(min(count, source.size or count)))
    return batch["image"], batch["label"], source.classes


def clip_score(trained: Trained, count: int) -> dict[str, dict]:
    """The mean CLIP score of samples and the captions they were drawn for.

    By the CLIP of `evaluate.clip`, a workdir; beside it the same of the data's own images.
    """
    evaluate = trained.config.evaluate
    clip, name = _clip_of(evaluate)
    source = data.open_source(trained.phase.data, evaluate.split)
    field = data.open_source(clip.phase.data).spec.get("caption")
    if source.captions is None or field is None:
        raise UserError("evaluate.clip_score needs data with captions, of the model and of CLIP")
    indices = np.arange(count)
    texts = _encoded(clip, "caption", encode_prompts(source.captions(indices), field))
    made = _encoded(clip, "image", sample(trained, count, "sample", evaluate.split)["image"])
    reals = _encoded(clip, "image", source.load(indices)["image"])
    scores, own = matching.clip_scores(made, texts), matching.clip_scores(reals, texts)
    return {
        "clip_score": {
            "value": float(scores.mean()),
            "standard_error": float(scores.std(ddof=1) / np.sqrt(count)),
            "of_the_data": float(own.mean()),
            "examples": count,
            "clip": name,
        }
    }


def r_precision(trained: Trained, count: int) -> dict[str, dict]:
    """How often a sample's own caption is the nearest of a hundred, by the CLIP of `evaluate.clip`.

    Xu et al. 2018 (AttnGAN, arXiv 1711.10485), section 4. No two captions mean the same; beside it
    the same share of the data's own images.
    """
    evaluate = trained.config.evaluate
    clip, name = _clip_of(evaluate)
    source = data.open_source(trained.phase.data, evaluate.split)
    field = data.open_source(clip.phase.data).spec.get("caption")
    batch, groups = _distinct(source, count), range(0, count, GROUP)
    if field is None or field.shape != batch["caption"].shape[1:]:
        raise UserError("evaluate.r_precision needs a CLIP of the model's own captions")
    given = {"caption": batch["caption"]}
    made = sample(trained, count, "sample", evaluate.split, given=given)["image"]
    texts = _encoded(clip, "caption", batch["caption"])
    found = {}
    for key, images in (("made", made), ("of_the_data", batch["image"])):
        encoded = _encoded(clip, "image", images)
        hits = [matching.recall(encoded[i : i + GROUP], texts[i : i + GROUP]) for i in groups]
        found[key] = np.concatenate(hits)
    row = {**_share(found["made"]), "of_the_data": float(found["of_the_data"].mean())}
    return {"r_precision": row | {"clip": name, "split": evaluate.split}}


def cmmd(trained: Trained, count: int) -> dict[str, dict]:
    """CMMD of samples against as many examples of the split, by the CLIP of `evaluate.clip`.

    Beside it that of the same examples against others: the value of the true distribution.
    """
    evaluate = trained.config.evaluate
    clip, name = _clip_of(evaluate)
    source = data.open_source(trained.phase.data, evaluate.split)
    if source.size is not None and source.size < 2 * count:
        raise UserError(
            f"evaluate.cmmd is {count}, and the split {evaluate.split} has {source.size} images:"
            " twice as many are needed"
        )
    reals = _encoded(clip, "image", source.load(np.arange(2 * count))["image"])
    made = _encoded(clip, "image", sample(trained, count, "sample", evaluate.split)["image"])
    return {
        "cmmd": {
            "value": matching.cmmd(made, reals[:count]),
            "real_against_real": matching.cmmd(reals[count:], reals[:count]),
            "examples": count,
            "clip": name,
        }
    }


def _clip_of(evaluate) -> tuple[Trained, str]:
    """The CLIP of `evaluate.clip`, and its name."""
    from gm_jax.run import load  # It evaluates, and so imports this file.

    if not evaluate.clip:
        raise UserError("a score by CLIP needs one: set evaluate.clip to the workdir of its run")
    clip = load(evaluate.clip)
    if not {"encode_image", "encode_text"} <= set(clip.functions):
        raise UserError(f"{evaluate.clip} is no CLIP: it has {', '.join(clip.functions)}")
    return clip, str(evaluate.clip)


def _encoded(clip: Trained, name: str, values: np.ndarray, split: str = "train") -> np.ndarray:
    """The embeddings of images (of any size) or captions, [N, D]."""
    side = clip.phase.model.spec["image"].shape[0]
    if name == "image" and values.shape[1:3] != (side, side):
        values = np.round(np.asarray(pil_bicubic(values, side))).astype(np.uint8)
    function = {"image": "encode_image", "caption": "encode_text"}[name]
    if name == "image" and values.shape[-1] == 1:
        values = values.repeat(clip.phase.model.spec["image"].shape[-1], axis=-1)
    return sample(clip, len(values), function, split, given={name: values})["embedding"]


def _share(hits: np.ndarray) -> dict:
    """The share of hits [n], with its 95 % interval."""
    interval = share_interval(int(hits.sum()), len(hits))
    return {"value": float(np.mean(hits)), "interval95": interval, "examples": len(hits)}
