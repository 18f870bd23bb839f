"""CLIP's byte-pair tokenizer, Radford et al. 2021 (arXiv 2103.00020), section 2.4.

A text is cleaned, lower-cased and cut into words; the bytes of a word are merged, the pair of the
lowest rank first (Sennrich et al. 2016, arXiv 1508.07909). A word's last symbol ends in "</w>".

Two variants are in use, which differ in how they clean:

    transformers  NFC and lower case; Stable Diffusion 1.x, and any folder in diffusers' layout
    openai        ftfy, and HTML unescaped twice; CLIP itself, OpenCLIP, Stable Diffusion 2.x
"""

import functools
import gzip
import html
import itertools
import json
import re
import unicodedata
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gm_jax.errors import UserError, choose, note
from gm_jax.model import Field
from gm_jax.weights.published import Published, check, find

START, END = "<|startoftext|>", "<|endoftext|>"
LENGTH = 77
# The merges that CLIP takes of the file, whose first line is a header.
MERGES = slice(1, 49152 - 256 - 2 + 1)
PUBLISHED = Published(
    name="CLIP",
    needed_for="a prompt",
    file="bpe_simple_vocab_16e6.txt.gz",
    url="https://github.com/openai/CLIP/raw/main/clip/bpe_simple_vocab_16e6.txt.gz",
    sha256="924691ac",
    variable="GM_JAX_CLIP_VOCABULARY",
    kind="vocabulary",
)


class Vocabulary(NamedTuple):
    """The number of each symbol, and the rank of each pair that is merged."""

    numbers: Mapping[str, int]
    ranks: Mapping[tuple[str, str], int]


class Tokenizer(NamedTuple):
    """Texts to numbers: `tokenize`, `encode`, `decode`.

    words    text -> its words, cleaned; special symbols are words of their own
    merge    a word -> its symbols
    padding  the number that fills a text up to `length`
    """

    vocabulary: Vocabulary
    words: Callable[[str], Iterable[str]]
    merge: Callable[[str], tuple[str, ...]]
    padding: int
    length: int


@functools.cache
def _byte_characters() -> dict[int, str]:
    """A visible character for each byte: itself if it is one, else one from 256 on."""
    visible = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in visible]
    pairs = zip(visible + others, [*visible, *range(256, 256 + len(others))], strict=True)
    return {byte: chr(code) for byte, code in pairs}


def vocabulary_of(merges: Sequence[tuple[str, str]]) -> Vocabulary:
    """Bytes, bytes that end a word, merges in order, the start and the end: CLIP's numbering."""
    letters = list(_byte_characters().values())
    symbols = [*letters, *(letter + "</w>" for letter in letters), *map("".join, merges)]
    numbers = {symbol: number for number, symbol in enumerate([*symbols, START, END])}
    return Vocabulary(numbers, {pair: rank for rank, pair in enumerate(merges)})


def read_merges(path: Path) -> Vocabulary:
    """The vocabulary of CLIP's own list of merges, bpe_simple_vocab_16e6.txt.gz."""
    try:
        lines = gzip.decompress(Path(path).read_bytes()).decode("utf-8").split("\n")[MERGES]
        return vocabulary_of([_pair(line) for line in lines if line])
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise UserError(f"{path} is no list of merges: {error}") from None


def _pair(line: str | Sequence[str]) -> tuple[str, str]:
    left, right = line.split() if isinstance(line, str) else line
    return left, right


def published_vocabulary(path=None, download: bool = False) -> Vocabulary:
    """CLIP's vocabulary, from the file that `weights.find` finds.

    Raises UserError if it is not there, or is another file.
    """
    path = find(PUBLISHED, path, download)
    checked = check(PUBLISHED, path)
    if not checked.official:
        raise UserError(
            f"{path} is not CLIP's vocabulary: its sha256 is {checked.sha256}, {PUBLISHED.file}"
            f" begins with {PUBLISHED.sha256} (truncated or altered?): take {PUBLISHED.url}"
        )
    return read_merges(path)


def read_vocabulary(folder: Path) -> Vocabulary:
    """The vocabulary of a folder: vocab.json and merges.txt, or transformers' tokenizer.json.

    Raises UserError if it has neither, or if one is broken.
    """
    single = folder / "tokenizer.json"
    try:
        if (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file():
            numbers = json.loads((folder / "vocab.json").read_text("utf-8"))
            lines = (folder / "merges.txt").read_text("utf-8").split("\n")
            merges = [line for line in lines if line and not line.startswith("#version")]
        elif single.is_file():
            model = json.loads(single.read_text("utf-8"))["model"]
            numbers, merges = model["vocab"], model["merges"]
        else:
            raise UserError(f"{folder} holds no tokenizer: vocab.json and merges.txt are missing")
        ranks = {_pair(line): rank for rank, line in enumerate(merges)}
        ends = [numbers[symbol] for symbol in (START, END)]
        assert all(isinstance(number, int) for number in [*ends, *numbers.values()])
        return Vocabulary(numbers, ranks)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, AssertionError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"the tokenizer in {folder} is broken: {error!r}") from None


def clip(
    vocabulary: Vocabulary,
    variant: str = "transformers",
    padding: int | None = None,
    length: int = LENGTH,
) -> Tokenizer:
    """A tokenizer; `padding` is the end's number unless stated (Stable Diffusion 2.x: 0).

    Raises UserError for an unknown variant, and for openai's if ftfy is not installed.
    """
    words = choose("tokenizer", variant, VARIANTS)()
    padding = vocabulary.numbers[END] if padding is None else padding
    return Tokenizer(vocabulary, words, _merger(vocabulary.ranks), padding, length)


def _merger(ranks: Mapping[tuple[str, str], int]) -> Callable[[str], tuple[str, ...]]:
    @functools.cache
    def merge(word: str) -> tuple[str, ...]:
        characters = _byte_characters()
        *head, last = (characters[byte] for byte in word.encode("utf-8"))
        symbols = [*head, last + "</w>"]
        while len(symbols) > 1:
            pairs = list(itertools.pairwise(symbols))
            best = min(pairs, key=lambda pair: ranks.get(pair, len(ranks)))
            if best not in ranks:
                break
            merged, i = [], 0
            while i < len(symbols):  # All occurrences, from the left, without overlap.
                width = 2 if tuple(symbols[i : i + 2]) == best else 1
                merged.append("".join(symbols[i : i + width]))
                i += width
            symbols = merged
        return tuple(symbols)

    return merge


_ENDS = re.compile(r"<\|startoftext\|>|<\|endoftext\|>")
_SUFFIX = r"'s|'t|'re|'ve|'m|'ll|'d"
_RUNS = re.compile("L+|N|O+")  # of the classes below


def _class(character: str) -> str:
    r"""Letter, number, space or other: regex's \p{L}, \p{N}, \s, which `re` does not have."""
    category = unicodedata.category(character)[0]
    if category in "LN":
        return category
    # Python counts the separators \x1c to \x1f as space, Unicode does not.
    return "S" if character.isspace() and character not in "\x1c\x1d\x1e\x1f" else "O"


def _cut(text: str, whole: re.Pattern) -> Iterator[str]:
    """The words of a text: what `whole` matches, else letters, single numbers, or other signs."""
    classes = "".join(map(_class, text))
    position = 0
    while position < len(text):
        match = whole.match(text, position) or _RUNS.match(classes, position)
        if match:
            yield text[position : match.end()]
        position = match.end() if match else position + 1


def _transformers_words() -> Callable[[str], Iterator[str]]:
    suffix = re.compile(_SUFFIX)

    def words(text: str) -> Iterator[str]:
        # The ends are found as they are written, before anything is cleaned.
        position = 0
        for end in _ENDS.finditer(text):
            yield from clean(text[position : end.start()])
            yield end[0]
            position = end.end()
        yield from clean(text[position:])

    def clean(text: str) -> Iterator[str]:
        text = unicodedata.normalize("NFC", text)
        return _cut("".join(character.lower() for character in text), suffix)

    return words


def _openai_words() -> Callable[[str], Iterator[str]]:
    try:
        import ftfy
    except ImportError:
        raise UserError(
            "the tokenizer openai needs ftfy: pip install ftfy, or take the tokenizer transformers,"
            " which reads text without faulty encodings and HTML the same"
        ) from None

    return lambda text: cleaned_words(html.unescape(html.unescape(ftfy.fix_text(text))))


def cleaned_words(text: str) -> Iterator[str]:
    """The words of a text that ftfy has mended, as openai/CLIP cuts them."""
    return _cut(text.lower(), re.compile(f"{_ENDS.pattern}|{_SUFFIX}", re.IGNORECASE))


VARIANTS = {"transformers": _transformers_words, "openai": _openai_words}


def encode(tokenizer: Tokenizer, text: str) -> list[int]:
    """The numbers of a text without its two ends. What the vocabulary lacks becomes an end."""
    numbers = tokenizer.vocabulary.numbers
    found = []
    for word in tokenizer.words(text):
        symbols = (word,) if word in (START, END) else tokenizer.merge(word)
        found += [numbers.get(symbol, numbers[END]) for symbol in symbols]
    return found


def decode(tokenizer: Tokenizer, numbers: Sequence[int]) -> str:
    """The text of numbers, a space after each word."""
    symbols = {number: symbol for symbol, number in tokenizer.vocabulary.numbers.items()}
    bytes_of = {character: byte for byte, character in _byte_characters().items()}
    text = "".join(symbols[int(number)] for number in numbers)
    parts = re.split(f"({_ENDS.pattern})", text)
    found = []
    for part in parts:
        raw = part.replace("</w>", " ")
        if not _ENDS.fullmatch(part):
            raw = b"".join(
                b" " if character == " " else bytes([bytes_of[character]]) for character in raw
            ).decode("utf-8", "replace")
        found.append(raw)
    return "".join(found)


def tokenize(tokenizer: Tokenizer, texts: Sequence[str]) -> np.ndarray:
    """Texts between a start and an end, padded: int32 [N, length].

    A text that is too long is cut, and a note names the words that are lost.
    """
    numbers = tokenizer.vocabulary.numbers
    rows = np.full((len(texts), tokenizer.length), tokenizer.padding, np.int32)
    for row, text in zip(rows, texts, strict=True):
        found, most = encode(tokenizer, text), tokenizer.length - 2
        if len(found) > most:
            lost = " ".join(decode(tokenizer, found[most:]).split())
            note(f"the prompt is longer than {most} symbols; without effect is: {lost}")
        found = [numbers[START], *found[:most], numbers[END]]
        row[: len(found)] = found
    return rows


def field_of(tokenizer: Tokenizer) -> Field:
    """What an entry `caption` of its symbols looks like; strings become their symbols."""

    def encode(text):
        return tokenize(tokenizer, [text])[0]

    return Field((tokenizer.length,), len(tokenizer.vocabulary.numbers), encode=encode)
