"""Models side by side: the same line, seed and dice, one after the other; who fails does not keep the others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from studio.bases import BaseModel
from studio.errors import PlayError
from studio.play import ChatSession, HostOptions, ModelHost, RollEvent, TokenEvent, TurnEndEvent
from studio.play.comparison import Seat, SeatBegins, SeatFailed, difference, lines_of, side_by_side, turn_of
from studio.play.comparison_report import Contender, compare, comparison_markdown
from studio.scenarios import MarkdownParser, Vocabulary
from studio.workspace import atomic_write

from .conftest import SCENARIO

Make = Callable[..., ChatSession]
FIGHT = 'root ::= "Now.\\n[roll: initiative]\\n[roll: stealth]"'
HIDE = 'root ::= "Now.\\n[roll: stealth]"'


def seat(make_session: Make, host: ModelHost, grammar: str = "") -> Seat:
    session = make_session(max_tokens=8 if not grammar else 40, grammar=grammar, rolls_per_turn=2 if grammar else 0)
    session.group = "g"
    return Seat(session, lambda: host)


def refused() -> ModelHost:
    raise PlayError("The file is gone.", next_step="Choose another.")


def stealth(session: ChatSession) -> list[int]:
    """What the dice showed for stealth in the first turn, at each time."""
    rolls = [roll for one in turn_of(session, 0).rolls for roll in one.rolls if roll.tool_name == "stealth"]
    return [roll.dice[0] for roll in rolls]


def test_models_that_ask_for_the_same_get_the_same_dice_whatever_else_they_asked_for(
    host: ModelHost, vocabulary: Vocabulary, make_session: Make
) -> None:
    seats = [seat(make_session, host, FIGHT), seat(make_session, host, HIDE)]
    events = list(side_by_side(seats, "Sarah: I hide.", vocabulary))
    first, second = (stealth(one.session) for one in seats)
    assert sum(isinstance(event, RollEvent) for _, event in events) == 4
    assert first == second[:1]
    assert len(second) == 2
    assert second[0] != second[1] or seats[0].session.seed != 7  # asked for twice, thrown twice
    told = difference([turn_of(one.session, 0) for one in seats], ["big", "small"])
    assert told == "big asked for initiative, stealth; small asked for stealth."


def test_one_that_fails_keeps_no_other_and_catches_up_later(
    host: ModelHost, vocabulary: Vocabulary, make_session: Make
) -> None:
    good, bad = seat(make_session, host), Seat(seat(make_session, host).session, refused)
    failed = [
        number for number, event in side_by_side([bad, good], "I look.", vocabulary) if isinstance(event, SeatFailed)
    ]
    assert failed == [0]
    assert lines_of(good.session) == ["I look."]
    assert lines_of(bad.session) == []
    mended = Seat(bad.session, lambda: host)
    begun = [
        event.line for _, event in side_by_side([mended, good], "I go.", vocabulary) if isinstance(event, SeatBegins)
    ]
    assert begun == ["I look.", "I go.", "I go."]
    assert lines_of(bad.session) == lines_of(good.session) == ["I look.", "I go."]


def test_leaving_in_the_middle_keeps_what_was_said_and_lets_the_others_answer_later(
    host: ModelHost, vocabulary: Vocabulary, make_session: Make
) -> None:
    seats = [seat(make_session, host), seat(make_session, host)]
    events = side_by_side(seats, "I look.", vocabulary)
    next(event for _, event in events if isinstance(event, TokenEvent))
    events.close()
    assert [len(one.session.turns) for one in seats] == [1, 0]
    end = seats[0].session.turns[0].events[-1]
    assert isinstance(end, TurnEndEvent)
    assert end.reason == "cancelled"
    list(side_by_side(seats, "", vocabulary))
    assert lines_of(seats[1].session) == ["I look."]
    assert len(seats[0].session.turns) == 1


@pytest.fixture
def contenders(smollm2: BaseModel, tmp_path: Path) -> list[Contender]:
    torn = tmp_path / "torn.gguf"
    atomic_write(torn, b"GGUF\x03\x00\x00\x00 and then nothing")
    options = HostOptions(threads=1)
    base = smollm2.directory / "base.gguf"
    return [
        Contender("base", base, options),
        Contender("torn | file", torn, options),
        Contender("again", base, options),
    ]


def test_a_script_compares_files_by_their_hash_and_tells_which_could_not_be_loaded(
    contenders: list[Contender], vocabulary: Vocabulary, make_session: Make
) -> None:
    scenario = MarkdownParser(vocabulary).parse_text(SCENARIO)
    settings = make_session(max_tokens=8).settings
    result = compare(contenders, scenario, ["Sarah: I hide.", "I | wait."], vocabulary, settings=settings)
    base, torn, again = result.models
    assert [one.said for one in base.turns] == [one.said for one in again.turns]
    assert len(base.turns) == 2
    assert base.model is not None
    assert torn.model is None
    assert torn.error
    text = comparison_markdown(result)
    assert base.model.sha256[:16] in text
    assert "## 2. I \\| wait." in text
    rows = [line.replace("\\|", "") for line in text.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in rows} == {5}
