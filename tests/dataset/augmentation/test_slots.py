"""Paraphrase slots: authors write the choices, no model ever sees the braces."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from studio.dataset.augmentation import expand_slots, has_slots

TEXT = "<SYSTEM># Location\n{a|b}</SYSTEM>\n<User>{I|We} go.</User>\n<DM>{Dark|{Very |}cold} it is.</DM>"


def test_the_first_options_are_what_a_preview_shows() -> None:
    assert expand_slots(TEXT) == "<SYSTEM># Location\n{a|b}</SYSTEM>\n<User>I go.</User>\n<DM>Dark it is.</DM>"


@given(st.integers())
def test_every_expansion_is_one_of_the_written_ones_and_the_same_for_a_seed(seed: int) -> None:
    made = expand_slots(TEXT, seed)
    assert not has_slots(made)
    assert made == expand_slots(TEXT, seed)
    assert made.partition("<DM>")[2] in {f"{one} it is.</DM>" for one in ("Dark", "Very cold", "cold")}
    assert "<User>I go." in made or "<User>We go." in made


def test_every_option_comes_up() -> None:
    text = "<User>Hi</User>\n<DM>{red|green|blue}</DM>"
    assert {expand_slots(text, seed).split(">")[-2] for seed in range(40)} == {"red</DM", "green</DM", "blue</DM"}


def test_code_dice_and_other_braces_are_no_slots() -> None:
    text = "<User>{hello}</User>\n<DM>`{a|b}` and | {} {c}</DM>\n<TOOLCALL>{a|b}</TOOLCALL>"
    assert not has_slots(text)
    assert expand_slots(text, 1) == text


def test_hostile_braces_take_no_time_to_read() -> None:
    text = f"<DM>{'{a|' * 20_000}</DM>"
    assert expand_slots(text, 1) == text
