"""Models side by side and the window of a model, as HTML in which nobody's words are markup."""

from __future__ import annotations

from studio.errors import PlayError
from studio.play import ChatMessage, TokenEvent
from studio.play.comparison import ComparedTurn, SeatBegins, SeatFailed
from studio.scenarios import load_vocabulary
from studio.ui.comparison import LiveColumn, compared_html, live_html
from studio.ui.context import Shares, shares_html
from tests.ui.html_check import Reading

VOCABULARY = load_vocabulary()
EVIL = "<img src=x onerror=alert(1)>"


def turn(said: str, *asked: str) -> ComparedTurn:
    return ComparedTurn(player=EVIL, said=[ChatMessage(role="assistant", content=said)], asked=list(asked))


def test_a_column_for_each_model_and_the_difference_is_marked() -> None:
    html = compared_html([turn(EVIL, "stealth"), turn("You hide."), None], [EVIL, "base", "torn"], VOCABULARY)
    reading = Reading(html)
    assert "<img" not in html
    assert html.count('class="cell"') == 3
    assert "base asked for nothing" in reading.text
    assert "No answer yet." in reading.text


def test_models_that_asked_for_the_same_are_not_marked_as_different() -> None:
    html = compared_html([turn("A", "stealth"), turn("B", "stealth", "stealth")], ["one", "two"], VOCABULARY)
    assert 'class="differs"' not in html


def test_a_live_column_says_who_is_writing_who_waits_and_who_could_not() -> None:
    columns = [LiveColumn(), LiveColumn(), LiveColumn()]
    columns[0].take(SeatBegins("I look."))
    columns[0].take(TokenEvent(text="You see"))
    columns[1].take(SeatFailed(PlayError("The file is gone.")))
    text = Reading(live_html("I look.", columns, ["one", "two", "three"], VOCABULARY)).text
    assert "one is writing" in text
    assert "two could not answer: The file is gone." in text
    assert "three waits" in text


def test_the_bar_of_the_window_adds_up_also_when_it_is_more_than_full() -> None:
    for shares in (Shares(600, 200, 400, 2048), Shares(600, 0, 2000, 2048), Shares(0, 0, 0, 2048)):
        html = shares_html(shares)
        widths = [float(part.split("%")[0]) for part in html.split("width:")[1:]]
        assert abs(sum(widths) - 100) < 0.1
        assert f"{shares.used:,} of 2,048 tokens" in html
