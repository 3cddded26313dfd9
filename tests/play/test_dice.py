import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.play import DiceBox, DiceError
from studio.play.turns.dice import MAX_DICE, read_dice


def box(seed: int = 1) -> DiceBox:
    return DiceBox(random.Random(seed))


@given(st.integers(0, 2**32), st.integers(1, MAX_DICE), st.integers(1, 1000), st.integers(-99, 99))
def test_dice_show_faces_of_their_size_and_keep_the_number(seed: int, count: int, sides: int, number: int) -> None:
    throw = box(seed).throw(f"{count}d{sides}{number:+d}")
    assert len(throw.dice) == count
    assert all(1 <= face <= sides for face in throw.dice)
    assert throw.bonus == number


def test_the_same_generator_state_gives_the_same_dice_and_another_gives_others() -> None:
    assert box(5).throw("20d20") == box(5).throw("20d20")
    assert box(5).throw("20d20") != box(6).throw("20d20")


def test_throwing_does_not_touch_the_global_generator() -> None:
    before = random.getstate()
    box().throw("5d6")
    assert random.getstate() == before


def test_every_face_of_a_d20_comes_up_about_equally_often() -> None:
    dice = box(3)
    faces = [face for _ in range(400) for face in dice.throw("50d20").dice]
    expected = len(faces) / 20
    chi_squared = sum((faces.count(face) - expected) ** 2 / expected for face in range(1, 21))
    assert chi_squared < 43.82  # 19 degrees of freedom, p = 0.001


@given(st.integers(0, 2**32))
def test_advantage_keeps_the_higher_and_disadvantage_the_lower(seed: int) -> None:
    higher, lower = box(seed).throw("1d20", "advantage"), box(seed).throw("1d20", "disadvantage")
    assert higher.pair == lower.pair
    assert higher.pair is not None
    assert higher.dice == (max(higher.pair),)
    assert lower.dice == (min(higher.pair),)


@pytest.mark.parametrize(
    "expression", ["", "x", "51d6", "1d0", "1d1001", "1d6-1d4", "2d6 3", "d", "1d20; import os", "9" * 9]
)
def test_what_is_no_dice_or_too_many_is_refused(expression: str) -> None:
    with pytest.raises(DiceError):
        read_dice(expression)


def test_sums_of_dice_and_numbers_are_understood() -> None:
    assert read_dice("2d6 + d4 − 1 + 3") == ([(2, 6), (1, 4)], 2)
    assert read_dice("4d6") == ([(4, 6)], None)
    assert box().throw("7").dice == (7,)
