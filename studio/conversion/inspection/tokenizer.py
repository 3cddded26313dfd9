"""Whether the vocabulary in a GGUF file is one that llama.cpp can use: lists of one length, ids and merges within it.

The rules are those of llama.cpp's src/llama-vocab.cpp, which ends its process for some of them instead of refusing.
What is not checked: whether it is the right tokenizer for the weights; equal token ids are what parity tests compare.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator

import numpy as np
from gguf.constants import GGUFValueType

from studio.bases import load_template
from studio.conversion.formats.gguf_header import GGUFHeader, MetadataEntry
from studio.conversion.metadata import BASE_FAMILY, TOKENS
from studio.errors import BaseModelError

MODEL = "tokenizer.ggml.model"
SCORES = "tokenizer.ggml.scores"
TOKEN_TYPES = "tokenizer.ggml.token_type"  # noqa: S105 - a key
MERGES = "tokenizer.ggml.merges"
EMBEDDING = "token_embd.weight"
MAX_LIST_BYTES = 256 << 20
_ARRAY_HEAD = 12  # type and number of the items
_ID_ENDING = "_token_id"
_NUMBERS = {GGUFValueType.INT32: "<i4", GGUFValueType.FLOAT32: "<f4"}
_LISTS = {
    SCORES: (GGUFValueType.FLOAT32, GGUFValueType.INT32),
    TOKEN_TYPES: (GGUFValueType.INT32,),
}


def tokenizer_faults(header: GGUFHeader) -> Iterator[str]:
    """What is wrong with the vocabulary, one sentence each."""
    entry = header.entries.get(TOKENS)
    if entry is None or not _is_list(entry, GGUFValueType.STRING) or not entry.count:
        yield f"{TOKENS} is missing or no list of texts: there is no vocabulary."
        return
    yield from _list_faults(header, entry.count)
    yield from _id_faults(header, entry.count)
    yield from _row_faults(header, entry.count)
    if entry.end - entry.start > MAX_LIST_BYTES:
        yield f"Its vocabulary takes {(entry.end - entry.start) / 1e6:,.0f} MB, which no tokenizer needs."
        return
    texts = read_texts(header, TOKENS)
    yield from _token_faults(header, texts)
    yield from _merge_faults(header, set(texts))


def read_texts(header: GGUFHeader, key: str) -> list[bytes]:
    """The items of a list of texts as they are stored, not decoded: single bytes need not be UTF-8.

    The entry must be a list of texts. Raises `OSError`.
    """
    entry = header.entries[key]
    with header.path.open("rb") as stream:
        stream.seek(entry.start + _ARRAY_HEAD)
        data = stream.read(entry.end - entry.start - _ARRAY_HEAD)
    items, position = [], 0
    length_of = struct.Struct("<Q").unpack_from
    for _ in range(entry.count):
        (length,) = length_of(data, position)
        items.append(data[position + 8 : position + 8 + length])
        position += 8 + length
    return items


def token_text(header: GGUFHeader, name: str) -> str:
    """The text of a special token such as 'bos'; empty where the file names none, or its vocabulary cannot be read."""
    number, entry = header.integer(f"tokenizer.ggml.{name}{_ID_ENDING}"), header.entries.get(TOKENS)
    if number is None or entry is None or not _is_list(entry, GGUFValueType.STRING):
        return ""
    usable = 0 <= number < entry.count and entry.end - entry.start <= MAX_LIST_BYTES
    return read_texts(header, TOKENS)[number].decode("utf-8", "replace") if usable else ""


def _is_list(entry: MetadataEntry, *kinds: GGUFValueType) -> bool:
    return entry.kind == GGUFValueType.ARRAY and entry.item_kind in kinds


def _list_faults(header: GGUFHeader, tokens: int) -> Iterator[str]:
    """Scores and types belong to the tokens one by one."""
    for key, kinds in _LISTS.items():
        entry = header.entries.get(key)
        if entry is None:
            continue
        if not _is_list(entry, *kinds):
            yield f"{key} is no list of {' or '.join(kind.name for kind in kinds)}."
        elif entry.count != tokens:
            yield f"{key} has {entry.count:,} items for {tokens:,} tokens."
        elif not np.isfinite(_numbers(header, entry)).all():
            yield f"{key} holds values that are no numbers."
    if header.text(MODEL) == "llama" and SCORES not in header.entries:
        yield f"{SCORES} is missing, without which a SentencePiece vocabulary cannot split words."


def _numbers(header: GGUFHeader, entry: MetadataEntry) -> np.ndarray[tuple[int], np.dtype[np.float32 | np.int32]]:
    return np.fromfile(header.path, _NUMBERS[entry.item_kind], entry.count, offset=entry.start + _ARRAY_HEAD)


def _id_faults(header: GGUFHeader, tokens: int) -> Iterator[str]:
    for key in header.entries:
        if key.startswith("tokenizer.ggml.") and key.endswith(_ID_ENDING):
            number = header.integer(key)
            if number is None:
                yield f"{key} is no whole number."
            elif not 0 <= number < tokens:
                yield f"{key} is {number}, and there are {tokens:,} tokens."


def _row_faults(header: GGUFHeader, tokens: int) -> Iterator[str]:
    embedding = next((tensor for tensor in header.tensors if tensor.name == EMBEDDING), None)
    if embedding and math.prod(embedding.shape[1:]) != tokens:
        yield f"{EMBEDDING} has {math.prod(embedding.shape[1:]):,} rows for {tokens:,} tokens."


def _token_faults(header: GGUFHeader, texts: list[bytes]) -> Iterator[str]:
    if doubled := len(texts) - len(set(texts)):
        yield f"{doubled} of its tokens occur twice; llama.cpp ends with a failed assertion."
    if (family := header.text(BASE_FAMILY)) and (end := _end_of_turn(family)) and end.encode() not in texts:
        yield f"The vocabulary lacks {end}, with which {family} models end a turn."


def _end_of_turn(family: str) -> str:
    try:
        return load_template(family).end_of_turn
    except BaseModelError:
        return ""


def _merge_faults(header: GGUFHeader, known: set[bytes]) -> Iterator[str]:
    """Byte-pair vocabularies: every merge joins two tokens to a third."""
    if header.text(MODEL) != "gpt2":
        return
    entry = header.entries.get(MERGES)
    if entry is None or not _is_list(entry, GGUFValueType.STRING):
        yield f"{MERGES} is missing or no list of texts."
        return
    if entry.end - entry.start > MAX_LIST_BYTES:
        yield f"{MERGES} takes {(entry.end - entry.start) / 1e6:,.0f} MB, which no tokenizer needs."
        return
    bad = [merge for merge in read_texts(header, MERGES) if not _joins(merge, known)]
    if bad:
        shown = bad[0][:40].decode("utf-8", "replace")
        yield f"{len(bad):,} of its merges do not join two tokens to a third, such as {shown!r}."


def _joins(merge: bytes, known: set[bytes]) -> bool:
    """Whether a merge is 'left right' with both and their sum in the vocabulary; the left may begin with a space."""
    head, space, right = merge[1:].partition(b" ")
    left = merge[:1] + head
    return bool(space) and left in known and right in known and left + right in known
