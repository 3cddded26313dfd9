from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.metrics import TurnCase, distinct_n, english_share, judge_narrative, repetition, words


def test_distinct_n_by_hand() -> None:
    texts = ["the cat sat", "the cat ran"]
    assert distinct_n(texts, 1) == pytest.approx(4 / 6)
    assert distinct_n(texts, 2) == pytest.approx(3 / 4)
    assert distinct_n([], 1) == 0


def test_repetition_by_hand() -> None:
    assert repetition(words("one two three four five")) == 0
    assert repetition(words("a b c d a b c d")) == pytest.approx(1 / 5)  # 5 four-grams, 4 different
    assert repetition(["go"] * 103) == pytest.approx(0.99)


@settings(deadline=None)
@given(st.lists(st.sampled_from("abc"), max_size=40))
def test_repetition_and_distinctness_are_shares(tokens: list[str]) -> None:
    assert 0 <= repetition(tokens) < 1
    assert 0 <= distinct_n([" ".join(tokens)], 2) <= 1


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("Sarah looks at Thorin, and Grimwald the innkeeper nods.", ()),
        ("Sara looks away.", ("Sara",)),
        ("Thorinn's shield rings.", ("Thorinn",)),
    ],
)
def test_a_misspelled_heroine_is_a_fault_and_a_new_innkeeper_is_not(
    cellar: list[TurnCase], text: str, fault: tuple[str, ...]
) -> None:
    assert judge_narrative(cellar[0], text).misspelled_names == fault


@pytest.mark.parametrize(
    ("turn", "text", "faithful"),
    [
        (0, "You draw your shortsword.", True),
        (0, "You draw your longbow.", False),  # nobody has one
        (0, "You lift your warhammer.", False),  # Thorin's, and Sarah acts
        (2, "You lift your warhammer.", True),  # Thorin acts
        (0, "An old sword hangs over the bar.", True),
        (0, "You are at 22/22.", True),
        (0, "You are at 31/22.", False),
        (0, "You are at 9/40.", False),
        (0, "You are at 90 hit points.", False),
        (0, "You are at 12 hit points.", True),
    ],
)
def test_the_sheets_are_respected(cellar: list[TurnCase], turn: int, text: str, faithful: bool) -> None:
    assert judge_narrative(cellar[turn], text).faithful is faithful


@pytest.mark.parametrize(
    ("text", "speaks"),
    [
        ('"Halt!" the guard says. "Who are you?"', False),
        ("You tell her about clover, at length.", False),
        ('"I surrender," you say, and drop the blade.', True),
        ('You shout: "Run!"', True),
        ("You decide to go home.", True),
        ("The door opens.\n<User>I go in.</User>", True),
        ("The door opens.\nSarah: I go in.", True),
        ("User: I go in.", True),
    ],
)
def test_the_player_speaks_for_herself(cellar: list[TurnCase], text: str, speaks: bool) -> None:
    assert bool(judge_narrative(cellar[0], text).speaks_for_player) is speaks


@pytest.mark.parametrize(
    ("text", "english"),
    [
        ("The innkeeper looks at you for a long time and shakes his head.", 1),
        ("Der Wirt sieht dich lange an und schüttelt den Kopf, und in der Ecke lacht jemand.", 0),
        ("El posadero te mira durante mucho tiempo y niega con la cabeza, no me gusta nada.", 0),
        ("L'aubergiste te regarde longtemps et secoue la tête, et dans le coin on rit.", 0),
        ("L'oste ti guarda a lungo e scuote la testa, e nell'angolo qualcuno ride.", 0),
        ("店主はあなたを長い間見つめて首を横に振った。", 0),
        ("Хозяин долго смотрит на тебя и качает головой.", 0),
        ("Grak!", None),
        ("", None),
    ],
)
def test_english_is_told_from_other_languages(text: str, english: float | None) -> None:
    assert english_share(text) == english


def test_half_english_is_a_share() -> None:
    share = english_share(
        "The door is open and there is nobody in the room at all.\n店主はあなたを長い間見つめて首を横に振った。"
    )
    assert share is not None
    assert 0.3 < share < 0.8


def test_an_assistant_that_falls_out_of_its_role_is_noticed(cellar: list[TurnCase]) -> None:
    assert judge_narrative(cellar[0], "I'm sorry, but I can't assist with that.").out_of_role
    assert judge_narrative(cellar[0], "As an AI language model, I have no dice.").out_of_role
    assert not judge_narrative(cellar[0], '"I am sorry," the guard says, "but the gate is shut."').out_of_role


def test_saying_an_earlier_turn_again_is_noticed(cellar: list[TurnCase]) -> None:
    assert judge_narrative(cellar[2], cellar[1].authored).copies_earlier_turn
    assert not judge_narrative(cellar[2], cellar[2].authored).copies_earlier_turn


def test_saying_the_players_words_again_is_noticed(
    cellar: list[TurnCase], make_case: Callable[[str], TurnCase]
) -> None:
    assert judge_narrative(cellar[0], "I creep down the stairs.").copies_earlier_turn
    assert not judge_narrative(cellar[0], "You creep down the stairs.").copies_earlier_turn
    again = make_case("<User>Yes.</User>\n<DM>So be it.</DM>\n<User>And now?</User>\n<DM>Rain.</DM>")
    assert not judge_narrative(again, "Yes.").copies_earlier_turn  # a short answer may come up again


def test_shipped_turns_have_no_fault_of_narrative(shipped: list[TurnCase]) -> None:
    found = [(case.key, judge_narrative(case, case.authored)) for case in shipped]
    faults = [
        key
        for key, one in found
        if not one.faithful or one.speaks_for_player or one.out_of_role or one.copies_earlier_turn or one.english != 1
    ]
    assert faults == []
