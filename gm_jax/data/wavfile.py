"""The samples of a wav file, of any sample format.

Read here and not by SciPy, which does not read mu-law, fails on chunks of odd size that lack their
padding byte, and only warns about a truncated file.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gm_jax.errors import UserError

PCM, FLOAT, MU_LAW, EXTENSIBLE = 1, 3, 7, 0xFFFE  # format tags
STREAMED = 0x7FFFF000  # sizes from here on: a program that wrote to a pipe did not know the size


class Recording(NamedTuple):
    """Samples in [-1, 1], [N, channels] float32, at `rate` a second."""

    samples: np.ndarray
    rate: int


def _int24(data: bytes) -> np.ndarray:
    """Three little-endian bytes each, as the upper ones of int32."""
    padded = np.zeros((len(data) // 3, 4), np.uint8)
    padded[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
    return padded.view("<i4")[:, 0]


def _mu_law(data: bytes) -> np.ndarray:
    """ITU-T G.711: sign, exponent and mantissa, all inverted, of a magnitude shifted by 132."""
    byte = ~np.frombuffer(data, np.uint8)
    magnitude = (((byte & 15).astype(np.int32) << 3) + 132 << ((byte >> 4) & 7)) - 132
    return np.where(byte & 128, -magnitude, magnitude)


# (format tag, bytes a sample) -> (bytes to numbers, the number that means 1).
DECODERS = {
    (PCM, 1): (lambda data: np.frombuffer(data, np.uint8).astype(np.int16) - 128, 2**7),
    (PCM, 2): (lambda data: np.frombuffer(data, "<i2"), 2**15),
    (PCM, 3): (_int24, 2**31),
    (PCM, 4): (lambda data: np.frombuffer(data, "<i4"), 2**31),
    (FLOAT, 4): (lambda data: np.frombuffer(data, "<f4"), 1),
    (FLOAT, 8): (lambda data: np.frombuffer(data, "<f8"), 1),
    (MU_LAW, 1): (_mu_law, 2**15),
}


def read_wav(file: Path) -> Recording:
    """Integers of 8, 16, 24 and 32 bits, floats, and mu-law.

    Raises UserError if the file is not such a wav file, is truncated or holds no samples, or if its
    floats are beyond -1 to 1.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}") from error
    chunks = dict(reversed(list(_chunks(content))))  # The first of each name.
    if not {b"fmt ", b"data"} <= set(chunks) or len(chunks[b"fmt "].data) < 16:
        raise UserError(f"{file} is not a readable wav file: it lacks a header or a data chunk")
    header, body = chunks[b"fmt "].data, chunks[b"data"]
    tag, channels, rate, _, frame, _ = struct.unpack("<HHIIHH", header[:16])
    if tag == EXTENSIBLE and len(header) >= 26:
        (tag,) = struct.unpack("<H", header[24:26])
    width = frame // max(channels, 1)
    if not channels or not rate or (tag, width) not in DECODERS:
        raise UserError(
            f"{file} is a wav file of format {tag} with {8 * width} bits a sample, which is not"
            " read: convert it to 16 bits first"
        )
    if body.size > len(body.data) and body.size < STREAMED:
        raise UserError(f"{file} is truncated: its header states {body.size // frame} samples")
    whole = body.data[: len(body.data) // frame * frame]
    if not whole:
        raise UserError(f"{file} holds no samples")
    decode, one = DECODERS[tag, width]
    samples = decode(whole).reshape(-1, channels).astype(np.float32) / np.float32(one)
    most = np.abs(samples).max()
    if not most <= 1.0:
        raise UserError(f"{file} holds samples of magnitude {most:.3g}: floats must be in -1 to 1")
    return Recording(samples, rate)


class _Chunk(NamedTuple):
    size: int  # that its header states
    data: bytes  # what of it there is


def _chunks(content: bytes) -> Iterator[tuple[bytes, _Chunk]]:
    """The chunks of a RIFF or RF64 file by name, in their order; none if it is neither."""
    position = (
        12 if content[:4] in (b"RIFF", b"RF64") and content[8:12] == b"WAVE" else len(content)
    )
    large = 0  # The size of the data chunk of a file beyond 4 GB.
    while position + 8 <= len(content):
        name, size = struct.unpack("<4sI", content[position : position + 8])
        position += 8
        if name == b"data" and size == 0xFFFFFFFF and large:
            size = large
        data = content[position : position + size]
        if name == b"ds64" and len(data) >= 16:
            (large,) = struct.unpack("<Q", data[8:16])
        yield name, _Chunk(size, data)
        position += size
        # An odd size is followed by a zero, which some programs leave out.
        position += size % 2 and content[position : position + 1] == b"\0"
