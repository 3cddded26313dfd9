"""Plays a suite of spot checks with the playground's own runtime and judges every line."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from studio.play.hosts.client import ModelHost
from studio.play.sessions.session import ChatSession, ModelStamp, PlaySettings, new_session
from studio.play.spot_checks.results import Attempt, PlayedLine, SuiteResult
from studio.play.spot_checks.suite import CheckedLine, SpotSuite
from studio.play.spot_checks.verdicts import PlayedTurn, judge
from studio.play.teaching.feedback import reply_words
from studio.play.turns.runtime import play_turn
from studio.scenarios import MarkdownParser, SystemContext, TrainingScenario, Vocabulary
from studio.scenarios.library import ScenarioLibrary
from studio.workspace import Workspace

OnLine = Callable[[int, int], None]
"""Called with lines played and in all."""


class SpotCheckStoppedError(Exception):
    """Somebody asked to stop; what was played until then is no result."""


def count_lines(suite: SpotSuite) -> int:
    """How many turns are played, repetitions included."""
    return suite.repeat * len(suite.lines)


def run_suite(
    workspace: Workspace,
    name: str,
    suite: SpotSuite,
    host: ModelHost,
    vocabulary: Vocabulary,
    at: datetime,
    *,
    on_line: OnLine = lambda done, total: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> SuiteResult:
    """Play the suite as often as it says, each time with the next seed. Same file, suite and threads: same result.

    Raises:
        SpotCheckStoppedError: `should_stop` said so between two lines.
        StudioError: its scenario is not there, or the file cannot be played.
    """
    scene, total = _scene(workspace, suite, vocabulary), count_lines(suite)
    attempts, done = [], 0
    for number in range(suite.repeat):
        played: list[PlayedLine] = []
        session = _begin(suite, scene, number, at)
        for line in suite.lines:
            if should_stop():
                raise SpotCheckStoppedError
            if line.fresh and session.turns:
                session = _begin(suite, scene, number, at)
            played.append(_play(session, line, host, vocabulary))
            done += 1
            on_line(done, total)
        attempts.append(Attempt(seed=session.seed, lines=tuple(played)))
    return SuiteResult(
        suite=name,
        title=suite.title,
        suite_sha256=suite.sha256,
        model=ModelStamp.of(host.info(), _shown(workspace, host.path)),
        at=at,
        needed=suite.needed,
        attempts=tuple(attempts),
    )


def _play(session: ChatSession, line: CheckedLine, host: ModelHost, vocabulary: Vocabulary) -> PlayedLine:
    for _ in play_turn(session, line.player, host, vocabulary, fresh=not session.turns):
        pass
    turn = len(session.turns) - 1
    verdicts = judge(line.expect, PlayedTurn.of(session, turn, vocabulary), vocabulary)
    return PlayedLine(player=line.player, reply=reply_words(session, turn), verdicts=tuple(verdicts))


def _shown(workspace: Workspace, path: Path) -> str:
    """A file by its path below models/, where it lies there: several are called base.gguf."""
    models = workspace.root / "models"
    return path.relative_to(models).as_posix() if path.is_relative_to(models) else path.name


def _scene(workspace: Workspace, suite: SpotSuite, vocabulary: Vocabulary) -> TrainingScenario:
    parser = MarkdownParser(vocabulary)
    if suite.scenario:
        return parser.parse_text(ScenarioLibrary(workspace).read(suite.scenario).text)
    return TrainingScenario(system_context=_context(suite.system, parser))


def _context(system: str, parser: MarkdownParser) -> SystemContext:
    """The system text with the party that its sheets name."""
    return parser.extract_system_context(f"<SYSTEM>\n{system.strip()}\n</SYSTEM>\n")


def _begin(suite: SpotSuite, scene: TrainingScenario, number: int, at: datetime) -> ChatSession:
    return new_session(
        scene,
        session_id="spot-check",
        created=at,
        seed=(suite.seed + number) % 2**32,
        settings=PlaySettings(
            sampling=suite.sampling, speaking_as=suite.speaking_as, valid_requests=suite.valid_requests
        ),
    )
