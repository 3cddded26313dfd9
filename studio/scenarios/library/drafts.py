"""Unsaved text of the editor, kept per scenario and per browser tab, so that a crash costs nothing.

A draft also keeps the text it started from: when the file changed meanwhile, both changes can still be merged. Drafts
are files under `.studio/drafts/`, replaced as a whole; saving the scenario from that tab removes its draft.
"""

from __future__ import annotations

import hashlib
import zlib
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from studio.scenarios.library.files import MAX_BYTES, decode, encode, revision_of, telling
from studio.scenarios.library.history import Clock
from studio.scenarios.library.names import fold, key_of
from studio.workspace import atomic_write

MAX_DRAFTS = 50
"""Drafts kept per scenario; the oldest go first."""
DraftState = Literal["current", "outdated", "orphan", "new"]


class DraftInfo(BaseModel):
    """What is known of a draft without its text."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scenario_id: str
    session: str = Field(description="The tab that typed it, as the page names it.")
    base_revision: str | None = Field(description="Revision the text started from; None for a scenario not saved yet.")
    saved_at: datetime
    size: int = Field(description="Bytes of the text.")


class Draft(DraftInfo):
    """Unsaved text, and how it stands to the file.

    `state`: `current` (the file is as it was), `outdated` (it changed since: saving will be a conflict), `orphan` (it
    was deleted or renamed), `new` (it was never saved).
    """

    text: str
    base_text: str | None = None
    state: DraftState


class Drafts:
    """The drafts of one workspace. Each tab writes its own file, so no lock is needed."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._root = folder
        self._clock = clock

    def write(self, scenario_id: str, session: str, text: str, base_revision: str | None, base: bytes | None) -> None:
        """Replace the draft of one tab. `base` is the text it started from, when somebody still has it."""
        content = encode(text, scenario_id)
        info = DraftInfo(
            scenario_id=scenario_id,
            session=session,
            base_revision=base_revision,
            saved_at=self._clock(),
            size=len(content),
        )
        path = self._path(scenario_id, session)
        with telling("The draft cannot be kept.", scenario_id):
            atomic_write(
                path, _pack(info, content, base if base is not None else self._known_base(path, base_revision))
            )
            self._drop_oldest(path.parent)

    def read(self, scenario_id: str, session: str, stored_revision: str | None) -> Draft | None:
        """The draft of one tab, None when there is none. `stored_revision` is the file's now, None when it is gone."""
        return _unpack(self._path(scenario_id, session), stored_revision)

    def of(self, scenario_id: str, stored_revision: str | None) -> list[Draft]:
        """All drafts of a scenario, newest first."""
        paths = (self._root / key_of(scenario_id)).glob("*.draft")
        found = [draft for path in paths if (draft := _unpack(path, stored_revision))]
        return sorted(found, key=lambda draft: draft.saved_at, reverse=True)

    def waiting(self) -> list[DraftInfo]:
        """Every draft there is, newest first, for the note "unsaved work was found"."""
        found = [parts[0] for path in self._root.glob("*/*.draft") if (parts := _parts(path))]
        return sorted(found, key=lambda info: info.saved_at, reverse=True)

    def remove(self, scenario_id: str, session: str) -> None:
        """Forget the draft of one tab; none is fine."""
        with telling("The draft cannot be removed.", scenario_id):
            self._path(scenario_id, session).unlink(missing_ok=True)

    def move(self, old_id: str, new_id: str) -> None:
        """Drafts follow a renamed scenario, unless the tab has one under the new name as well."""
        for path in (self._root / key_of(old_id)).glob("*.draft"):
            parts = _parts(path)
            if parts is None:
                continue
            info, content, base = parts
            target = self._path(new_id, info.session)
            if target == path or not target.exists():
                atomic_write(target, _pack(info.model_copy(update={"scenario_id": new_id}), content, base))
                if target != path:
                    path.unlink(missing_ok=True)

    def _known_base(self, path: Path, base_revision: str | None) -> bytes | None:
        parts = _parts(path)
        return parts[2] if parts is not None and parts[0].base_revision == base_revision else None

    def _drop_oldest(self, folder: Path) -> None:
        paths = sorted(folder.glob("*.draft"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
        for path in paths[MAX_DRAFTS:]:
            path.unlink(missing_ok=True)

    def _path(self, scenario_id: str, session: str) -> Path:
        name = hashlib.sha256(session.encode("utf-8", errors="surrogatepass")).hexdigest()[:32]
        return self._root / key_of(scenario_id) / f"{name}.draft"


def draft_state(base_revision: str | None, stored_revision: str | None) -> DraftState:
    """How a text that started from `base_revision` stands to the file's revision now."""
    if base_revision is None:
        return "new" if stored_revision is None else "outdated"
    if stored_revision is None:
        return "orphan"
    return "current" if base_revision == stored_revision else "outdated"


def same_scenario(one: str, other: str) -> bool:
    """Whether two ids mean one file on systems that ignore case."""
    return fold(one) == fold(other)


def _pack(info: DraftInfo, content: bytes, base: bytes | None) -> bytes:
    """A line of JSON, then the compressed text, and the base after it when there is one."""
    body = content + (base or b"")
    head = info.model_dump_json() + f"\n{len(base) if base is not None else -1}\n"
    return head.encode("utf-8", errors="surrogatepass") + zlib.compress(body, 1)


def _parts(path: Path) -> tuple[DraftInfo, bytes, bytes | None] | None:
    """What `_pack` packed; None when the file is missing or damaged."""
    try:
        head, base_size, packed = path.read_bytes().split(b"\n", 2)
        info = DraftInfo.model_validate_json(head)
        reader = zlib.decompressobj()
        body = reader.decompress(packed, 2 * MAX_BYTES + 1)
    except (OSError, ValueError, ValidationError, zlib.error):
        return None
    if not reader.eof or len(body) < info.size:
        return None
    content, rest = body[: info.size], body[info.size :]
    base = None if base_size == b"-1" else rest
    if info.base_revision is not None and base is not None and revision_of(base) != info.base_revision:
        base = None
    return info, content, base


def _unpack(path: Path, stored_revision: str | None) -> Draft | None:
    parts = _parts(path)
    if parts is None:
        return None
    info, content, base = parts
    return Draft(
        **info.model_dump(),
        text=decode(content),
        base_text=decode(base) if base is not None else None,
        state=draft_state(info.base_revision, stored_revision),
    )
