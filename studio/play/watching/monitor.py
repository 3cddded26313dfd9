"""How each model does at the table: a log of its turns and mishaps, and the figures of the last ones.

The log is append-only JSON lines in `.studio/play/`, one per turn, crash or switch. Several processes may write: a line
is one write at the end of the file. A large one becomes `monitor.1.jsonl`, and the one before is forgotten. Figures are
pure functions of the records. Nothing that anybody said is in the log.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Annotated, Literal

from filelock import FileLock
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from studio.errors import PlayError
from studio.play.hosts.protocol import HostInfo
from studio.play.hosts.request import HostLostError
from studio.play.turns.events import TurnStatistics
from studio.workspace import Workspace

LOG_BYTES = 400_000
"""A log of so many bytes, about 1,000 turns, is put aside, and a new one begun."""
_LOG, _OLDER = "monitor.jsonl", "monitor.1.jsonl"


class _Record(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, protected_namespaces=())

    time: float = Field(description="Unix time in seconds.")
    session: str = Field("", description="The session it happened in.")


class TurnPlayed(_Record):
    """One turn of the model that came to its end, however that was."""

    kind: Literal["turn"] = "turn"
    model: str = Field(description="SHA-256 of what is played: a file, or file and adapter together.")
    name: str
    ttft_seconds: float
    tokens_per_second: float
    n_generated: int
    replies: int = Field(description="Replies in it; one more than it had results of dice to go on from.")
    requests: int
    malformed: int
    memory_bytes: int


class TurnLost(_Record):
    """A turn that the model's process did not survive."""

    kind: Literal["lost"] = "lost"
    model: str
    name: str
    why: str = ""


class Switched(_Record):
    """The studio went on with another model, or went back; `by_hand` when somebody clicked."""

    kind: Literal["switched"] = "switched"
    source: str = Field(description="The model before, as the pages call it.")
    source_title: str
    target: str
    target_title: str
    cause: str = Field("", description="Kind of the rule that was broken; empty for the way back.")
    why: str = ""
    by_hand: bool = False


Record = TurnPlayed | TurnLost | Switched
_RECORD: TypeAdapter[Record] = TypeAdapter(Annotated[Record, Field(discriminator="kind")])


@dataclass(frozen=True)
class ModelFigures:
    """How one model did in its last turns. Medians of what can be measured; 0 where it never could.

    Attributes:
        turns: turns that came to their end.
        crashes: turns that its process did not survive.
        restarts: crashes after which it went on.
        memory_bytes: of its process at the end of its last turn.
    """

    model: str
    name: str
    turns: int
    replies: int
    ttft_seconds: float
    tokens_per_second: float
    memory_bytes: int
    requests: int
    malformed: int
    crashes: int
    restarts: int
    last: float

    @property
    def malformed_rate(self) -> float:
        """Share of the requests that could not be understood."""
        return self.malformed / self.requests if self.requests else 0.0


class MonitorLog:
    """The log of a workspace."""

    def __init__(self, folder: Path, most_bytes: int = LOG_BYTES) -> None:
        self._folder = folder
        self._most = most_bytes

    @classmethod
    def of(cls, workspace: Workspace) -> MonitorLog:
        """The log of a workspace; it need not exist yet."""
        return cls(workspace.state_dir / "play")

    def append(self, record: Record) -> None:
        """Write one line. Raises `OSError`."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._put_aside()
        handle = os.open(self._folder / _LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            os.write(handle, b"\n" + record.model_dump_json().encode() + b"\n")  # also behind a line that was torn
        finally:
            os.close(handle)

    def records(self) -> list[Record]:
        """What can be read, oldest first; a torn line and one of another studio are left out."""
        lines = (line for name in (_OLDER, _LOG) for line in self._lines(self._folder / name))
        return [record for line in lines if (record := _read(line)) is not None]

    def _lines(self, path: Path) -> list[bytes]:
        try:
            return path.read_bytes().splitlines()
        except OSError:
            return []

    def _put_aside(self) -> None:
        if self._is_full():
            with FileLock(self._folder / f".{_LOG}.lock"):
                if self._is_full():
                    (self._folder / _LOG).replace(self._folder / _OLDER)

    def _is_full(self) -> bool:
        try:
            return (self._folder / _LOG).stat().st_size >= self._most
        except OSError:
            return False


def turn_played(time: float, session: str, info: HostInfo, figures: TurnStatistics, memory_bytes: int) -> TurnPlayed:
    """The record of a turn, from its figures and what its host holds."""
    return TurnPlayed(
        time=time,
        session=session,
        model=info.played_sha256,
        name=shown_name(info),
        ttft_seconds=figures.ttft_seconds,
        tokens_per_second=figures.tokens_per_second,
        n_generated=figures.n_generated,
        replies=figures.generations,
        requests=figures.requests,
        malformed=figures.malformed,
        memory_bytes=memory_bytes,
    )


def turn_lost(time: float, session: str, info: HostInfo, error: PlayError) -> TurnLost | None:
    """The record of a turn that failed; None where the model is not to blame, as with a prompt that is too long."""
    if not isinstance(error, HostLostError):
        return None
    return TurnLost(time=time, session=session, model=info.played_sha256, name=shown_name(info), why=error.why)


def shown_name(info: HostInfo) -> str:
    """The model as a person knows it: its file, and its adapter if there is one."""
    file = info.path.replace("\\", "/").rsplit("/", 1)[-1]
    return f"{file} with {info.adapter.name or 'an adapter'}" if info.adapter else file


def of_model(records: Iterable[Record], model: str) -> list[TurnPlayed | TurnLost]:
    """A model's turns, oldest first."""
    return [one for one in records if isinstance(one, TurnPlayed | TurnLost) and one.model == model]


def figures_of(records: Sequence[Record], window: int) -> list[ModelFigures]:
    """The figures of every model over its last `window` turns, the one that spoke last first."""
    models = {one.model for one in records if isinstance(one, TurnPlayed | TurnLost)}
    found = [_figures(of_model(records, model)[-window:]) for model in models]
    return sorted(found, key=lambda one: (-one.last, one.model))


def _figures(turns: Sequence[TurnPlayed | TurnLost]) -> ModelFigures:
    played = [one for one in turns if isinstance(one, TurnPlayed)]
    lost = [place for place, one in enumerate(turns) if isinstance(one, TurnLost)]
    return ModelFigures(
        model=turns[-1].model,
        name=turns[-1].name,
        turns=len(played),
        replies=sum(one.replies for one in played),
        ttft_seconds=_middle(one.ttft_seconds for one in played),
        tokens_per_second=_middle(one.tokens_per_second for one in played),
        memory_bytes=played[-1].memory_bytes if played else 0,
        requests=sum(one.requests for one in played),
        malformed=sum(one.malformed for one in played),
        crashes=len(lost),
        restarts=sum(any(isinstance(one, TurnPlayed) for one in turns[place:]) for place in lost),
        last=turns[-1].time,
    )


def _middle(values: Iterable[float]) -> float:
    measured = [one for one in values if one > 0]
    return median(measured) if measured else 0.0


def _read(line: bytes) -> Record | None:
    try:
        return _RECORD.validate_json(line) if line.strip() else None
    except ValidationError:
        return None
