"""What spot checks found: a JSON file in `.studio/spot_checks/` per run of a suite, compared by model and date."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePath

from pydantic import BaseModel, ConfigDict, ValidationError

from studio.play.sessions.session import ModelStamp
from studio.play.spot_checks.verdicts import Verdict
from studio.workspace import Workspace, atomic_write, safe_name

KEPT = 60
"""Results of a suite that are kept; the oldest go."""


class _Kept(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class PlayedLine(_Kept):
    """A player's line, all that followed it, and how that was judged."""

    player: str
    reply: str
    verdicts: tuple[Verdict, ...] = ()


class Attempt(_Kept):
    """The suite played once."""

    seed: int
    lines: tuple[PlayedLine, ...]


@dataclass(frozen=True)
class CheckRow:
    """One expectation over all attempts. `evidence` is of an attempt that failed, if one did."""

    line: int
    player: str
    check: str
    met: int
    attempts: int
    passed: bool
    evidence: str
    reply: str

    @property
    def key(self) -> tuple[int, str, str]:
        """What the same expectation in another result has in common with it."""
        return self.line, self.player, self.check


class SuiteResult(_Kept):
    """A suite as one model played it."""

    suite: str
    title: str
    suite_sha256: str
    model: ModelStamp
    at: datetime
    needed: int
    attempts: tuple[Attempt, ...]

    @property
    def speaker(self) -> str:
        """The model by its hashes."""
        return f"{self.model.sha256}{self.model.adapter_sha256}"

    @property
    def model_name(self) -> str:
        """What the model is called on lists: its adapter, the file it was made as, or its base."""
        file = PurePath(self.model.path)
        return self.model.adapter or (file.parent.name if file.stem == "base" else "") or file.stem

    @property
    def rows(self) -> list[CheckRow]:
        """Every expectation, in the order of the suite."""
        return [
            self._row(line, place)
            for line in range(len(self.attempts[0].lines) if self.attempts else 0)
            for place in range(len(self.attempts[0].lines[line].verdicts))
        ]

    @property
    def passed(self) -> bool:
        """Whether every expectation was met often enough."""
        return all(one.passed for one in self.rows)

    def _row(self, line: int, place: int) -> CheckRow:
        played = [one.lines[line] for one in self.attempts]
        verdicts = [one.verdicts[place] for one in played]
        met = sum(one.passed for one in verdicts)
        shown = next((number for number, one in enumerate(verdicts) if not one.passed), 0)
        return CheckRow(
            line=line,
            player=played[0].player,
            check=verdicts[0].check,
            met=met,
            attempts=len(verdicts),
            passed=met >= self.needed,
            evidence=verdicts[shown].evidence,
            reply=played[shown].reply,
        )


@dataclass(frozen=True)
class ComparedCheck:
    """One expectation in several results: None where a result does not have it."""

    player: str
    check: str
    results: tuple[CheckRow | None, ...]


def save_result(workspace: Workspace, result: SuiteResult) -> Path:
    """Keep a result; the oldest of the suite go. Several of one moment are told apart by the model's hash."""
    folder = _folder(workspace, result.suite)
    path = folder / f"{result.at:%Y%m%d-%H%M%S-%f}-{result.speaker[:12]}{result.model.adapter_sha256[:12]}.json"
    atomic_write(path, result.model_dump_json(indent=1) + "\n")
    for old in sorted(folder.glob("*.json"))[:-KEPT]:
        old.unlink(missing_ok=True)
    return path


def list_results(workspace: Workspace, suite: str) -> list[SuiteResult]:
    """The results of a suite that can be read, newest first."""
    found = []
    for path in sorted(_folder(workspace, suite).glob("*.json"), reverse=True):
        try:
            found.append(SuiteResult.model_validate_json(path.read_bytes()))
        except (OSError, ValidationError):  # deleted meanwhile, or of another version
            continue
    return found


def latest_by_model(results: Sequence[SuiteResult]) -> list[SuiteResult]:
    """The newest result of each model, in the order given: newest first."""
    latest: dict[str, SuiteResult] = {}
    for one in results:
        latest.setdefault(one.speaker, one)
    return list(latest.values())


def compare(results: Sequence[SuiteResult]) -> list[ComparedCheck]:
    """Expectations against results: those of the first result in its order, then what only others have."""
    tables = [{row.key: row for row in one.rows} for one in results]
    keys = list(dict.fromkeys(key for table in tables for key in table))
    return [
        ComparedCheck(player, check, tuple(table.get((line, player, check)) for table in tables))
        for line, player, check in keys
    ]


def _folder(workspace: Workspace, suite: str) -> Path:
    return workspace.inside(workspace.state_dir / "spot_checks", safe_name(suite))
