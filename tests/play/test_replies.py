import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.play import read_reply
from studio.play.turns.rolls import plan
from studio.scenarios import SystemContext, find_directives, load_vocabulary

VOCABULARY = load_vocabulary()
PIECES = st.sampled_from(
    [
        "[roll: ",
        "[Roll:",
        "perception",
        "]",
        "[",
        "\n",
        " ",
        "stealth, advantage",
        "[begin combat]",
        "dc=",
        "(",
        ",",
        "é",
        "x",
    ]
)
MODEL_OUTPUT = st.lists(PIECES | st.text(max_size=6), max_size=25).map("".join)


@given(MODEL_OUTPUT, st.booleans())
def test_reading_a_reply_never_raises_and_shows_a_beginning_of_it(text: str, final: bool) -> None:
    state = read_reply(text, VOCABULARY, final=final)
    assert 0 <= state.shown <= len(text)
    assert state.complete or not final


@given(MODEL_OUTPUT)
def test_a_reply_that_is_complete_stays_so_whatever_follows(text: str) -> None:
    complete = next((end for end in range(len(text)) if read_reply(text[:end], VOCABULARY).complete), None)
    if complete is not None:
        assert (
            read_reply(text[:complete], VOCABULARY, final=True).shown == read_reply(text[:complete], VOCABULARY).shown
        )


@given(st.lists(MODEL_OUTPUT, max_size=6))
def test_a_stream_cut_anywhere_loses_nothing_but_what_follows_its_requests(pieces: list[str]) -> None:
    received = shown = ""
    for piece in pieces:
        received += piece
        state = read_reply(received, VOCABULARY)
        assert received[: state.shown].startswith(shown) or shown.startswith(received[: state.shown])
        shown = max(shown, received[: state.shown], key=len)
        if state.complete:
            break
    whole = max(shown, received[: read_reply(received, VOCABULARY, final=True).shown], key=len)
    assert received.startswith(whole)
    asked = [one for one in find_directives(whole, VOCABULARY) if one.asks_for_dice]
    if whole != received:
        assert asked
        assert find_directives(whole, VOCABULARY)[-1].end == len(whole)
    for one in asked:
        assert plan(one, SystemContext()).rolls


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Roll!\n[roll: perception]\nYou see", "Roll!\n[roll: perception]"),
        ("[ROLL:  Sleight of Hand ] perception: 12", "[ROLL:  Sleight of Hand ]"),
        ("[roll: initiative]\n[begin combat]\n\nThe", "[roll: initiative]\n[begin combat]"),
        ("[roll: stealth] [roll: nonsense]", "[roll: stealth]"),
        ("[roll: stealth]\n\n\n\n\n", "[roll: stealth]"),
        ("[roll: stealth][note to self\nmore", "[roll: stealth]"),
    ],
)
def test_a_reply_ends_after_the_block_of_requests(text: str, shown: str) -> None:
    state = read_reply(text, VOCABULARY)
    assert state.complete
    assert text[: state.shown] == shown


@pytest.mark.parametrize("text", ["[roll: initiative]", "[roll: initiative]\n", "[roll: initiative]\n[begin com"])
def test_a_block_that_may_go_on_is_waited_for(text: str) -> None:
    state = read_reply(text, VOCABULARY)
    assert not state.complete
    assert text[: state.shown] == "[roll: initiative]"
    assert read_reply(text, VOCABULARY, final=True).complete


@pytest.mark.parametrize(
    "text", ["[begin combat] Swords!", "[roll: nonsense] and so on", "[roll: perc", "(a) [whispers]"]
)
def test_text_without_a_valid_roll_goes_on(text: str) -> None:
    state = read_reply(text, VOCABULARY)
    assert not state.complete
    assert state.shown == len(text)
