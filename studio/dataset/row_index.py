"""Questions about all rows of a split, answered from a few Arrow columns: what each counts for, how long, which ones.

The columns with tokens stay on disk: of them only the lengths are looked at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from studio.dataset.balancing import CALL, NO_CALL, Margin, RowFeatures
from studio.dataset.coverage import LONGEST_KEPT, NEAR_LIMIT, TOKENS_PER_BIN, RowCoverage
from studio.dataset.models import RowHead

_Counts = Mapping[str, float]


def row_features(table: pa.Table) -> list[RowFeatures]:
    """What every row counts for, as `balancing.features_of` counts a scenario; equal counts are shared."""
    together = zip(
        _names(table),
        _types(table),
        _tallies(table["tools"]),
        _tallies(table["outcomes"]),
        _tallies(table["calls"], (NO_CALL, CALL)),
        strict=True,
    )
    found = []
    for name, kind, tools, outcomes, calls in together:
        amounts: dict[Margin, _Counts] = {"type": kind, "tool": tools, "outcome": outcomes, "call": calls}
        found.append(RowFeatures(name, amounts))
    return found


def row_coverage(table: pa.Table, limit: int) -> RowCoverage:
    """How long the rows are and how much of them is trained; `limit` is the longest a row may be, in tokens."""
    tokens, trained = _lengths(table["input_ids"]), table["trained"].to_numpy().astype(np.int64)
    near = np.flatnonzero(tokens > NEAR_LIMIT * limit)
    longest = near[tokens[near] >= _least_of(tokens[near], LONGEST_KEPT)]
    shares = np.minimum(90, 100 * trained // np.maximum(tokens, 1) // 10 * 10)
    return RowCoverage(
        limit,
        rows=len(tokens),
        tokens=int(tokens.sum()),
        trained=int(trained.sum()),
        near_limit=len(near),
        lengths=_histogram(tokens // TOKENS_PER_BIN * TOKENS_PER_BIN),
        shares=_histogram(shares),
        longest=_longest(table.select(["source", "turns"]).take(pa.array(longest, pa.int64())), tokens[longest]),
    )


def matching(table: pa.Table, contains: str) -> NDArray[np.int64]:
    """Numbers of the rows whose source has `contains` in it, in capitals or not; all where it is empty."""
    if not contains:
        return np.arange(table.num_rows)
    fits = pc.match_substring(table["source"], contains, ignore_case=True)
    return np.flatnonzero(fits.to_numpy())


def heads(table: pa.Table, numbers: NDArray[np.int64]) -> list[RowHead]:
    """The rows of those numbers, without their tokens."""
    chosen = table.select(["source", "scenario_type", "turns", "trained"]).take(pa.array(numbers, pa.int64()))
    tokens = _lengths(table["input_ids"])[numbers].tolist()
    return [
        RowHead(number=number, tokens=length, **row)
        for number, length, row in zip(numbers.tolist(), tokens, chosen.to_pylist(), strict=True)
    ]


def _names(table: pa.Table) -> list[str]:
    """The source, with the turns where a scenario has several rows."""
    sources: list[str] = table["source"].to_pylist()
    rows = Counter(sources)
    if len(rows) == len(sources):
        return sources
    turns = _turns(table).tolist()
    return [
        source if rows[source] == 1 else f"{source}, turns {first + 1} to {last}"
        for source, (first, last) in zip(sources, turns, strict=True)
    ]


def _types(table: pa.Table) -> list[_Counts]:
    trained = table["trained"].to_pylist()
    return [{kind: float(size)} for kind, size in zip(table["scenario_type"].to_pylist(), trained, strict=True)]


def _tallies(column: pa.ChunkedArray, labels: Sequence[str] | None = None) -> list[_Counts]:
    """For every list of a column how often each label is in it; `labels` are the names of False and True."""
    flat = pc.list_flatten(column)
    if labels is None:
        encoded = pc.unique(flat)
        labels, flat = encoded.to_pylist(), pc.index_in(flat, value_set=encoded)
    codes = flat.to_numpy().astype(np.int32).tobytes()
    ends = (4 * np.cumsum(_lengths(column))).tolist()
    known: dict[bytes, _Counts] = {}
    found, start = [], 0
    for end in ends:
        key = codes[start:end]
        if key not in known:
            counted = Counter(np.frombuffer(key, np.int32).tolist())
            known[key] = {labels[code]: float(number) for code, number in counted.items()}
        found.append(known[key])
        start = end
    return found


def _lengths(column: pa.ChunkedArray) -> NDArray[np.int64]:
    lengths: NDArray[np.int64] = pc.list_value_length(column).to_numpy().astype(np.int64)
    return lengths


def _turns(table: pa.Table) -> NDArray[np.int32]:
    """First turn and end, [rows, 2]."""
    turns: NDArray[np.int32] = pc.list_flatten(table["turns"]).to_numpy().reshape(-1, 2)
    return turns


def _histogram(bins: NDArray[np.int64]) -> Counter[int]:
    values, numbers = np.unique(bins, return_counts=True)
    return Counter(dict(zip(values.tolist(), numbers.tolist(), strict=True)))


def _least_of(values: NDArray[np.int64], count: int) -> int:
    """The smallest of the `count` largest values; 0 where there are not so many."""
    return int(np.partition(values, -count)[-count]) if len(values) > count else 0


def _longest(near: pa.Table, tokens: NDArray[np.int64]) -> list[tuple[int, str, int]]:
    """(tokens, source, first turn) of the longest of these rows, the longest first."""
    sources, firsts = near["source"].to_pylist(), _turns(near)[:, 0].tolist()
    rows = sorted(zip((-tokens).tolist(), sources, firsts, strict=True))
    return [(-negative, source, first) for negative, source, first in rows[:LONGEST_KEPT]]
