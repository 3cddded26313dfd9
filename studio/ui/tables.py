"""Sessions as the play page makes them: how they are called, and the same scene once more."""

from __future__ import annotations

from datetime import datetime

from studio.play import ChatSession, PlaySettings, Sampling, new_session
from studio.scenarios import TrainingScenario


def new_table(
    scenario: TrainingScenario,
    now: datetime,
    token: str,
    *,
    speaker: str,
    sampling: Sampling,
    seed: int,
    valid_requests: bool = False,
) -> ChatSession:
    """A session in the scene of a scenario. `token` is a few random letters that make its name unique."""
    settings = PlaySettings(sampling=sampling, speaking_as=speaker, valid_requests=valid_requests)
    return new_session(scenario, session_id=_name(now, token), created=now, seed=seed, settings=settings)


def same_table(session: ChatSession, now: datetime, token: str) -> ChatSession:
    """The scene, dice and settings of a session from the beginning, as another session."""
    return new_session(
        session.system,
        session_id=_name(now, token),
        created=now,
        seed=session.seed,
        settings=session.settings.model_copy(deep=True),
        title=session.title,
    )


def _name(now: datetime, token: str) -> str:
    return f"{now:%Y%m%d-%H%M%S}-{token}"
