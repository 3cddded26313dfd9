"""Variations of a workspace: made of its scenarios, put up for review, and accepted ones as sources of a dataset.

What an operation does and how a product is checked is `studio.dataset.augmentation`. Here is what it needs of a
workspace: which scenarios there are, whether one still has the text that a variation was made from, and which split it
must share. Scenarios of data/validation/ are never varied: they are what a model is judged by.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from studio.dataset.augmentation import (
    AugmentationPlan,
    AugmentationStore,
    Augmented,
    Operation,
    Proposal,
    Refused,
    augment,
    made_again,
)
from studio.dataset.models import ReportRow
from studio.dataset.sources import VARIATIONS, Source, scenario_files
from studio.errors import DatasetError, StudioError
from studio.scenarios import Vocabulary, load_vocabulary, read_text
from studio.workspace import Workspace, sha256_file

Standing = Literal["current", "changed", "gone"]
"""Whether a scenario still has the text that a variation was made from."""
Progress = Callable[[int, int], None]
"""Called with scenarios done and in all; it may raise to stop: what was made until then stays proposed."""

_BATCH = 20
"""Scenarios whose variations are written together."""


@dataclass(frozen=True, slots=True)
class Proposed:
    """What one call of `propose` did: all products it made, how many of them are new, and what it did not make."""

    made: list[Proposal]
    new: int
    refused: list[Refused]

    @property
    def unfit(self) -> list[Refused]:
        """Scenarios that nothing can be made of until somebody corrects them."""
        return [one for one in self.refused if not one.operations]


def scenario_names(workspace: Workspace, paths: Iterable[Path] = ()) -> list[str]:
    """The scenarios that can be varied, as paths below data/scenarios/; only those at or below `paths` when given.

    Raises:
        DatasetError: a path is missing, or is no scenario of this workspace.
    """
    root, held_out = workspace.scenarios_dir.resolve(), workspace.validation_dir.resolve()
    if not root.is_dir():
        return []
    chosen = [_inside(path, root) for path in paths] or [root]
    files = {file for path in chosen for file in (scenario_files(path) if path.is_dir() else [path])}
    kept = (file for file in files if not file.resolve().is_relative_to(held_out))
    return sorted(file.relative_to(root).as_posix() for file in kept)


def propose(
    workspace: Workspace, names: Sequence[str], plan: AugmentationPlan, seed: int, progress: Progress | None = None
) -> Proposed:
    """Make variations of scenarios and put them up for review. The same call again changes no decision.

    Raises:
        DatasetError: an operation is unknown, or the list of variations cannot be read or written.
    """
    store, vocabulary = AugmentationStore(workspace), _vocabulary(workspace)
    known = {(one.name, one.sha256) for one in store.proposals()}
    made: list[Proposal] = []
    refused: list[Refused] = []
    for start in range(0, len(names), _BATCH):
        texts = dict(_texts(workspace, names[start : start + _BATCH], refused))
        products = augment(texts.items(), plan, seed, on_refused=refused.append, vocabulary=vocabulary)
        made += store.propose((one, texts[one.parent]) for one in products)
        if progress:
            progress(min(start + _BATCH, len(names)), len(names))
    return Proposed(made, sum((one.name, one.sha256) not in known for one in made), refused)


def propose_again(workspace: Workspace, names: Sequence[str]) -> Proposed:
    """Make variations again of what their scenarios say now; they wait for a decision like new ones.

    Raises:
        DatasetError: there is no variation of a name.
    """
    store, vocabulary = AugmentationStore(workspace), _vocabulary(workspace)
    found = {one.name: one for one in store.proposals()}
    if unknown := [name for name in names if name not in found]:
        raise DatasetError("There is no such variation.", next_step="Choose one from the list.", where=unknown[0])
    refused: list[Refused] = []
    texts = dict(_texts(workspace, sorted({found[name].parent for name in names}), refused))
    made: list[tuple[Augmented, str]] = []
    for one in (found[name] for name in names if found[name].parent in texts):
        former = Augmented(one.name, "", one.parent, one.operations, one.seed)
        again = made_again(former, texts[one.parent], vocabulary)
        if isinstance(again, Refused):
            refused.append(again)
        else:
            made.append((again, texts[one.parent]))
    done = store.propose(made)
    return Proposed(done, sum(one.sha256 != found[one.name].sha256 for one in done), refused)


def _vocabulary(workspace: Workspace) -> Vocabulary:
    return load_vocabulary(workspace.config_file("tools.yaml"))


def standings(workspace: Workspace, proposals: Iterable[Proposal]) -> dict[str, Standing]:
    """How the scenario of each variation stands, by the variation's name."""
    hashes: dict[str, str | None] = {}
    found: dict[str, Standing] = {}
    for one in proposals:
        if one.parent not in hashes:
            hashes[one.parent] = _hash_of(workspace, one.parent)
        now = hashes[one.parent]
        found[one.name] = "gone" if now is None else "current" if now == one.parent_sha256 else "changed"
    return found


def scenario_texts(workspace: Workspace, names: Sequence[str]) -> dict[str, str]:
    """The texts of scenarios by name, those left out that cannot be read."""
    return dict(_texts(workspace, names, []))


def varied_by(operation: Operation, texts: Mapping[str, str], vocabulary: Vocabulary) -> list[str]:
    """The names of the scenarios in which an operation finds something to change."""
    return [name for name, text in texts.items() if operation.apply(text, 0, vocabulary) is not None]


def accepted_sources(workspace: Workspace, taken: Sequence[Source]) -> tuple[list[Source], list[ReportRow]]:
    """The accepted variations of the scenarios that a dataset takes, and a report row for every other accepted one.

    A source is named `variations/<name>`. It is held out where its scenario is; else its split is that of its scenario,
    because the two are one family (`building.py`) and the scenario, whose name is shorter, leads it.

    Raises:
        DatasetError: the list of variations cannot be read. Going on without it would leave out what was accepted.
    """
    store = AugmentationStore(workspace)
    by_name = {one.name: one for one in taken}
    texts = {one.sha256: one.name for one in reversed(taken)}
    root = workspace.scenarios_dir
    whole = all(one.held_out or one.path == root / one.name for one in taken)
    sources: list[Source] = []
    report: list[ReportRow] = []
    for one in store.proposals("accepted"):
        name = f"{VARIATIONS}/{one.name}"
        reason = _left_out(one, name, by_name, texts, whole=whole)
        found = reason or _source(store, one, name, held_out=by_name[one.parent].held_out)
        if isinstance(found, str):
            report.append(ReportRow(source=name, kind="variation", reason=found))
        else:
            sources.append(found)
            texts.setdefault(one.sha256, name)
    return sources, report


def _inside(path: Path, root: Path) -> Path:
    """A path of the command line as one below data/scenarios/."""
    full = path.resolve()
    if not full.exists():
        raise DatasetError("There is no such file or folder.", next_step="Check the name.", where=str(path))
    if not full.is_relative_to(root):
        raise DatasetError(
            "Only scenarios of this workspace can be varied.",
            why="A variation names its scenario by its place below data/scenarios/. What is held out in "
            "data/validation/ is never varied.",
            next_step="Import the file first.",
            where=str(path),
        )
    return full


def _texts(workspace: Workspace, names: Sequence[str], refused: list[Refused]) -> Iterator[tuple[str, str]]:
    for name in names:
        try:
            yield name, read_text(workspace.inside(workspace.scenarios_dir, name))
        except StudioError as error:
            refused.append(Refused(name, (), f"{error.what} {error.why}".strip()))


def _hash_of(workspace: Workspace, parent: str) -> str | None:
    """The SHA-256 of a scenario's file; None where there is none that can be read."""
    try:
        return sha256_file(workspace.inside(workspace.scenarios_dir, parent))
    except (OSError, StudioError):
        return None


def _left_out(one: Proposal, name: str, by_name: Mapping[str, Source], texts: Mapping[str, str], *, whole: bool) -> str:
    """Why the list of sources has no room for a variation; empty when it has."""
    if not whole:
        return "Variations are read with the whole of data/scenarios/ only; this dataset is made of another folder."
    parent, twin = by_name.get(one.parent), texts.get(one.sha256)
    if parent is not None and parent.sha256 != one.parent_sha256:
        return f"{one.parent} was changed after it was made. Make it again, or reject it."
    elsewhere = texts.get(one.parent_sha256, "")
    if parent is None and elsewhere in by_name and by_name[elsewhere].held_out:
        return f"What it was made from is held out now, as {elsewhere}. Reject it: nothing of that is trained on."
    if parent is None and elsewhere:
        return f"The text of {one.parent}, from which it was made, is taken from {elsewhere}. Vary that one instead."
    if parent is None:
        return f"{one.parent}, from which it was made, is no scenario of this dataset. Reject it if that is gone."
    if twin is not None:
        return f"It is the same text as {twin}, which is in the dataset; once is enough."
    return f"A scenario has the name {name} already. Rename that one." if name in by_name else ""


def _source(store: AugmentationStore, one: Proposal, name: str, *, held_out: bool) -> Source | str:
    try:
        path = store.file(one)
        return Source(name, path, one.sha256, path.stat().st_size, held_out)
    except StudioError as error:
        return " ".join(part for part in (error.what, error.why, error.next_step) if part)
    except OSError as error:
        return f"Its file cannot be opened: {error.strerror or error}. Make it again."
