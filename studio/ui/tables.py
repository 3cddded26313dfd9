"""Sessions as the play page makes them: how they are called, the same scene once more, and several to compare."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from studio.play import ChatSession, PlaySettings, new_session
from studio.scenarios import SystemContext, TrainingScenario
from studio.ui.sampling import voice_name
from studio.ui.wording import plain

_HEADING = re.compile(r"# +(role|party)\b", re.IGNORECASE)
Scene = TrainingScenario | SystemContext | str


def new_table(
    scene: Scene,
    now: datetime,
    token: str,
    *,
    settings: PlaySettings,
    seed: int,
    turns: int = 0,
    playable: str = "",
) -> ChatSession:
    """A session in a scene, after so many of its turns. `token` is a few random letters that make its name unique."""
    session = new_session(
        scene,
        session_id=session_name(now, token),
        created=now,
        seed=seed,
        settings=settings.model_copy(deep=True),
        turns=turns,
        title=_title(scene),
    )
    session.playable = playable
    return session


def compared_tables(
    scene: Scene,
    now: datetime,
    token: str,
    *,
    settings: PlaySettings,
    seed: int,
    playables: Sequence[str],
    turns: int = 0,
) -> list[ChatSession]:
    """A session for each model, in the same scene with the same seed, linked as a group."""
    tables = [
        new_table(scene, now, f"{token}-{number}", settings=settings, seed=seed, turns=turns, playable=one)
        for number, one in enumerate(playables, start=1)
    ]
    for one in tables:
        one.group = session_name(now, token)
    return tables


def same_table(session: ChatSession, now: datetime, token: str) -> ChatSession:
    """The scene, dice and settings of a session from the beginning, as another session."""
    fresh = new_session(
        session.system,
        session_id=session_name(now, token),
        created=now,
        seed=session.seed,
        settings=session.settings.model_copy(deep=True),
        title=session.title,
    )
    fresh.playable = session.playable
    return fresh


def party_only(system_text: str) -> str:
    """Of a SYSTEM block the role and the party, for a scene that the table makes up itself."""
    parts = re.split(r"(?m)^(?=# )", system_text)
    return "".join(one for one in parts if _HEADING.match(one)).strip()


def _title(scene: Scene) -> str:
    """What a scene of one's own is called: the beginning of its text. A scenario brings its title."""
    if isinstance(scene, TrainingScenario):
        return ""
    text = scene if isinstance(scene, str) else scene.text
    words = " ".join(text.replace("#", " ").split())
    return f"{words[:48].rstrip()}..." if len(words) > 48 else words or "A table without a scene"


def session_name(now: datetime, token: str) -> str:
    """The id of a session that begins now. `token` is a few random letters that make it unique."""
    return f"{now:%Y%m%d-%H%M%S}-{token}"


def table_sentence(session: ChatSession) -> str:
    """Who speaks, how freely the model does, and the seed; for Markdown."""
    settings = session.settings
    speaker = plain(settings.speaking_as or "the party")
    return f"You speak as {speaker} · {voice_name(settings.sampling)} · seed {session.seed}"
