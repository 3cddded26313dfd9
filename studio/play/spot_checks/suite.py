"""Spot checks: a list of player lines, each with what the Dungeon Master should do, kept as a suite.

A suite is a YAML file in data/validation/spot_checks/. `spot_check_runner.py` plays it, `spot_check_verdicts.py` judges
what was said, `spot_check_results.py` keeps and compares.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from studio.config import load_yaml, parse_settings
from studio.errors import ConfigError, PlayError
from studio.play.hosts.protocol import Sampling
from studio.play.sessions.session import ChatSession
from studio.play.teaching.corrections import read_request
from studio.play.teaching.feedback import player_line
from studio.scenarios import Vocabulary
from studio.workspace import Workspace, atomic_write, safe_name

FOLDER = "spot_checks"
_SUFFIX = ".yaml"
_CAREFUL = Sampling(temperature=0.3, top_p=0.9, max_tokens=256)
"""What a suite is played with where it does not say: little chance, so that a failure means something."""


class _Kept(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str | dict) else value


Words = Annotated[tuple[str, ...], BeforeValidator(_as_list)]
"""One text or several."""


class StateWanted(_Kept):
    """How one of the party should be after a line; what is not said may be as it likes."""

    who: str
    hit_points: int | None = None
    condition: str = Field("", description="A condition that this one must have.")
    item: str = Field("", description="Something that this one must carry.")


class Expectations(_Kept):
    """What must be true of the Dungeon Master's part of one turn; all that is given counts."""

    asks_for: str = Field("", description="A request of the vocabulary; arguments that it names must be given, too.")
    asks_for_one_of: Words = ()
    asks_for_nothing: bool = False
    says: Words = Field((), description="Words that must be there, in any case.")
    does_not_say: Words = ()
    shorter_than: int | None = Field(None, ge=1, description="Words.")
    valid_requests_only: bool = False
    does_not_speak_for_players: bool = False
    in_combat: bool | None = None
    state: Annotated[tuple[StateWanted, ...], BeforeValidator(_as_list)] = ()

    @property
    def requests(self) -> tuple[str, ...]:
        """Every request that it names."""
        return tuple(one for one in (self.asks_for, *self.asks_for_one_of) if one)


class CheckedLine(_Kept):
    """One player line and what should follow. `fresh` begins the scene anew for it."""

    player: str = Field(min_length=1)
    expect: Expectations = Expectations()
    fresh: bool = False


class SpotSuite(_Kept):
    """A suite: in which scene, how it is played, and the lines in their order."""

    title: str = Field(min_length=1)
    scenario: str = Field("", description="Id in the library, such as combat/tavern-brawl; its turns are not used.")
    system: str = Field("", description="A system text of its own instead of a scenario.")
    speaking_as: str = ""
    seed: int = Field(7, ge=0, lt=2**32)
    sampling: Sampling = _CAREFUL
    valid_requests: bool = Field(False, description="Play with the grammar that allows valid requests only.")
    repeat: int = Field(1, ge=1, le=50, description="How often it is played, each time with another seed.")
    at_least: int | None = Field(None, ge=1, description="How often each must pass; None for every time.")
    lines: tuple[CheckedLine, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _can_be_played(self) -> Self:
        if bool(self.scenario) == bool(self.system.strip()):
            raise ValueError("give either `scenario` or `system`")
        if self.at_least is not None and self.at_least > self.repeat:
            raise ValueError(f"`at_least: {self.at_least}` cannot be reached: it is played {self.repeat} times")
        return self

    @property
    def needed(self) -> int:
        """How many of the repetitions must pass."""
        return self.repeat if self.at_least is None else self.at_least

    @property
    def sha256(self) -> str:
        """What two results must share to be of the same suite."""
        return hashlib.sha256(self.model_dump_json().encode("utf-8", "surrogatepass")).hexdigest()


def suites_folder(workspace: Workspace) -> Path:
    """Where the suites of a workspace lie; it need not be there."""
    return workspace.validation_dir / FOLDER


def suite_names(workspace: Workspace) -> list[str]:
    """The names of the suites, in order; readable or not."""
    return sorted(one.stem for one in suites_folder(workspace).glob(f"*{_SUFFIX}") if not one.name.startswith("."))


def load_suite(workspace: Workspace, name: str, vocabulary: Vocabulary) -> SpotSuite:
    """The suite of that name.

    Raises:
        PlayError: there is none.
        ConfigError: it cannot be read, or names a request that the vocabulary has not.
    """
    path = _path(workspace, name)
    if not path.is_file():
        known = ", ".join(suite_names(workspace)) or "none yet"
        raise PlayError(f"There is no spot check {name!r}.", next_step=f"There are: {known}.")
    suite = parse_settings(SpotSuite, load_yaml(path) or {}, str(path))
    if trouble := next(_unknown_requests(suite, vocabulary), None):
        raise ConfigError(trouble.what, why=trouble.why, next_step=trouble.next_step, where=path.name)
    return suite


def save_suite(workspace: Workspace, name: str, suite: SpotSuite, vocabulary: Vocabulary, *, new: bool = True) -> Path:
    """Write a suite, atomically.

    Args:
        new: whether a suite of that name would be another one, which is never overwritten.

    Raises:
        PlayError: the name is taken, or a request in it would not be understood.
        WorkspaceError: the name cannot be a file.
    """
    path = _path(workspace, name)
    if new and path.exists():
        raise PlayError(f"There is a spot check {name!r} already.", next_step="Choose another name.")
    if trouble := next(_unknown_requests(suite, vocabulary), None):
        raise trouble
    content = suite.model_dump(mode="json", exclude_defaults=True)
    atomic_write(path, yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100))
    return path


def delete_suite(workspace: Workspace, name: str) -> None:
    """Remove a suite; its results stay. One that is not there is no error."""
    _path(workspace, name).unlink(missing_ok=True)


def suite_of_session(session: ChatSession, *, scenario: str = "", title: str = "") -> SpotSuite:
    """The player's lines of a session as a suite, each expecting only what can be said of any good turn.

    Args:
        scenario: the library's id of its scene; else the session's own system text is used.

    Raises:
        PlayError: nobody has spoken in it, or there is neither scenario nor system text.
    """
    said = [player_line(session, turn).strip() for turn in range(len(session.turns))]
    if not any(said) or not (scenario or session.system.text.strip()):
        raise PlayError("This session has no player line or no scene to check.", next_step="Play a few turns first.")
    fair = Expectations(valid_requests_only=True, does_not_speak_for_players=True)
    return SpotSuite(
        title=title or session.title or session.id,
        scenario=scenario,
        system="" if scenario else session.system.text,
        speaking_as=session.settings.speaking_as,
        seed=session.seed,
        sampling=session.settings.sampling,
        valid_requests=session.settings.valid_requests,
        lines=tuple(CheckedLine(player=one, expect=fair) for one in said if one),
    )


def _unknown_requests(suite: SpotSuite, vocabulary: Vocabulary) -> Iterator[PlayError]:
    for written in (request for line in suite.lines for request in line.expect.requests):
        try:
            read_request(written, vocabulary)
        except PlayError as error:
            yield error


def _path(workspace: Workspace, name: str) -> Path:
    return workspace.inside(suites_folder(workspace), f"{safe_name(name)}{_SUFFIX}")
