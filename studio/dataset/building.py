"""From a list of scenario files to a dataset on disk: prepare what is new, split, write, check for leaks.

Loads pyarrow, numpy and datasketch, so `processor.py` imports it only when there is work.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
import pyarrow as pa

from studio.dataset.duplicates import near_duplicates
from studio.dataset.leakage import check_leakage
from studio.dataset.models import SPLITS, LeakageReport, ReportRow, Split, SplitCounts, rows_file
from studio.dataset.preparation import Recipe, said_at_the_table
from studio.dataset.rows_store import COUNTED, SCHEMA, count_rows, write_rows
from studio.dataset.shards import Facts, ShardStore
from studio.dataset.sources import Source, is_variation
from studio.dataset.splits import Group, SplitRule, assign
from studio.dataset.wordprints import Hashes
from studio.dataset.workers import Job, prepare_all
from studio.scenarios import SCENARIO_TYPES, MarkdownParser

ProgressCallback = Callable[[int, int], None]
"""Called with scenario files done and in all; it may raise to stop: what is finished then is not done again."""


def prepare(
    sources: Sequence[Source], recipe: Recipe, folder: Path, progress: ProgressCallback | None, workers: int | None
) -> ShardStore:
    """The shards that hold every source; only those that no shard has yet are prepared. Raises as `prepare_all`."""
    store = ShardStore(folder)
    missing = {one.sha256: Job(one.path, one.sha256, one.size) for one in sources if one.sha256 not in store.facts}
    done = len(sources) - len(missing)
    if progress and done:
        progress(done, len(sources))
    for finished in prepare_all(list(missing.values()), recipe, folder, workers):
        done += finished
        if progress:
            progress(done, len(sources))
    store.refresh()
    return store


class Build:
    """One dataset in the making: prepared sources, their split, and what is to be reported."""

    def __init__(self, sources: Sequence[Source], store: ShardStore, rule: SplitRule) -> None:
        self._store = store
        self._facts: dict[str, Facts] = {one.name: store.facts[one.sha256] for one in sources}
        self._by_name = {one.name: one for one in sources}
        self._sources = [one for one in sources if self._facts[one.name].rows]
        self._types = {one.name: self._type_of(one) for one in self._sources}
        groups = self._groups()
        self._splits = assign(groups, rule)
        self.report = [row for one in sources for row in self._facts[one.name].report(one.name)]
        alike = ((name, group.names[0]) for group in groups for name in group.names[1:] if not is_variation(name))
        self.report += [_near(name, leader, self._splits[name]) for name, leader in alike]

    def sources_in(self, split: Split) -> list[Source]:
        """The sources of a split, in order."""
        return [one for one in self._sources if self._splits[one.name] == split]

    def write(self, folder: Path) -> dict[Split, SplitCounts]:
        """Write the rows of every split, and count them."""
        counts: dict[Split, SplitCounts] = {}
        for split in SPLITS:
            sources = self.sources_in(split)
            write_rows(rows_file(folder, split), self._tables(sources))
            counts[split] = count_rows(rows_file(folder, split), Counter(self._types[one.name] for one in sources))
        return counts

    def leakage(self) -> LeakageReport | None:
        """What the held-out scenarios share with those to train on."""
        paths = {one.name: one.path for one in self._sources}
        parser = MarkdownParser()

        def read(name: str) -> str:
            return said_at_the_table(parser.parse_scenario(paths[name]))

        held_out = [*self.sources_in("validation"), *self.sources_in("test")]
        return check_leakage(list(self._prints(held_out)), self._prints(self.sources_in("train")), read)

    def _groups(self) -> list[Group]:
        ordered = sorted(self._sources, key=lambda one: one.order)
        if not ordered:
            return []
        signatures = np.stack([self._store.signature(self._facts[one.name]) for one in ordered])
        groups = near_duplicates(signatures, self._families(ordered))
        return [self._group([ordered[row] for row in rows]) for rows in groups]

    def _group(self, members: Sequence[Source]) -> Group:
        names = tuple(one.name for one in members)
        return Group(names, self._types[names[0]], any(one.held_out for one in members))

    def _families(self, sources: Sequence[Source]) -> list[str]:
        """For an augmented scenario the name of the one it came from; for that one its own; else nothing."""
        parents = [self._facts[one.name].parent for one in sources]
        wanted = set(parents) - {""}
        return [
            parent or next((name for name in (one.name, one.path.name) if name in wanted), "")
            for one, parent in zip(sources, parents, strict=True)
        ]

    def _type_of(self, source: Source) -> str:
        """What the front matter declares, else the folder's name; a variation lies in its scenario's folder."""
        facts = self._facts[source.name]
        home = self._by_name.get(facts.parent, source) if is_variation(source.name) else source
        folder = home.path.parent.name
        return facts.scenario_type or (folder if folder in SCENARIO_TYPES else "mixed")

    def _tables(self, sources: Iterable[Source]) -> Iterator[pa.Table]:
        """Rows of sources in order, those of neighbours in one shard together."""
        for shard, members in groupby(sources, key=lambda one: self._facts[one.name].shard):
            yield self._table(shard, list(members))

    def _table(self, shard: int, sources: Sequence[Source]) -> pa.Table:
        facts = [self._facts[one.name] for one in sources]
        counts = [one.rows for one in facts]
        places = np.concatenate([np.arange(one.first_row, one.first_row + one.rows) for one in facts])
        rows = self._store.rows(shard).take(pa.array(places))
        turns = np.stack([rows["first_turn"].to_numpy(), rows["end_turn"].to_numpy()], axis=1).reshape(-1)
        offsets = np.arange(0, 2 * len(places) + 1, 2, dtype=np.int32)
        columns = [
            pa.array(np.repeat(np.array([one.name for one in sources], object), counts), pa.string()),
            pa.array(np.repeat(np.array([self._types[one.name] for one in sources], object), counts), pa.string()),
            pa.ListArray.from_arrays(pa.array(offsets), pa.array(turns, pa.int32())),
            *(rows[name] for name in ("input_ids", "loss_mask", *(one.name for one in COUNTED))),
        ]
        return pa.table(columns, schema=SCHEMA)

    def _prints(self, sources: Iterable[Source]) -> Iterator[tuple[str, Hashes]]:
        for shard, group in groupby(sources, key=lambda one: self._facts[one.name].shard):
            members = list(group)
            found = self._store.prints(shard, (self._facts[one.name].place for one in members))
            yield from zip((one.name for one in members), found, strict=True)


def _near(name: str, leader: str, split: Split) -> ReportRow:
    where = "trained on" if split == "train" else f"held out ({split})"
    reason = f"Nearly the same as {leader}, or made from it, so both are {where}."
    return ReportRow(source=name, kind="near duplicate", reason=reason)
