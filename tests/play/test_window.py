from hypothesis import given
from hypothesis import strategies as st

from studio.errors import PlayError
from studio.play import ChatMessage, fit_window

TURN = st.tuples(st.integers(1, 30), st.lists(st.integers(1, 30), max_size=3))


def conversation(turns: list[tuple[int, list[int]]], system: int = 5) -> list[ChatMessage]:
    messages = [ChatMessage(role="system", content="s" * system)]
    for player, rolls in turns:
        messages.append(ChatMessage(role="user", content="u" * player))
        for length in rolls:
            messages.append(ChatMessage(role="assistant", content="[roll: stealth]" + "a" * length))
            messages.append(ChatMessage(role="tool", content="stealth: 2 = *2*"))
        messages.append(ChatMessage(role="assistant", content="end"))
    return messages


def letters(messages: list[ChatMessage]) -> int:
    return sum(len(one.content) for one in messages)


@given(st.lists(TURN, min_size=1, max_size=12), st.integers(60, 400))
def test_the_window_keeps_the_system_text_and_whole_turns(turns: list[tuple[int, list[int]]], budget: int) -> None:
    messages = conversation(turns)
    try:
        window = fit_window(messages, 0, budget, letters)
    except PlayError:
        last = max(index for index, one in enumerate(messages) if one.role == "user")
        assert letters(messages[:1] + messages[last:]) > budget
        return
    assert window.prompt_tokens == letters(window.messages) <= budget
    assert window.messages[0].role == "system"
    assert window.messages[1:] == messages[window.first_visible :]
    assert window.messages[1].role == "user"


def test_what_fits_is_left_alone_and_what_was_hidden_stays_hidden() -> None:
    messages = conversation([(5, [])] * 4)
    assert fit_window(messages, 0, 1000, letters).messages == messages
    assert fit_window(messages, 3, 1000, letters).messages == messages[:1] + messages[3:]


def test_a_cut_frees_a_quarter_so_that_the_next_turns_need_none() -> None:
    messages = conversation([(10, [])] * 20)
    window = fit_window(messages, 0, letters(messages) - 1, letters)
    assert window.prompt_tokens <= (letters(messages) - 1) * 0.75
