"""Prepared scenarios on disk, by the SHA-256 of their text: made once, and taken over after a kill.

One shard is two Arrow files: the rows, and one line of facts per scenario. The facts are written last, so a shard
with facts is whole; what a kill leaves behind otherwise is made again. Every folder belongs to one recipe.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pydantic
from numpy.typing import NDArray

from studio.dataset.models import ReportRow
from studio.dataset.preparation import PreparedScenario, Remark
from studio.dataset.rows_store import COUNTED
from studio.dataset.wordprints import PERMUTATIONS, Hashes
from studio.workspace import atomic_writer

_FACTS = ".facts.arrow"
_ROWS = ".rows.arrow"
_ABANDONED = 3600
"""Seconds after which a half-written file has no writer any more."""
_ROWS_SCHEMA = pa.schema(
    [
        ("first_turn", pa.int32()),
        ("end_turn", pa.int32()),
        ("input_ids", pa.list_(pa.int32())),
        ("loss_mask", pa.list_(pa.bool_())),
        *COUNTED,
    ]
)
_FACTS_SCHEMA = pa.schema(
    [
        ("sha256", pa.string()),
        ("scenario_type", pa.string()),
        ("parent", pa.string()),
        ("rows", pa.int32()),
        ("remarks", pa.string()),
        ("signature", pa.binary()),
        ("prints", pa.binary()),
    ]
)
_REMARKS = pydantic.TypeAdapter(list[Remark])


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a prepared scenario without reading its rows, and where they are."""

    shard: int
    place: int
    first_row: int
    rows: int
    scenario_type: str
    parent: str
    remarks: str

    def report(self, source: str) -> list[ReportRow]:
        """The remarks as report rows of the scenario `source`."""
        found = _REMARKS.validate_json(self.remarks) if self.remarks else []
        return [
            ReportRow(source=source, kind=one.kind, reason=one.reason, turns=one.turns, line=one.line) for one in found
        ]


class ShardStore:
    """The shards of one recipe in `folder`. Reads them when made; call `refresh` after others have written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.facts: dict[str, Facts] = {}
        self._names: list[str] = []
        self._sizes: list[int] = []
        self._signatures: list[NDArray[np.uint32]] = []
        self.refresh()

    def refresh(self) -> None:
        """Take over every shard that is whole and not known yet; forget half-written files that nobody writes."""
        known = set(self._names)
        for path in sorted(self.folder.glob(f"*{_FACTS}")):
            name = path.name.removesuffix(_FACTS)
            if name not in known:
                self._take_over(name)
        for part in self.folder.glob(".*.part"):
            if time.time() - part.stat().st_mtime > _ABANDONED:
                part.unlink(missing_ok=True)

    def rows(self, shard: int) -> pa.Table:
        """The rows of a shard, memory-mapped as long as the table lives."""
        return _open(self.folder / f"{self._names[shard]}{_ROWS}")

    def signature(self, facts: Facts) -> NDArray[np.uint32]:
        """MinHash values, `[PERMUTATIONS]`."""
        values: NDArray[np.uint32] = self._signatures[facts.shard][facts.place]
        return values

    def prints(self, shard: int, places: Iterable[int]) -> list[Hashes]:
        """Hashed runs of words of some scenarios of a shard."""
        column = _open(self._facts_file(shard))["prints"]
        return [np.frombuffer(column[place].as_py(), np.uint64) for place in places]

    def compact(self, texts: Collection[str], oldest: float) -> int:
        """Remove shards of which less than half is among `texts` (SHA-256), and keep that part in a new one.

        Shards written since `oldest` (seconds since the epoch) stay: somebody may be at work with them. Returns how
        many were removed. The store is of no use afterwards. A kill leaves every text in some shard.
        """
        living: dict[int, list[Facts]] = {shard: [] for shard in range(len(self._names))}
        for sha256, facts in self.facts.items():
            if sha256 in texts:
                living[facts.shard].append(facts)
        sparse = {
            shard: kept
            for shard, kept in living.items()
            if 2 * len(kept) < self._sizes[shard] and self._facts_file(shard).stat().st_mtime < oldest
        }
        if any(sparse.values()):
            self._rewrite([one for kept in sparse.values() for one in kept])
        for shard in sparse:
            self._facts_file(shard).unlink()  # first: without its facts, rows are nothing
            (self.folder / f"{self._names[shard]}{_ROWS}").unlink()
        return len(sparse)

    def _facts_file(self, shard: int) -> Path:
        return self.folder / f"{self._names[shard]}{_FACTS}"

    def _rewrite(self, kept: Sequence[Facts]) -> None:
        """Copy scenarios into one new shard, as they are."""
        facts = pa.concat_tables(_open(self._facts_file(one.shard)).slice(one.place, 1) for one in kept)
        rows = pa.concat_tables(self.rows(one.shard).slice(one.first_row, one.rows) for one in kept)
        name = _name_of(facts["sha256"].to_pylist())
        _write_table(self.folder / f"{name}{_ROWS}", rows.combine_chunks())
        _write_table(self.folder / f"{name}{_FACTS}", facts.combine_chunks())

    def _take_over(self, name: str) -> None:
        facts_file, rows_file = (self.folder / f"{name}{ending}" for ending in (_FACTS, _ROWS))
        try:
            table = _open(facts_file)
            counts = table["rows"].to_numpy()
            whole = _open(rows_file).num_rows == counts.sum()
        except (OSError, pa.ArrowInvalid):
            whole = False
        if not whole:  # a disk that lost what it had confirmed: made again
            facts_file.unlink(missing_ok=True)
            return
        shard = len(self._names)
        self._names.append(name)
        self._sizes.append(len(counts))
        self._signatures.append(_signatures(table))
        firsts = np.concatenate([[0], np.cumsum(counts)])
        columns = zip(
            table["sha256"].to_pylist(),
            firsts.tolist(),
            counts.tolist(),
            table["scenario_type"].to_pylist(),
            table["parent"].to_pylist(),
            table["remarks"].to_pylist(),
            strict=False,
        )
        for place, (sha256, *rest) in enumerate(columns):
            self.facts.setdefault(sha256, Facts(shard, place, *rest))


def write_shard(folder: Path, scenarios: Sequence[PreparedScenario]) -> None:
    """Write one shard; scenarios that are already in another one are kept twice and read once."""
    name = _name_of([one.sha256 for one in scenarios])
    rows = [row for one in scenarios for row in one.rows]
    _write(
        folder / f"{name}{_ROWS}",
        _ROWS_SCHEMA,
        {
            "first_turn": [row.turns[0] for row in rows],
            "end_turn": [row.turns[1] for row in rows],
            "input_ids": _lists([np.array(row.ids, np.int32) for row in rows], np.int32),
            "loss_mask": _lists([np.array(row.mask, np.bool_) for row in rows], np.bool_),
            "trained": [sum(row.mask) for row in rows],
            "tools": [row.lessons.tools for row in rows],
            "outcomes": [row.lessons.outcomes for row in rows],
            "calls": [row.lessons.calls for row in rows],
        },
    )
    _write(
        folder / f"{name}{_FACTS}",
        _FACTS_SCHEMA,
        {
            "sha256": [one.sha256 for one in scenarios],
            "scenario_type": [one.scenario_type for one in scenarios],
            "parent": [one.parent for one in scenarios],
            "rows": [len(one.rows) for one in scenarios],
            "remarks": [one.remarks_json() for one in scenarios],
            "signature": [one.signature for one in scenarios],
            "prints": [one.prints for one in scenarios],
        },
    )


def _lists(rows: Sequence[NDArray[Any]], kind: type[np.generic]) -> pa.ListArray:
    """A list column, without a detour over Python objects for every token."""
    offsets = np.cumsum([0, *map(len, rows)], dtype=np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(np.concatenate([np.empty(0, kind), *rows])))


def _write(path: Path, schema: pa.Schema, columns: dict[str, Any]) -> None:
    _write_table(path, pa.table(columns, schema=schema))


def _write_table(path: Path, table: pa.Table) -> None:
    with atomic_writer(path) as stream, pa.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table)


def _name_of(texts: Sequence[str]) -> str:
    """The name of the shard that holds the texts with these SHA-256."""
    return hashlib.sha256("".join(texts).encode()).hexdigest()[:32]


def _open(path: Path) -> pa.Table:
    with pa.memory_map(str(path)) as source:
        return pa.ipc.open_stream(source).read_all()


def _signatures(table: pa.Table) -> NDArray[np.uint32]:
    """Zeros for scenarios without one; they have no rows either and are never compared."""
    blank = bytes(4 * PERMUTATIONS)
    together = b"".join(one or blank for one in table["signature"].to_pylist())
    values: NDArray[np.uint32] = np.frombuffer(together, np.uint32).reshape(-1, PERMUTATIONS)
    return values
