"""CLIP's byte pairs: identical to both reference tokenizers on all strings on file.

A checkout without the golden file still tests the rules, with a vocabulary of a few merges.
"""

import gzip
import importlib.util
import json

import pytest

from gm_jax.errors import UserError
from gm_jax.tokenizers import (
    Vocabulary,
    clip,
    decode,
    encode,
    published_vocabulary,
    read_vocabulary,
    tokenize,
)
from gm_jax.tokenizers.clip import END, START, cleaned_words, read_merges, vocabulary_of

MERGES = [("c", "a"), ("ca", "t</w>"), ("a", "a"), ("aa", "aa"), ("aa", "a</w>"), ("!", "!</w>")]
MERGES += [("y", "z</w>"), ("x", "y")]
SMALL = vocabulary_of(MERGES)


@pytest.fixture(scope="module")
def vocabulary(shared):
    return published_vocabulary(shared / "data/clip-bpe/bpe_simple_vocab_16e6.txt.gz")


@pytest.fixture(scope="module")
def rows(shared):
    return json.loads((shared / "data/clip-bpe/golden_tokens.json").read_text())["rows"]


def test_the_published_vocabulary(vocabulary):
    numbers = vocabulary.numbers
    assert (len(numbers), numbers[START], numbers[END]) == (49408, 49406, 49407)
    assert sorted(numbers.values()) == list(range(49408))


def test_all_golden_strings_as_transformers_has_them(vocabulary, rows):
    tokenizer = clip(vocabulary, "transformers")
    assert len(rows) > 40
    for row in rows:
        assert encode(tokenizer, row["text"]) == row["ids_transformers"], row["text"]


def test_all_golden_strings_as_openai_has_them_after_cleaning(vocabulary, rows):
    tokenizer = clip(vocabulary)._replace(words=cleaned_words)
    for row in rows:
        assert encode(tokenizer, row["cleaned"]) == row["ids"], row["text"]
        assert decode(tokenizer, row["ids"]) == row["decoded"], row["text"]
        (kept,) = tokenize(tokenizer, [row["cleaned"]])
        assert kept[: row["length_with_ends"]][-3:].tolist() == row["truncated_77_last"]


def test_all_golden_strings_as_openai_has_them(vocabulary, rows):
    pytest.importorskip("ftfy")
    tokenizer = clip(vocabulary, "openai")
    for row in rows:
        assert encode(tokenizer, row["text"]) == row["ids"], row["text"]


def test_merges_go_by_rank_not_from_left_to_right():
    """aaaa: "a a" (rank 2) before "aa aa" (3); the last letter ends its word: "aa a</w>" (4)."""
    tokenizer = clip(SMALL)
    assert tokenizer.merge("cat") == ("cat</w>",)
    assert tokenizer.merge("aaa") == ("aaa</w>",)
    assert tokenizer.merge("aaaaa") == ("aaaa", "a</w>")
    assert tokenizer.merge("xyz") == ("x", "yz</w>")  # Not "xy", which comes first in the word.
    assert tokenizer.merge("!!") == ("!!</w>",)
    assert decode(tokenizer, encode(tokenizer, "Cat é!! aaa")) == "cat é !! aaa "


def test_letters_numbers_and_signs_are_cut_as_unicode_has_them():
    tokenizer = clip(SMALL)
    assert list(tokenizer.words("it's 12½ x²_y हिन्दी a\u00a0b\u200bc")) == [
        "it", "'s", "1", "2", "½", "x", "²", "_", "y", "ह", "ि", "न", "्", "द", "ी", "a", "b",
        "\u200b", "c",
    ]  # fmt: skip
    assert list(tokenizer.words("IT'S e\u0301 <|ENDOFTEXT|><|endoftext|>")) == [
        "it", "'s", "é", "<|", "endoftext", "|>", "<|endoftext|>"
    ]  # fmt: skip
    assert list(cleaned_words("<|ENDOFTEXT|> IT'S")) == ["<|endoftext|>", "it", "'s"]


def test_a_text_is_padded_and_a_long_one_names_what_it_loses(capsys):
    tokenizer = clip(SMALL, padding=0, length=5)
    numbers = SMALL.numbers
    start, end, cat = numbers[START], numbers[END], numbers["cat</w>"]
    rows = tokenize(tokenizer, ["cat", "", "cat cat cat aaa !!"])
    assert rows.dtype == "int32"
    assert rows.tolist() == [
        [start, cat, end, 0, 0], [start, end, 0, 0, 0], [start, cat, cat, cat, end]
    ]  # fmt: skip
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("longer than 3 symbols; without effect is: aaa !!")
    assert clip(SMALL).padding == end  # As Stable Diffusion 1.x pads.


def test_vocabularies_of_folders(tmp_path):
    with pytest.raises(UserError, match="holds no tokenizer"):
        read_vocabulary(tmp_path)
    lines = [" ".join(pair) for pair in MERGES]
    model = {"vocab": dict(SMALL.numbers), "merges": lines}
    (tmp_path / "tokenizer.json").write_text(json.dumps({"model": model}))
    assert read_vocabulary(tmp_path) == SMALL
    (tmp_path / "vocab.json").write_text(json.dumps(SMALL.numbers | {"cat</w>": 3}))
    (tmp_path / "merges.txt").write_text("\n".join(["#version: 0.2", *lines, ""]))
    found = read_vocabulary(tmp_path)
    assert encode(clip(found), "cat") == [3]  # Numbers are the file's, not their order.
    (tmp_path / "vocab.json").write_text("{}")
    with pytest.raises(UserError, match="is broken: KeyError"):
        read_vocabulary(tmp_path)


def test_a_symbol_that_a_vocabulary_lacks_becomes_its_end():
    numbers = {name: n for name, n in SMALL.numbers.items() if name != "z</w>"}
    assert encode(clip(Vocabulary(numbers, SMALL.ranks)), "z") == [numbers[END]]


def test_other_files_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "merges.txt.gz"
    path.write_bytes(gzip.compress(b"# header\na b\n"))
    assert read_merges(path).ranks == {("a", "b"): 0}
    with pytest.raises(UserError, match="is not CLIP's vocabulary"):
        published_vocabulary(path)
    path.write_bytes(b"nothing")
    with pytest.raises(UserError, match="is no list of merges"):
        read_merges(path)
    monkeypatch.setenv("GM_JAX_CLIP_VOCABULARY", str(tmp_path / "none"))
    with pytest.raises(UserError, match="no CLIP vocabulary at .*none; a prompt needs bpe_simple"):
        published_vocabulary()
    with pytest.raises(UserError, match="unknown tokenizer 'bert'"):
        clip(SMALL, "bert")


@pytest.mark.skipif(importlib.util.find_spec("ftfy") is not None, reason="ftfy is installed")
def test_openais_variant_says_what_it_needs():
    with pytest.raises(UserError, match="pip install ftfy"):
        clip(SMALL, "openai")
