"""Sessions on disk, one JSON file each under `.studio/chats/`, and their export as a scenario."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import yaml
from pydantic import ValidationError

from studio.errors import PlayError
from studio.play.session import ChatMessage, ChatSession
from studio.workspace import Workspace, atomic_write, safe_name

_TAGS = {"system": "SYSTEM", "user": "User", "assistant": "DM", "tool": "TOOLCALL"}
_TAG_LIKE = re.compile(r"<(?=\s*/?\s*(?:system|user|player|dm|gm|dungeon ?master|tool)|!--)", re.IGNORECASE)


@dataclass(frozen=True)
class SessionSummary:
    """One line of the list of saved sessions."""

    id: str
    title: str
    created: datetime
    turns: int
    model: str


def session_path(workspace: Workspace, session_id: str) -> Path:
    """Where a session is kept. Raises `WorkspaceError` when the id is no plain name."""
    return workspace.inside(workspace.state_dir / "chats", f"{safe_name(session_id)}.json")


def save_session(workspace: Workspace, session: ChatSession) -> Path:
    """Write the session, atomically."""
    path = session_path(workspace, session.id)
    atomic_write(path, session.model_dump_json(indent=1) + "\n")
    return path


def load_session(workspace: Workspace, session_id: str) -> ChatSession:
    """A saved session.

    Raises:
        PlayError: it does not exist or cannot be read.
    """
    path = session_path(workspace, session_id)
    try:
        return ChatSession.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise PlayError("There is no such saved session.", next_step="Choose another.", where=session_id) from error
    except (OSError, ValidationError) as error:
        raise PlayError(
            "The saved session cannot be read.",
            why=str(error).splitlines()[0],
            next_step="The file was left as it is; start a new session.",
            where=session_id,
        ) from error


def list_sessions(workspace: Workspace) -> list[SessionSummary]:
    """The saved sessions that can be read, newest first."""
    found = []
    for path in (workspace.state_dir / "chats").glob("*.json"):
        try:
            session = ChatSession.model_validate_json(path.read_bytes())
        except (OSError, ValidationError):
            continue
        model = session.model.path if session.model else ""
        found.append(SessionSummary(path.stem, session.title, session.created, len(session.turns), model))
    return sorted(found, key=lambda one: one.created, reverse=True)


def delete_session(workspace: Workspace, session_id: str) -> None:
    """Remove a saved session; one that is not there is no error."""
    session_path(workspace, session_id).unlink(missing_ok=True)


def scenario_text(session: ChatSession) -> str:
    """The session as a scenario file. A tag that somebody typed is written as `&lt;`, so that it stays text."""
    head = {"title": session.title or session.id, "scenario_type": "mixed", "tags": ["played"]}
    front = yaml.safe_dump(head, sort_keys=False, allow_unicode=True)
    blocks = "\n\n".join(_block(one) for one in session.messages)
    return f"---\n{front}---\n\n{blocks}\n"


def _block(message: ChatMessage) -> str:
    tag = _TAGS[message.role]
    content = _TAG_LIKE.sub("&lt;", message.content.strip())
    return f"<{tag}>\n{content}\n</{tag}>" if message.role == "system" else f"<{tag}>{content}</{tag}>"
