"""How models became better or worse from version to version: lineages over reports that were made one by one.

A version is one model file by its content, on one test set; measured twice it counts once, by the newest report. A
lineage is a chain of runs that went on from each other (`train --from`), or else all that was trained from one base
model; the base model itself is its beginning. Pure functions over digests; `studio.validation.reports` reads them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from studio.errors import EvaluationError
from studio.metrics import Comparison
from studio.validation.card import ModelResult, ReportCard, compared
from studio.validation.digest import Measured, ReportDigest, identify_test_set
from studio.validation.headline import Tone


@dataclass(frozen=True)
class Version:
    """A model on a test set.

    Attributes:
        report: name of the newest report that has it.
        measured: when that was made, Unix time in seconds.
        first_measured: when the first was made.
        step: place in its lineage; files of one run share it.
        before: identity of the version before it on this test set; empty for the first.
    """

    report: str
    model: Measured
    test_set: str
    turns: int
    measured: float
    first_measured: float
    step: int = 0
    before: str = ""

    @property
    def id(self) -> str:
        """What an address calls it, whatever report it is read from: twelve hex digits."""
        return hashlib.sha256(f"{self.model.identity} {self.test_set}".encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Change:
    """A version against the one before it, on the turns that both were asked; nothing is compared for the first."""

    version: Version
    before: Version | None = None
    comparisons: tuple[Comparison, ...] = ()

    @property
    def worse(self) -> tuple[Comparison, ...]:
        """What is worse than it was."""
        return tuple(one for one in self.comparisons if one.verdict == "worse")

    @property
    def better(self) -> tuple[Comparison, ...]:
        """What is better than it was."""
        return tuple(one for one in self.comparisons if one.verdict == "better")

    @property
    def tone(self) -> Tone:
        """The change in a word; 'alone' for the first version."""
        if self.before is None:
            return "alone"
        if self.worse:
            return "mixed" if self.better else "worse"
        return "better" if self.better else "same"


@dataclass(frozen=True)
class Lineage:
    """Versions that belong together, in order."""

    title: str
    versions: tuple[Version, ...]

    def before(self, version: Version) -> Version | None:
        """The version before one, on the same turns."""
        return self._known.get((version.before, version.test_set))

    @cached_property
    def _known(self) -> dict[tuple[str, str], Version]:
        return {(one.model.identity, one.test_set): one for one in self.versions}

    @property
    def newest(self) -> tuple[Version, ...]:
        """The versions of the last run, one per test set and file."""
        last: dict[str, int] = {}
        for one in self.versions:
            last[one.test_set] = max(one.step, last.get(one.test_set, 0))
        return tuple(one for one in self.versions if one.step == last[one.test_set])

    @property
    def measured(self) -> float:
        """When something of it was measured last."""
        return max(one.measured for one in self.versions)


def versions_of(reports: Iterable[tuple[str, ReportDigest]]) -> list[Version]:
    """Every model of every test set once, from `(name of the report, digest)`."""
    found: dict[tuple[str, str], Version] = {}
    for name, report in sorted(reports, key=lambda one: one[1].created):
        for model in report.models:
            key = (model.identity, report.test_set)
            first = found[key].first_measured if key in found else report.created
            found[key] = Version(name, model, report.test_set, report.turns, report.created, first)
    return list(found.values())


def lineages(reports: Iterable[tuple[str, ReportDigest]], parents: Mapping[str, str] | None = None) -> list[Lineage]:
    """The lineages of all reports, the one that was measured last first.

    Args:
        parents: adapter -> the adapter that its training went on from, by SHA-256, for files that do not say it.
    """
    versions = versions_of(reports)
    chains = _Chains(versions, parents or {})
    groups: dict[tuple[str, str], list[Version]] = {}
    for one in versions:
        if not one.model.is_base:
            groups.setdefault(chains.group(one.model), []).append(one)
    bases = [one for one in versions if one.model.is_base]
    grown = {one.model.base for found in groups.values() for one in found}
    for base in bases:
        if base.model.base not in grown:
            groups.setdefault(("untrained", base.model.base), []).append(base)
    made = [_lineage(kind, found, bases, chains) for (kind, _), found in groups.items()]
    return sorted(made, key=lambda one: one.measured, reverse=True)


def card_between(before: ReportCard, first: str, after: ReportCard, second: str) -> ReportCard:
    """A report of two models that were measured in different reports, the second compared with the first.

    Args:
        first, second: identities of the models (`Measured.identity`).

    Raises:
        EvaluationError: they did not answer the same turns, or a report does not have its model.
    """
    if identify_test_set(before) != identify_test_set(after):
        raise EvaluationError(
            "These two were not asked the same turns.",
            why="The scenarios or the limits of a reply were changed between the two measurements.",
            next_step="Measure both together: choose them in one measurement.",
        )
    old, new = _result(before, first), _result(after, second)
    if old.model.label == new.model.label:
        old, new = _told_apart(old), _told_apart(new)
    models = (old.model_copy(update={"comparisons": (), "by_type": {}}), compared(old, new))
    return after.model_copy(update={"models": models, "created": max(before.created, after.created)})


class _Chains:
    """Which adapters went on from which, as far as it is known."""

    def __init__(self, versions: Sequence[Version], parents: Mapping[str, str]) -> None:
        named = {one.model.adapter: one.model.parent_adapter for one in versions if one.model.parent_adapter}
        self._parents = {**parents, **named}
        roots = {one.model.adapter: self.ancestors(one.model.adapter)[-1] for one in versions if one.model.adapter}
        members = list(roots.values())
        self._chained = {adapter: root for adapter, root in roots.items() if members.count(root) > 1}

    def ancestors(self, adapter: str) -> list[str]:
        """The adapter, its parent, and so on."""
        found = [adapter]
        while (parent := self._parents.get(found[-1], "")) and parent not in found:
            found.append(parent)
        return found

    def group(self, model: Measured) -> tuple[str, str]:
        """What a model belongs to: a chain of runs, a base model, or nothing but itself."""
        if root := self._chained.get(model.adapter):
            return "chain", root
        return ("base", model.base) if model.base else ("file", model.label)


def _lineage(kind: str, own: Sequence[Version], bases: Sequence[Version], chains: _Chains) -> Lineage:
    """The versions of one group in order, after the base models that they were trained from."""
    if kind == "untrained":
        return Lineage(f"{own[0].model.base}, untrained", _ordered(own, chains))
    names = {one.model.base for one in own}
    versions = _ordered([*own, *(one for one in bases if one.model.base in names)], chains)
    trained = next(one for one in versions if not one.model.is_base)
    titles = {
        "chain": f"{trained.model.run or trained.model.label} and what goes on from it",
        "base": f"Trained from {trained.model.base}",
    }
    return Lineage(titles.get(kind, trained.model.label), versions)


def _ordered(versions: Sequence[Version], chains: _Chains) -> tuple[Version, ...]:
    """Base models first, then runs in order of time, a run never before the one that it went on from."""
    known = all(one.model.made for one in versions if not one.model.is_base)
    times: dict[str, float] = {}
    for one in versions:
        time = one.model.made if known else one.first_measured
        times[_run_of(one)] = min(time, times.get(_run_of(one), time))

    here = {one.model.adapter for one in versions}

    def place(one: Version) -> tuple[bool, int, float, str]:
        depth = len(here.intersection(chains.ancestors(one.model.adapter)))
        return not one.model.is_base, depth, times[_run_of(one)], _run_of(one)

    ordered = sorted(versions, key=lambda one: (*place(one), one.first_measured))
    steps = {run: step for step, run in enumerate(dict.fromkeys(_run_of(one) for one in ordered))}
    placed = [replace(one, step=steps[_run_of(one)]) for one in ordered]
    return tuple(replace(one, before=_before(one, placed, chains)) for one in placed)


def _run_of(version: Version) -> str:
    """What makes files one version of a model: the adapter in them; the base model; else the file itself."""
    model = version.model
    return "" if model.is_base else model.adapter or model.sha256


def _before(version: Version, placed: Sequence[Version], chains: _Chains) -> str:
    """The version before: of the run that this one went on from, else of the latest earlier run.

    A run may have several files: the one of the same quantization type, else the largest.
    """
    family = chains.ancestors(version.model.adapter)
    earlier = [one for one in placed if one.test_set == version.test_set and one.step < version.step]

    def nearness(one: Version) -> tuple[int, int, bool, int]:
        related = -family.index(one.model.adapter) if one.model.adapter in family else -len(family)
        return related, one.step, one.model.quantization == version.model.quantization, one.model.size_bytes

    return max(earlier, key=nearness).model.identity if earlier else ""


def _result(card: ReportCard, identity: str) -> ModelResult:
    for one in card.models:
        if Measured.of(one).identity == identity:
            return one
    raise EvaluationError(
        "This report has no such model any more.", why="It was made anew.", next_step="Choose another version."
    )


def _told_apart(one: ModelResult) -> ModelResult:
    label = f"{one.model.label} {one.model.sha256[:6]}"
    return one.model_copy(update={"model": one.model.model_copy(update={"label": label})})
