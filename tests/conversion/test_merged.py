"""The unquantized file of a run is merged once, and again when it is not what merging would write now."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from studio.conversion.merged import current_merged
from studio.workspace import Workspace, sha256_file

TINY = "tiny-llama"
Stock = Callable[[str], Workspace]


class Merging:
    """Merges when it must, and knows whether it did."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.blocks = 0

    def __call__(self) -> Path:
        self.blocks = 0
        return current_merged(self.workspace, "first", progress=self._note)

    def _note(self, done: int, total: int) -> None:
        self.blocks += 1


def test_a_file_that_is_current_is_not_merged_again(stocked: Stock) -> None:
    merge = Merging(stocked(TINY))
    path = merge()
    assert merge.blocks
    made = sha256_file(path)
    assert merge() == path
    assert not merge.blocks
    assert sha256_file(path) == made


@pytest.mark.parametrize("fault", ["cut off", "longer", "of another adapter", "of an older studio", "no model"])
def test_a_file_that_is_not_what_merging_writes_is_made_anew(stocked: Stock, fault: str) -> None:
    merge = Merging(stocked(TINY))
    path = merge()
    made = sha256_file(path)
    data = path.read_bytes()
    spoilt = {
        "cut off": data[:-1000],
        "longer": data + bytes(64),
        "of another adapter": _replaced(data, b"studio.adapter.sha256"),
        "of an older studio": _replaced(data, b"studio.version"),
        "no model": b"GGUF",
    }
    path.write_bytes(spoilt[fault])
    assert merge() == path
    assert merge.blocks
    assert sha256_file(path) == made


def _replaced(data: bytes, key: bytes) -> bytes:
    """The file with another first letter in the text under `key` (type and length, 12 bytes, stand between)."""
    at = data.index(key) + len(key) + 12
    return data[:at] + (b"z" if data[at : at + 1] != b"z" else b"y") + data[at + 1 :]
