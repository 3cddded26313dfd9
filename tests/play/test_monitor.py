"""The monitor's log and figures, and when the studio goes on with another model: pure functions and real files."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from studio.errors import PlayError
from studio.play.hosts.protocol import HostInfo
from studio.play.hosts.request import HostLostError
from studio.play.watching.monitor import (
    LOG_BYTES,
    MonitorLog,
    Record,
    Switched,
    TurnLost,
    TurnPlayed,
    figures_of,
    turn_lost,
)
from studio.play.watching.rules import PlayRules, SwitchRules, load_play_rules
from studio.play.watching.switching import Candidate, Switch, decide, fallback_for
from studio.workspace import PROJECT_ROOT, Workspace

FULL = Candidate("gguf/bard/bard.f16.gguf", "bard.f16", "bard", 270)
MIDDLE = Candidate("gguf/bard/bard.Q8_0.gguf", "bard.Q8_0", "bard", 145)
SMALL = Candidate("gguf/bard/bard.Q4_K_M.gguf", "bard.Q4_K_M", "bard", 105)
OTHER = Candidate("gguf/rogue/rogue.Q2_K.gguf", "rogue.Q2_K", "rogue", 88)
ALL = (FULL, MIDDLE, SMALL, OTHER)
INFO = HostInfo(
    path="/models/bard.f16.gguf", sha256="a" * 64, size_bytes=1, context_tokens=1, trained_context_tokens=1, threads=1,
    load_seconds=0, process_id=1,
)  # fmt: skip


def turn(time: float, model: str = "full", **figures: float) -> TurnPlayed:
    usual = {"ttft_seconds": 0.5, "tokens_per_second": 20.0, "n_generated": 30, "replies": 1, "requests": 1}
    return TurnPlayed.model_validate(
        {"time": time, "session": "one", "model": model, "name": model, "malformed": 0, "memory_bytes": 10**8}
        | usual
        | figures
    )


def lost(time: float, model: str = "full") -> TurnLost:
    return TurnLost(time=time, session="one", model=model, name=model, why="SIGKILL")


def decided(records: Sequence[Record], played: Candidate = FULL, **rules: object) -> Switch | None:
    """With the shipped rules, after the last of the records."""
    shipped = load_play_rules(Workspace(PROJECT_ROOT)).switching
    model = "full" if played is FULL else played.title
    return decide(
        records, shipped.model_copy(update=rules), session="one", model=model, played=played, candidates=ALL,
        now=records[-1].time,
    )  # fmt: skip


BAD: dict[str, list[Record]] = {
    "crashes": [lost(21), turn(22), lost(23)],
    "tokens_per_second": [turn(number, tokens_per_second=1) for number in range(21, 24)],
    "ttft_seconds": [turn(number, ttft_seconds=61) for number in range(21, 24)],
    "malformed": [turn(number, malformed=1) for number in range(21, 28)],
    "memory_gib": [turn(number, memory_bytes=13 * 2**30) for number in range(21, 24)],
}
"""What breaks each rule that is shipped, behind twenty good turns."""


def test_the_shipped_rules_are_all_tried_here_and_good_turns_break_none() -> None:
    assert [one.kind for one in load_play_rules(Workspace(PROJECT_ROOT)).switching.rules] == list(BAD)
    assert decided([turn(number) for number in range(1, 21)]) is None


@pytest.mark.parametrize("cause", BAD)
def test_a_model_that_does_badly_gives_way_to_the_next_smaller_file_of_its_run(cause: str) -> None:
    fine, bad = [turn(number) for number in range(1, 21)], BAD[cause]
    switch = decided([*fine, *bad])
    assert switch is not None
    assert (switch.source, switch.target, switch.cause) == (FULL, MIDDLE, cause)
    assert switch.why
    assert decided([*fine, *bad[:-1]]) is None  # one bad turn less is not enough
    assert decided([*fine, *bad], enabled=False) is None
    assert decided([*bad, turn(40_000)]) is None  # what was long ago does not count
    assert decided([*(one.model_copy(update={"model": "other"}) for one in bad), turn(30)]) is None


def test_after_a_switch_nothing_is_switched_for_a_while_and_old_turns_are_forgiven() -> None:
    switched = Switch(FULL, MIDDLE, "crashes", "").record(10, "one")
    name = MIDDLE.title
    crashes = [lost(number, name) for number in range(11, 16)]
    assert decided([lost(8), lost(9), switched, *crashes[:4]], MIDDLE) is None
    switch = decided([lost(8), lost(9), switched, *crashes], MIDDLE)
    assert switch is not None
    assert switch.target == SMALL
    back = switched.model_copy(update={"time": 20, "source": MIDDLE.id, "target": FULL.id, "by_hand": True})
    later = [turn(number) for number in range(21, 30)]
    assert decided([lost(8), lost(9), switched, back, *later]) is None  # its crashes before the way back are forgiven


def test_the_studio_goes_back_by_itself_only_if_told_to_and_if_the_model_was_not_to_blame() -> None:
    slow = Switch(FULL, MIDDLE, "tokens_per_second", "").record(10, "one")
    good = [turn(number, MIDDLE.title) for number in range(11, 18)]
    assert decided([slow, *good], MIDDLE) is None
    back = decided([slow, *good], MIDDLE, return_after=7)
    assert back is not None
    assert (back.source, back.target) == (MIDDLE, FULL)
    assert decided([slow, *good[:-1]], MIDDLE, return_after=7) is None
    assert decided([slow.model_copy(update={"cause": "crashes"}), *good], MIDDLE, return_after=7) is None


def test_a_fallback_is_a_smaller_file_a_named_model_or_none() -> None:
    rules = SwitchRules.model_validate(
        {"fallbacks": [{"of": "bard.Q4*", "to": "rogue*"}, {"of": "rogue", "to": "none"}, {"of": "*", "to": "smaller"}]}
    ).fallbacks
    assert fallback_for(FULL, ALL, rules) == MIDDLE
    assert fallback_for(SMALL, ALL, rules) == OTHER
    assert fallback_for(OTHER, ALL, rules) is None
    assert fallback_for(SMALL, ALL, PlayRules().switching.fallbacks) is None  # there is no smaller one


def test_figures_are_of_the_last_turns_of_each_model() -> None:
    records: list[Record] = [turn(number, tokens_per_second=number) for number in range(1, 11)]
    records += [lost(11), turn(12, malformed=1, requests=4, memory_bytes=7), lost(13), turn(14, "small")]
    small, full = figures_of(records, window=5)
    assert (small.name, small.turns, small.crashes) == ("small", 1, 0)
    assert (full.turns, full.crashes, full.restarts) == (3, 2, 1)
    assert full.tokens_per_second == 10
    assert full.memory_bytes == 7
    assert full.malformed_rate == pytest.approx(1 / 6)


def test_only_a_lost_process_counts_as_a_crash() -> None:
    assert turn_lost(1, "one", INFO, PlayError("The prompt is too long.")) is None
    found = turn_lost(1, "one", INFO, HostLostError("It stopped.", why="SIGKILL"))
    assert found is not None
    assert (found.model, found.name, found.why) == ("a" * 64, "bard.f16.gguf", "SIGKILL")


def test_the_log_is_read_back_and_a_torn_line_costs_only_itself(tmp_path: Path) -> None:
    log = MonitorLog(tmp_path / "play")
    switched = Switch(FULL, SMALL, "crashes", "it stopped working twice").record(3, "one")
    written: list[Record] = [turn(1), lost(2), switched]
    log.append(written[0])
    with (tmp_path / "play" / "monitor.jsonl").open("ab") as stream:
        stream.write(b'{"kind":"turn","time":1,"mod')
    for one in written[1:]:
        log.append(one)
    assert MonitorLog(tmp_path / "play").records() == written
    assert isinstance(log.records()[-1], Switched)


def test_the_log_does_not_grow_for_ever_and_several_processes_lose_nothing(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from studio.play.watching.monitor import MonitorLog, TurnLost;"
        "[MonitorLog(Path(sys.argv[1])).append(TurnLost(time=n, session=sys.argv[2], model='m', name='m'))"
        " for n in range(200)]"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    writers = [subprocess.Popen([*command, name], cwd=PROJECT_ROOT) for name in ("one", "two")]
    assert [one.wait() for one in writers] == [0, 0]
    found = [(one.session, one.time) for one in MonitorLog(tmp_path).records()]
    assert sorted(found) == sorted((name, float(number)) for name in ("one", "two") for number in range(200))
    small = MonitorLog(tmp_path, most_bytes=2_000)
    for number in range(60):
        small.append(lost(number))
    sizes = [path.stat().st_size for path in tmp_path.glob("monitor*.jsonl")]
    assert len(sizes) == 2
    assert sum(sizes) < 5_000 < LOG_BYTES
    assert small.records()[-1] == lost(59)
