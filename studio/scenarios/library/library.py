"""`ScenarioLibrary`: every action of the scenario page on the files in `data/scenarios/`, without ever losing an edit.

Reading takes no lock. Changing takes one lock per workspace, looks at the file again, keeps the former text in the
history, and replaces the file as a whole. What it cannot see is an editor outside that writes in the microseconds
between that look and the replacement (see `files.py`).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from studio.scenarios.library.bin import Bin, DeletedScenario
from studio.scenarios.library.document import ScenarioDocument
from studio.scenarios.library.drafts import Draft, DraftInfo, Drafts, same_scenario
from studio.scenarios.library.entries import Index, ScenarioEntry, Stray
from studio.scenarios.library.errors import (
    ScenarioConflictError,
    ScenarioLibraryError,
    ScenarioMissingError,
    ScenarioNameError,
)
from studio.scenarios.library.files import (
    create_file,
    decode,
    encode,
    locked,
    move_file,
    read_bytes,
    revision_of,
    telling,
)
from studio.scenarios.library.front_matter import set_scenario_type
from studio.scenarios.library.history import Clock, History, HistoryLimits, Reason, Version
from studio.scenarios.library.names import fold, free_name, join_id, path_of, split_id, tidy_name
from studio.scenarios.library.search import SearchHit, search
from studio.scenarios.models import SCENARIO_TYPES
from studio.workspace import Workspace, atomic_write


def utc_now() -> datetime:
    """The time now, in UTC."""
    return datetime.now(UTC)


class ScenarioLibrary:
    """The scenarios of one workspace. Objects are cheap; several, in several processes, may work side by side."""

    def __init__(self, workspace: Workspace, *, clock: Clock = utc_now, limits: HistoryLimits | None = None) -> None:
        self.workspace = workspace
        self._index = Index(workspace)
        self._history = History(workspace.state_dir / "history", clock, limits)
        self._drafts = Drafts(workspace.state_dir / "drafts", clock)
        self._bin = Bin(workspace.state_dir / "bin", clock)
        self._journal = workspace.state_dir / "library" / "rename.json"

    # -- the list

    def entries(self, scenario_type: str | None = None) -> list[ScenarioEntry]:
        """Every scenario, or those of one type, by type and then by name."""
        return [one for one in self._index.entries() if scenario_type in (None, one.type)]

    def counts(self) -> dict[str, int]:
        """How many scenarios each type has, in the order of `SCENARIO_TYPES`."""
        counted = Counter(entry.type for entry in self._index.entries())
        return {name: counted[name] for name in SCENARIO_TYPES}

    def strays(self) -> list[Stray]:
        """Markdown files among the scenarios that the list cannot show, and why."""
        return self._index.strays()

    def search(self, query: str, *, scenario_type: str | None = None, limit: int = 50) -> Iterator[SearchHit]:
        """Scenarios whose name, title or text holds the query; names and titles also with typing mistakes."""
        return search(self.entries(scenario_type), query, self._index.content, limit)

    def path(self, scenario_id: str) -> Path:
        """The file of an id. Raises `ScenarioNameError`."""
        return path_of(self.workspace, scenario_id)

    # -- reading and saving

    def read(self, scenario_id: str) -> ScenarioDocument:
        """The text of a scenario and its revision.

        Raises:
            ScenarioMissingError: there is no such file.
            ScenarioNameError: the id is malformed.
        """
        content = self._content(scenario_id)
        return ScenarioDocument(scenario_id, decode(content), revision_of(content))

    def save(
        self,
        scenario_id: str,
        text: str,
        expected_revision: str,
        *,
        session: str | None = None,
        reason: Reason = "saved",
    ) -> str:
        """Replace the text of a scenario and return its new revision; the draft of `session` is removed.

        Raises:
            ScenarioConflictError: the file is not `expected_revision` any more; it carries all texts. When the file
                holds the very same text already, that is no conflict.
        """
        content = encode(text, scenario_id)
        with self._locked():
            stored = read_bytes(self.path(scenario_id), scenario_id)
            if stored != content:
                if stored is None or revision_of(stored) != expected_revision:
                    raise self._conflict(scenario_id, text, stored, expected_revision, session)
                self._write(scenario_id, stored, content, reason)
            if session is not None:
                self._drafts.remove(scenario_id, session)
        return revision_of(content)

    def conflict(
        self, scenario_id: str, text: str, expected_revision: str, *, session: str | None = None
    ) -> ScenarioConflictError | None:
        """What `save` would raise now, without saving; None when it would save."""
        stored = read_bytes(self.path(scenario_id), scenario_id)
        if stored is not None and (stored == encode(text, scenario_id) or revision_of(stored) == expected_revision):
            return None
        return self._conflict(scenario_id, text, stored, expected_revision, session)

    def create(self, scenario_type: str, name: str, text: str = "", *, session: str | None = None) -> ScenarioDocument:
        """Make a new scenario.

        Raises:
            ScenarioNameError: the name cannot be a file name or is taken (case and composed accents do not matter).
        """
        scenario_id = join_id(scenario_type, name)
        content = encode(text, scenario_id)
        with self._locked():
            self._refuse_taken(scenario_id)
            create_file(self.path(scenario_id), content, scenario_id)
            if session is not None:
                self._drafts.remove(scenario_id, session)
        return ScenarioDocument(scenario_id, text, revision_of(content))

    def suggest_name(self, scenario_type: str, wanted: str) -> str:
        """A free name of that type near the one wanted."""
        join_id(scenario_type, "any")
        return free_name(tidy_name(wanted), self._index.names(scenario_type))

    def duplicate(
        self, scenario_id: str, *, name: str | None = None, scenario_type: str | None = None
    ) -> ScenarioDocument:
        """Copy a scenario byte for byte, by default as `NAME copy`. Raises as `create` and `read`."""
        old_type, old_name = split_id(scenario_id)
        new_type = scenario_type or old_type
        return self.create(
            new_type, name or self.suggest_name(new_type, f"{old_name} copy"), self.read(scenario_id).text
        )

    def rename(self, scenario_id: str, name: str, *, scenario_type: str | None = None) -> ScenarioDocument:
        """Give a scenario another name or type; history and drafts go with it.

        A `scenario_type` in the front matter is changed with the folder, because it would win over it.

        Raises:
            ScenarioNameError: the name is unusable or taken.
            ScenarioMissingError: there is no such scenario.
        """
        old_type, old_name = split_id(scenario_id)
        new_id = (
            f"{scenario_type or old_type}/{old_name}" if name == old_name else join_id(scenario_type or old_type, name)
        )
        with self._locked():
            content = self._content(scenario_id)
            if new_id != scenario_id:
                self._refuse_taken(new_id, but=scenario_id)
                self._move(scenario_id, new_id)
            moved = encode(set_scenario_type(decode(content), split_id(new_id)[0]), new_id)
            if scenario_type not in (None, old_type) and moved != content:
                self._write(new_id, content, moved, "renamed")
        return self.read(new_id)

    # -- deleting and undoing it

    def delete(self, scenario_id: str, *, expected_revision: str | None = None) -> DeletedScenario:
        """Move a scenario and its history to the bin. Drafts stay, so that another tab loses nothing.

        Raises:
            ScenarioConflictError: `expected_revision` is given and the file is not that any more.
        """
        with self._locked():
            content = self._content(scenario_id)
            revision = revision_of(content)
            if expected_revision not in (None, revision):
                raise self._conflict(scenario_id, decode(content), content, expected_revision or "", None)
            entry = self._bin.add(scenario_id, content, revision)
            with telling("The scenario cannot be deleted.", scenario_id):
                self.path(scenario_id).unlink()
            self._history.take_out(scenario_id, self._bin.history_folder(entry))
        return entry

    def deleted(self) -> list[DeletedScenario]:
        """What can be restored, newest first."""
        return self._bin.entries()

    def undelete(self, bin_id: str, *, name: str | None = None) -> ScenarioDocument:
        """Take a scenario out of the bin, under another name if one is given. Raises `ScenarioNameError` when taken."""
        with self._locked():
            entry = self._bin.find(bin_id)
            scenario_id = join_id(split_id(entry.scenario_id)[0], name) if name else entry.scenario_id
            content = self._bin.content(entry)
            self._refuse_taken(scenario_id)
            create_file(self.path(scenario_id), content, scenario_id)
            self._history.put_back(self._bin.history_folder(entry), scenario_id)
            self._bin.remove(entry)
        return ScenarioDocument(scenario_id, decode(content), revision_of(content))

    def forget_deleted(self, bin_id: str | None = None) -> int:
        """Remove one entry of the bin, or all, for good; returns how many."""
        with self._locked():
            entries = self._bin.entries() if bin_id is None else [self._bin.find(bin_id)]
            for entry in entries:
                self._bin.remove(entry)
        return len(entries)

    # -- history

    def versions(self, scenario_id: str) -> list[Version]:
        """The texts that were saved, newest first. A file never saved in the studio has none."""
        split_id(scenario_id)
        return self._history.versions(scenario_id)

    def read_version(self, scenario_id: str, revision: str) -> str:
        """A former text. Raises `ScenarioMissingError`."""
        return self._history.read(scenario_id, revision)

    def diff(self, scenario_id: str, old: str, new: str) -> str:
        """The unified diff between two versions. Raises `ScenarioMissingError`."""
        return self._history.diff(scenario_id, old, new)

    def restore_version(self, scenario_id: str, revision: str, expected_revision: str) -> str:
        """Save a former text again; the present one stays in the history. Raises as `save` and `read_version`."""
        text = self._history.read(scenario_id, revision)
        return self.save(scenario_id, text, expected_revision, reason="restored")

    # -- drafts

    def keep_draft(self, scenario_id: str, session: str, text: str, base_revision: str | None) -> None:
        """Keep unsaved text of one tab; text that equals the file needs no draft and removes it."""
        split_id(scenario_id)
        stored = read_bytes(self.path(scenario_id), scenario_id)
        if stored is not None and stored == encode(text, scenario_id):
            self._drafts.remove(scenario_id, session)
            return
        base = stored if stored is not None and revision_of(stored) == base_revision else None
        self._drafts.write(scenario_id, session, text, base_revision, base)

    def draft(self, scenario_id: str, session: str) -> Draft | None:
        """The unsaved text of one tab, None when there is none."""
        return self._drafts.read(scenario_id, session, self._revision(scenario_id))

    def drafts(self, scenario_id: str) -> list[Draft]:
        """All unsaved texts of a scenario, newest first."""
        return self._drafts.of(scenario_id, self._revision(scenario_id))

    def waiting_drafts(self) -> list[DraftInfo]:
        """All unsaved texts of the workspace, newest first: what a crash left behind."""
        return self._drafts.waiting()

    def drop_draft(self, scenario_id: str, session: str) -> None:
        """Forget the unsaved text of one tab."""
        self._drafts.remove(scenario_id, session)

    # -- for imports

    def add_many(self, files: Iterable[tuple[str, str, bytes]], clash: str) -> list[tuple[str, str]]:
        """Add files of plain names under one lock; used by `importing.py`.

        Args:
            files: type, plain name and bytes of each.
            clash: what happens when the name is taken: `skip`, `rename` or `replace` (the history keeps the former).

        Returns:
            For each file the id and `created`, `replaced`, `same` (nothing to do) or `skipped`.
        """
        with self._locked():
            taken = {one: {fold(name): name for name in self._index.names(one)} for one in SCENARIO_TYPES}
            return [self._add(kind, name, content, clash, taken[kind]) for kind, name, content in files]

    def _add(self, scenario_type: str, name: str, content: bytes, clash: str, taken: dict[str, str]) -> tuple[str, str]:
        there = taken.get(fold(name))
        if there is not None:
            scenario_id = f"{scenario_type}/{there}"
            stored = read_bytes(self.path(scenario_id), scenario_id)
            if stored == content or clash == "skip":
                return scenario_id, "same" if stored == content else "skipped"
            if clash == "replace" and stored is not None:
                self._write(scenario_id, stored, content, "imported")
                return scenario_id, "replaced"
            name = free_name(name, taken.values())
        scenario_id = join_id(scenario_type, name)
        create_file(self.path(scenario_id), content, scenario_id)
        taken[fold(name)] = name
        return scenario_id, "created"

    # -- inside

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with locked(self.workspace.state_dir / "library" / "lock"):
            self._finish_move()
            yield

    def _content(self, scenario_id: str) -> bytes:
        content = read_bytes(self.path(scenario_id), scenario_id)
        if content is None:
            raise ScenarioMissingError(
                "There is no such scenario.",
                why="It was deleted or renamed, or the name is wrong.",
                next_step="Look at the list or in the bin.",
                where=scenario_id,
            )
        return content

    def _revision(self, scenario_id: str) -> str | None:
        content = read_bytes(self.path(scenario_id), scenario_id)
        return None if content is None else revision_of(content)

    def _write(self, scenario_id: str, former: bytes, content: bytes, reason: Reason) -> None:
        """The former text is in the history before the file is replaced, the new one after it."""
        self._history.record(scenario_id, former, "found")
        with telling("The scenario cannot be saved.", scenario_id):
            atomic_write(self.path(scenario_id), content)
        self._history.record(scenario_id, content, reason)

    def _conflict(
        self, scenario_id: str, mine: str, stored: bytes | None, expected: str, session: str | None
    ) -> ScenarioConflictError:
        base = self._history.find(scenario_id, expected)
        draft = self._drafts.read(scenario_id, session, None) if base is None and session is not None else None
        if draft is not None and draft.base_revision == expected:
            base = draft.base_text
        return ScenarioConflictError(
            scenario_id,
            mine=mine,
            stored=None if stored is None else decode(stored),
            stored_revision="" if stored is None else revision_of(stored),
            base=base,
        )

    def _refuse_taken(self, scenario_id: str, but: str | None = None) -> None:
        scenario_type, name = split_id(scenario_id)
        for there in self._index.names(scenario_type):
            if fold(there) == fold(name) and f"{scenario_type}/{there}" != but:
                free = free_name(tidy_name(name), self._index.names(scenario_type))
                raise ScenarioNameError(
                    f"There is a scenario {there!r} already.", next_step=f"{free!r} is free.", where=scenario_type
                )

    def _move(self, old_id: str, new_id: str) -> None:
        """Move file, history and drafts; the note in the journal lets the next action finish what a crash cut off."""
        with telling("The scenario cannot be renamed.", old_id):
            atomic_write(self._journal, json.dumps([old_id, new_id]))
            if same_scenario(old_id, new_id):  # another case of the same name: one file on some systems
                self.path(old_id).rename(self.path(old_id).with_name(self.path(new_id).name))
            else:
                move_file(self.path(old_id), self.path(new_id), new_id)
        self._finish_move()

    def _finish_move(self) -> None:
        """History and drafts follow a file that has moved; nothing to do when no move is noted."""
        try:
            old_id, new_id = json.loads(self._journal.read_bytes())
            moved = self.path(new_id).exists()
        except FileNotFoundError:
            return
        except (OSError, ValueError, TypeError, ScenarioLibraryError):
            moved = False
        if moved:
            self._drop_twin(old_id, new_id)
            self._history.move(old_id, new_id)
            self._drafts.move(old_id, new_id)
        with telling("The library cannot be changed.", self._journal.name):
            self._journal.unlink(missing_ok=True)

    def _drop_twin(self, old_id: str, new_id: str) -> None:
        """A crash inside `move_file` leaves one file under both names: the old name goes."""
        old, new = self.path(old_id), self.path(new_id)
        if not same_scenario(old_id, new_id) and old.exists() and old.samefile(new):
            old.unlink()
