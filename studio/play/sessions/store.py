"""Sessions on disk, one JSON file each under `.studio/chats/`, and their export as a scenario."""

from __future__ import annotations

import re
from pathlib import Path

import yaml
from pydantic import ValidationError

from studio.errors import PlayError
from studio.play.sessions.index import FOLDER, SessionIndex, SessionSummary
from studio.play.sessions.session import ChatMessage, ChatSession
from studio.workspace import Workspace, atomic_write, safe_name

_TAGS = {"system": "SYSTEM", "user": "User", "assistant": "DM", "tool": "TOOLCALL"}
_TAG_LIKE = re.compile(r"<(?=\s*/?\s*(?:system|user|player|dm|gm|dungeon ?master|tool)|!--)", re.IGNORECASE)


def session_path(workspace: Workspace, session_id: str) -> Path:
    """Where a session is kept. Raises `WorkspaceError` when the id is no plain name."""
    return workspace.inside(workspace.state_dir / FOLDER, f"{safe_name(session_id)}.json")


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
    """The saved sessions that can be read, newest first. A page keeps a `SessionIndex`, which remembers them."""
    return SessionIndex(workspace).summaries()


def rename_session(workspace: Workspace, session_id: str, title: str) -> None:
    """Give a saved session another title.

    Raises:
        PlayError: it does not exist, cannot be read, or the title is empty.
    """
    if not title.strip():
        raise PlayError("A session needs a title.", next_step="Write a few words.", where=session_id)
    session = load_session(workspace, session_id)
    session.title = " ".join(title.split())
    save_session(workspace, session)


def delete_session(workspace: Workspace, session_id: str) -> None:
    """Remove a saved session; one that is not there is no error."""
    session_path(workspace, session_id).unlink(missing_ok=True)


def scenario_text(session: ChatSession) -> str:
    """The session as a scenario file. A tag that somebody typed is written as `&lt;`, so that it stays text."""
    head = {"title": session.title or session.id, "scenario_type": "mixed", "tags": ["played"]}
    front = yaml.safe_dump(head, sort_keys=False, allow_unicode=True)
    blocks = "\n\n".join(block_text(one) for one in session.messages)
    return f"---\n{front}---\n\n{blocks}\n"


def block_text(message: ChatMessage) -> str:
    """A message as a block of a scenario file."""
    tag = _TAGS[message.role]
    content = _TAG_LIKE.sub("&lt;", message.content.strip())
    return f"<{tag}>\n{content}\n</{tag}>" if message.role == "system" else f"<{tag}>{content}</{tag}>"
