from hypothesis import given
from hypothesis import strategies as st

from studio.play.hosts.stopping import StopStrings

LETTERS = st.text("<|end>a", max_size=30)


@given(st.lists(LETTERS, max_size=8), st.lists(st.text("<|end>", min_size=1, max_size=5), max_size=3))
def test_what_is_shown_is_the_text_up_to_the_first_stop_string(pieces: list[str], stops: list[str]) -> None:
    stream = StopStrings(stops)
    shown = "".join(stream.feed(piece) for piece in pieces) + stream.flush()
    text = "".join(pieces)
    assert text.startswith(shown)
    assert stream.hit == any(stop in text for stop in stops)
    assert not any(stop in shown for stop in stops)
    assert stream.hit or shown == text


def test_text_that_may_become_a_stop_string_is_held_back() -> None:
    stream = StopStrings(["<|im_end|>"])
    assert stream.feed("Hello <|im") == "Hello "
    assert stream.feed("possible>") == "<|impossible>"
