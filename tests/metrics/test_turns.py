"""When a turn is right: it does what it had to, and no rule finds a fault in how it is told."""

from collections.abc import Callable

import pytest

from studio.metrics import TurnCase, judge_turn
from studio.scenarios import Vocabulary
from studio.validation.html import turn_faults

TOLD = "*SUCCESS* Something scrapes behind the door."
TURNS = [
    ("the author's own", None, True),
    ("another wording", "Water drips on the last step.\n\n[roll: stealth, dc=15]", True),
    ("only the request", "[roll: stealth, dc=15]", True),
    ("nothing", "", False),
    ("blanks", " \n", False),
    ("the player's words", "I creep down the stairs.\n\n[roll: stealth, dc=15]", False),
    ("an assistant", "As an AI I cannot see the steps.\n\n[roll: stealth, dc=15]", False),
    ("the player's decision", "You decide to turn back.\n\n[roll: stealth, dc=15]", False),
    ("another language", "Die Stufen sind nass und du rutschst auf dem Moos aus.\n\n[roll: stealth, dc=15]", False),
    ("a misspelled heroine", "Sara, the steps are slick.\n\n[roll: stealth, dc=15]", False),
    ("a bow that nobody has", "You draw your longbow.\n\n[roll: stealth, dc=15]", False),
    ("too many hit points", "You are at 40/22.\n\n[roll: stealth, dc=15]", False),
    ("no request", "Water drips on the last step.", False),
    ("an unreadable request too", "Water drips.\n\n[roll: stealth, dc=15]\n\n[roll: dread]", False),
    ("an outcome before the dice", f"{TOLD}\n\n[roll: stealth, dc=15]", False),
    ("a number that nobody rolled", "You roll a 19.\n\n[roll: stealth, dc=15]", False),
]


@pytest.mark.parametrize(("text", "right"), [one[1:] for one in TURNS], ids=[one[0] for one in TURNS])
def test_a_turn_is_right_when_a_dungeon_master_would_find_no_fault_in_it(
    text: str | None, right: bool, cellar: list[TurnCase], vocabulary: Vocabulary
) -> None:
    verdict = judge_turn(cellar[0], cellar[0].authored if text is None else text, vocabulary)
    assert verdict.right is right
    assert bool(turn_faults(verdict)) is not right  # every report shows why


def test_a_turn_that_was_cut_is_not_right(cellar: list[TurnCase], vocabulary: Vocabulary) -> None:
    verdict = judge_turn(cellar[0], cellar[0].authored, vocabulary, finished=False)
    assert not verdict.right
    assert turn_faults(verdict) == ["was cut at the length limit"]


def test_asking_for_the_same_roll_again_is_no_copy_but_telling_the_same_is(
    make_case: Callable[[str], TurnCase], vocabulary: Vocabulary
) -> None:
    asks = "[roll: attack, target=goblin, weapon=warhammer]"
    told = "The hammer comes down on the barrel and the staves burst."
    case = make_case(
        f"<User>Thorin: I strike.</User>\n\n<DM>{told}\n\n{asks}</DM>\n\n"
        "<TOOLCALL>attack: 2 + 5(attack) = *7*</TOOLCALL>"
        f"\n\n<DM>*FAILED* He ducks.</DM>\n\n<User>Thorin: Again.</User>\n\n<DM>Go on.\n\n{asks}</DM>"
    )
    copies = [
        judge_turn(case, text, vocabulary).narrative.copies_earlier_turn
        for text in (f"Go on.\n\n{asks}", asks, f"{told}\n\n{asks}", told)
    ]
    assert copies == [False, False, True, True]


def test_every_author_is_right(shipped: list[TurnCase], vocabulary: Vocabulary) -> None:
    wrong = [case.key for case in shipped if not judge_turn(case, case.authored, vocabulary).right]
    assert len(shipped) > 100
    assert wrong == []
