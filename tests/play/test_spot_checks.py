"""Spot checks: suites on disk, verdicts with evidence, real play, results that are kept and compared."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from studio.errors import ConfigError, PlayError
from studio.jobs import Job
from studio.play import ModelHost
from studio.play.spot_checks.jobs import start_spot_checks
from studio.play.spot_checks.results import (
    KEPT,
    Attempt,
    PlayedLine,
    SuiteResult,
    compare,
    latest_by_model,
    list_results,
    save_result,
)
from studio.play.spot_checks.runner import SpotCheckStoppedError, run_suite
from studio.play.spot_checks.suite import (
    Expectations,
    SpotSuite,
    load_suite,
    save_suite,
    suite_names,
    suite_of_session,
    suites_folder,
)
from studio.play.spot_checks.verdicts import PlayedTurn, Verdict, judge
from studio.scenarios import Vocabulary
from studio.workspace import PROJECT_ROOT, Workspace, atomic_write
from tests.play.conftest import SYSTEM
from tests.play.played import HIDES, NOON, ROLLED, STAMP, Said, played

HURT = [
    ("user", "I charge."),
    ("assistant", "He swings first. [begin combat] [hit points: -4] [condition: prone]\nSarah: Ouch!"),
]
GOOD: list[tuple[list[Said], dict[str, Any]]] = [
    (ROLLED, {"asks_for": "perception"}),
    (ROLLED, {"asks_for": "[roll: spot]"}),
    (ROLLED, {"asks_for_one_of": ["stealth", "perception"]}),
    (ROLLED, {"says": ["TWO men", "ledger"], "does_not_say": "dragon", "shorter_than": 9}),
    (HIDES, {"asks_for_nothing": True, "in_combat": False, "valid_requests_only": True}),
    (HIDES, {"does_not_speak_for_players": True}),
    (HURT, {"in_combat": True, "state": [{"who": "sarah", "hit_points": 18, "condition": "prone"}]}),
]
BAD: list[tuple[list[Said], dict[str, Any], str]] = [
    (HIDES, {"asks_for": "stealth"}, "Nobody sees you"),
    (ROLLED, {"asks_for": "perception, dc=15"}, "[roll: perception]"),
    (ROLLED, {"asks_for_one_of": ["stealth", "begin combat"]}, "[roll: perception]"),
    (ROLLED, {"asks_for_nothing": True}, "[roll: perception]"),
    (ROLLED, {"says": "dragon"}, "Hush"),
    (ROLLED, {"does_not_say": ["the LEDGER", "a ledger"]}, "about a ledger"),
    (ROLLED, {"shorter_than": 8}, "8 words"),
    ([*HIDES, ("assistant", "[roll: luck]")], {"valid_requests_only": True}, "[roll: luck]"),
    (HURT, {"does_not_speak_for_players": True}, "Sarah:"),
    (HURT, {"in_combat": False}, "in combat"),
    (HURT, {"state": {"who": "Sarah", "hit_points": 22}}, "18 hit points"),
    (HURT, {"state": {"who": "Sarah", "item": "torch"}}, "nothing"),
    (HURT, {"state": {"who": "Mo", "hit_points": 1}}, "no such sheet"),
]


def verdicts(turn: list[Said], expected: dict[str, Any], vocabulary: Vocabulary) -> list[Verdict]:
    return judge(Expectations.model_validate(expected), PlayedTurn.of(played(turn), 0, vocabulary), vocabulary)


def suite(**changes: Any) -> SpotSuite:
    line = {"player": "Sarah: I hide.", "expect": {"asks_for": "stealth"}}
    whole = {"title": "Hiding", "system": SYSTEM, "lines": [line], "sampling": {"max_tokens": 8}, **changes}
    return SpotSuite.model_validate(whole)


@pytest.mark.parametrize(("turn", "expected"), GOOD)
def test_what_is_as_expected_passes(turn: list[Said], expected: dict[str, Any], vocabulary: Vocabulary) -> None:
    found = verdicts(turn, expected, vocabulary)
    assert found
    assert [one for one in found if not one.passed] == []


@pytest.mark.parametrize(("turn", "expected", "evidence"), BAD)
def test_what_is_not_fails_with_the_words_that_show_it(
    turn: list[Said], expected: dict[str, Any], evidence: str, vocabulary: Vocabulary
) -> None:
    failed = [one for one in verdicts(turn, expected, vocabulary) if not one.passed]
    assert len(failed) == 1
    assert evidence in failed[0].evidence


def test_the_shipped_suites_can_be_played(vocabulary: Vocabulary) -> None:
    project = Workspace(PROJECT_ROOT)
    names = suite_names(project)
    assert len(names) >= 2
    for name in names:
        loaded = load_suite(project, name, vocabulary)
        assert (project.scenarios_dir / f"{loaded.scenario}.md").is_file()
        assert all(line.expect.requests or line.expect.asks_for_nothing for line in loaded.lines)


def test_a_suite_comes_back_as_it_was_saved_and_is_not_overwritten_by_another(
    empty_workspace: Workspace, vocabulary: Vocabulary
) -> None:
    made = suite(repeat=3, at_least=2, speaking_as="Sarah")
    save_suite(empty_workspace, "hiding", made, vocabulary)
    assert load_suite(empty_workspace, "hiding", vocabulary) == made
    with pytest.raises(PlayError):
        save_suite(empty_workspace, "hiding", suite(), vocabulary)
    save_suite(empty_workspace, "hiding", suite(), vocabulary, new=False)
    assert load_suite(empty_workspace, "hiding", vocabulary) == suite()


@pytest.mark.parametrize(
    "text",
    ["lines: [", "title: x", "{title: x, system: y, scenario: z, lines: [{player: a}]}",
     "{title: x, system: y, lines: []}",
     "{title: x, system: y, repeat: 2, at_least: 3, lines: [{player: a}]}",
     "{title: x, system: y, lines: [{player: a, expect: {asks_for: luck}}]}"],
)  # fmt: skip
def test_a_suite_that_cannot_be_used_says_so(text: str, empty_workspace: Workspace, vocabulary: Vocabulary) -> None:
    atomic_write(suites_folder(empty_workspace) / "odd.yaml", text)
    assert suite_names(empty_workspace) == ["odd"]
    with pytest.raises(ConfigError) as caught:
        load_suite(empty_workspace, "odd", vocabulary)
    assert "odd.yaml" in caught.value.where


def test_a_session_becomes_a_suite_of_its_player_lines() -> None:
    made = suite_of_session(played(ROLLED, HIDES))
    assert [one.player for one in made.lines] == ["I listen.", "I hide behind the bar."]
    assert (made.speaking_as, made.system) == ("Sarah", played().system.text)
    with pytest.raises(PlayError):
        suite_of_session(played())


def result(passed: list[bool], *, sha256: str = "ab" * 32, minutes: int = 0, needed: int = 1) -> SuiteResult:
    checks = [tuple(Verdict(check=f"check {place}", passed=one, evidence="seen") for place, one in enumerate(passed))]
    line = PlayedLine(player="I hide.", reply="You do.", verdicts=checks[0])
    return SuiteResult(
        suite="hiding",
        title="Hiding",
        suite_sha256="0",
        model=STAMP.model_copy(update={"sha256": sha256}),
        at=NOON + timedelta(minutes=minutes),
        needed=needed,
        attempts=(Attempt(seed=7, lines=(line,)),),
    )


def test_results_are_kept_by_date_and_model_and_compared_check_by_check(empty_workspace: Workspace) -> None:
    for one in (result([True, False]), result([True], minutes=1, sha256="cd" * 32), result([False, True], minutes=2)):
        save_result(empty_workspace, one)
    found = list_results(empty_workspace, "hiding")
    assert [one.at.minute for one in found] == [2, 1, 0]
    assert [one.at.minute for one in latest_by_model(found)] == [2, 1]
    table = [(one.check, [row.passed if row else None for row in one.results]) for one in compare(found)]
    assert table == [("check 0", [False, True, True]), ("check 1", [True, None, False])]
    for minute in range(KEPT + 3):
        save_result(empty_workspace, result([True], minutes=10 + minute))
    assert len(list_results(empty_workspace, "hiding")) == KEPT


def test_a_check_passes_when_it_was_met_often_enough() -> None:
    three = result([True], needed=2)
    tries = (*three.attempts, *result([False]).attempts, *result([True]).attempts)
    for needed, passed in ((2, True), (3, False)):
        whole = three.model_copy(update={"attempts": tries, "needed": needed})
        assert [(row.met, row.attempts, row.passed) for row in whole.rows] == [(2, 3, passed)]
        assert whole.passed == passed


@pytest.mark.slow
def test_the_real_model_plays_a_suite_and_fresh_lines_begin_the_scene_anew(
    host: ModelHost, empty_workspace: Workspace, vocabulary: Vocabulary
) -> None:
    lines = [
        {"player": "Sarah: I hide.", "expect": {"valid_requests_only": True, "shorter_than": 99}, "fresh": True}
    ] * 2
    made = suite(lines=lines, repeat=2, sampling={"max_tokens": 8})
    counted: list[tuple[int, int]] = []
    found = run_suite(
        empty_workspace, "hiding", made, host, vocabulary, NOON, on_line=lambda *done: counted.append(done)
    )
    assert counted == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert found.passed
    assert [one.seed for one in found.attempts] == [7, 8]
    first, second = (line.reply for line in found.attempts[0].lines)
    assert first == second  # the same scene, seed and words
    assert found.attempts[0].lines[0].reply != found.attempts[1].lines[0].reply
    assert found.model.sha256 == host.info().sha256
    with pytest.raises(SpotCheckStoppedError):
        run_suite(empty_workspace, "hiding", made, host, vocabulary, NOON, should_stop=lambda: len(counted) > 3)


@pytest.mark.slow
def test_a_job_plays_suites_and_its_result_outlives_it(workspace: Workspace, vocabulary: Vocabulary) -> None:
    save_suite(workspace, "hiding", suite(), vocabulary)
    with pytest.raises(PlayError):
        start_spot_checks(workspace, "smollm2-135m-instruct", ["missing"])
    job = start_spot_checks(workspace, "smollm2-135m-instruct", ["hiding"], title="SmolLM2", threads=1)
    state = Job(job.directory).wait(120)
    assert (state.status, state.progress.done, state.progress.unit) == ("done", 1, "lines"), job.tail_log()
    kept = list_results(workspace, "hiding")
    assert len(kept) == 1
    assert kept[0].passed is state.result["passed"]["hiding"]  # type: ignore[index,call-overload]
    assert kept[0].rows[0].check == "asks for stealth"
    assert kept[0].attempts[0].lines[0].reply
