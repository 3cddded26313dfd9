"""The beginning that rows of one scenario share, computed once for all of them in an optimizer step.

Windows and variants of a scenario repeat its system block, up to half of their tokens. Its keys and values are the
same in all of them: the first row computes them, each row goes on from them (`studio.training.attention`) and leaves
its gradient of them, and the last one carries the sum back through the beginning. Gradients are those of the rows read
one by one, and the memory is that of one row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import pyarrow.compute as pc
import torch
from datasets import Dataset
from transformers import DynamicCache

from studio.training.batches import IGNORED, Batch

BEGINNING = "beginning"
"""Key of a batch for the `Beginning` that its rows share; without it there is none."""

_SHORTEST = 64
"""Tokens; for less, a forward pass of its own is not worth it."""
_LOOK_AHEAD = 32
"""So many batches are looked at together where there are no optimizer steps."""

_States = list[tuple[torch.Tensor, torch.Tensor]]


class Beginning:
    """The first tokens of all rows of some batches, and what was computed of them.

    Args:
        length: how many tokens.
        uses: how many batches there are. They have to come one after the other, each once.
    """

    def __init__(self, length: int, uses: int) -> None:
        self.length = length
        self._left = uses
        self._computed: _States = []
        self._leaves: _States = []

    def states(self, model: Any, ids: torch.Tensor) -> DynamicCache:
        """Keys and values for a batch with `ids` `[rows, tokens]`; `model` computes them when they are asked first."""
        if not self._computed:
            self._computed = _states(model, ids[:1, : self.length])
            self._leaves = [(_leaf(key), _leaf(value)) for key, value in self._computed]
        self._left -= 1
        given = self._leaves if self._left else self._computed
        rows = len(ids)
        return DynamicCache([(key.expand(rows, -1, -1, -1), value.expand(rows, -1, -1, -1)) for key, value in given])

    def carried(self) -> torch.Tensor | float:
        """0, to be added to the loss of a batch: with that of the last one, all gradients flow into the beginning."""
        if self._left:
            return 0.0
        pairs = zip(self._computed, self._leaves, strict=True)
        parts = [(one * leaf.grad).sum() for pair in pairs for one, leaf in zip(*pair, strict=True) if _moved(leaf)]
        carried = torch.stack(parts).sum() if parts else 0.0
        return carried - carried.detach() if isinstance(carried, torch.Tensor) else carried


def beginnings_of(rows: Dataset) -> list[tuple[int, ...]]:
    """The first tokens of each row: rows with the same ones share at least those."""
    ids = rows.data.table["input_ids"]
    return [tuple(some) for some in pc.list_slice(ids, 0, _SHORTEST).to_pylist()]


def share_beginnings(batches: Sequence[Batch]) -> list[dict[str, Any]]:
    """The batches, in their order; neighbours whose rows begin alike say so in `BEGINNING`."""
    shared: list[dict[str, Any]] = []
    group: list[Batch] = []
    length = 0
    for batch in batches:
        longer = _common([*group, batch])
        if group and (longer < _SHORTEST or 2 * longer < length):
            shared += _marked(group, length)
            group, longer = [], _common([batch])
        group, length = [*group, batch], longer
    return shared + _marked(group, length)


def sharing(batches: Iterable[Batch]) -> Iterator[dict[str, Any]]:
    """The same for a stream of batches that are only measured."""
    stream = iter(batches)
    while some := list(islice(stream, _LOOK_AHEAD)):
        yield from share_beginnings(some)


def _marked(group: list[Batch], length: int) -> list[dict[str, Any]]:
    if length < _SHORTEST or sum(len(batch["input_ids"]) for batch in group) < 2:
        return [dict(batch) for batch in group]
    beginning = Beginning(length, len(group))
    return [{**batch, BEGINNING: beginning} for batch in group]


def _common(batches: Sequence[Batch]) -> int:
    """How many tokens all rows begin with alike, before the first whose prediction is trained in one of them."""
    first = batches[0]["input_ids"][0]
    common = len(first)
    for batch in batches:
        ids, labels = batch["input_ids"], batch["labels"]
        trained = (labels != IGNORED).any(dim=0).nonzero()
        lengths = [int(batch["attention_mask"].sum(dim=1).min()), *trained[:1, 0].tolist()]
        common = max(0, min(common, min(lengths) - 1))
        differs = (ids[:, :common] != first[:common]).any(dim=0).nonzero()
        common = int(differs[0, 0]) if len(differs) else common
    return common


def _states(model: Any, ids: torch.Tensor) -> _States:
    """Keys and values of every layer for `ids` `[1, tokens]`, as autograd can go back through them."""
    cache = DynamicCache()
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    base.get_decoder()(input_ids=ids, past_key_values=cache, use_cache=True)
    return [(layer.keys, layer.values) for layer in cache.layers]


def _leaf(state: torch.Tensor) -> torch.Tensor:
    return state.detach().requires_grad_(state.requires_grad)


def _moved(leaf: torch.Tensor) -> bool:
    return leaf.grad is not None
