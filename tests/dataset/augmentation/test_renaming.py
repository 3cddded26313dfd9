"""Renaming changes a name everywhere or nowhere, and never a word of the game."""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio.dataset.augmentation.lexicon import game_phrases, load_lexicon
from studio.dataset.augmentation.renaming import EntityRenaming, renamed
from studio.scenarios import MarkdownParser
from studio.scenarios.reading import Reading
from tests.dataset.augmentation.generated import VOCABULARY, scenarios, shipped_texts

RENAMING = EntityRenaming()
EXEMPT = re.compile(r"`[^`]*`|https?://\S+|^author:.*$", re.MULTILINE)
TEXT = """---
title: Sarah and the Widow's Lantern
author: Sarah
tags: [sarah, night]
entities: {people: [Captain Vane], places: [Crow Bank], items: [Widow's Lantern]}
---
<SYSTEM>
# Role
You are the Dungeon Master.
# Location
A barge off Crow Bank, in the reach of Hollin.
# Party
## Sarah
- Player Character
- Rogue
- Level 3
- Skills: Stealth +7
- Inventory: Sarah's Dagger, Widow's Lantern
- Spells: Shield

## Joss Reed
- NPC Companion
- Fighter
- Level 3
- Skills: Stealth +2
</SYSTEM>

<User>sarah: I wave to Joss, then call "SARAH IS HERE!" toward Hollin.</User>
<DM>Joss Reed nods. Joss' cloak is wet, and Vane's boots are not. `Sarah` at https://example.org/Sarah and Crow Bank.

[roll: stealth, who=Sarah] [roll: stealth, who=Joss Reed]</DM>
<TOOLCALL>stealth (Sarah): 9 + 7(skill) = *16*
stealth (Joss Reed): 4 + 2(skill) = *6*</TOOLCALL>
<DM>*SUCCESS* Captain Vane sees nothing. Past Hollin the Widow's Lantern burns, and Melf's Acid Arrow lies by it.</DM>
<!-- Sarah must not know. -->
"""


def test_a_name_changes_everywhere_in_the_case_in_which_it_stands() -> None:
    assert MarkdownParser().validate_format(TEXT).errors == []
    names = RENAMING.mapping(TEXT, 5, VOCABULARY)
    made = RENAMING.apply(TEXT, 5, VOCABULARY) or ""
    assert {"Sarah", "Joss", "Joss Reed", "Vane", "Hollin", "Crow Bank", "Widow's Lantern"} <= set(names)
    new, joss = names["Sarah"], names["Joss"]
    assert f"## {new}\n" in made
    assert f"<User>{new.lower()}: I wave to {joss}" in made
    assert f'"{new.upper()} IS HERE!"' in made
    assert f"{new}'s Dagger" in made
    assert f"who={new}]" in made
    assert f"stealth ({new}): 9" in made
    assert f"{joss}'s cloak" in made
    assert f"tags: [{new.lower()}, night]" in made
    assert f"Captain {names['Vane']} sees" in made
    assert names["Crow Bank"].endswith(" Bank")
    assert names["Widow's Lantern"].endswith(" Lantern")
    assert f"<!-- {new} must" in made
    assert "author: Sarah\n" in made
    assert "`Sarah` at https://example.org/Sarah and" in made
    assert MarkdownParser().validate_format(made).errors == []


def check_renaming(text: str, seed: int) -> None:
    names = RENAMING.mapping(text, seed, VOCABULARY)
    made = RENAMING.apply(text, seed, VOCABULARY)
    if not names:
        assert made is None
        return
    assert made is not None
    rest = EXEMPT.sub("", made)
    for old, new in names.items():
        assert not re.search(rf"(?<![^\W_]){re.escape(old)}(?![^\W_])", rest), old
        assert not re.search(rf"(?<![^\W_]){re.escape(new)}(?![^\W_])", text, re.IGNORECASE), new
    assert len({new.casefold() for new in names.values()}) == len(names)
    party = [one.name for one in Reading(made, VOCABULARY).party]
    assert len(set(party)) == len({one.name for one in Reading(text, VOCABULARY).party})
    back = {new: old for old, new in names.items()}
    assert renamed(made, Reading(made, VOCABULARY), back) == text.replace("' cloak", "'s cloak")


@pytest.mark.parametrize(("name", "text"), shipped_texts())
def test_a_renamed_shipped_scenario_holds_no_old_name_and_can_be_renamed_back(name: str, text: str) -> None:
    for seed in range(3):
        check_renaming(text, seed)
        assert RENAMING.apply(text, seed, VOCABULARY) is not None


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(scenarios(), st.integers())
def test_a_renamed_generated_scenario_holds_no_old_name_and_can_be_renamed_back(text: str, seed: int) -> None:
    check_renaming(text, seed)


def test_words_of_the_game_keep_their_names() -> None:
    text = TEXT.replace("## Sarah", "## Ranger").replace("Joss Reed", "Melf Shield").replace("Joss", "Melf")
    names = RENAMING.mapping(text, 1, VOCABULARY)
    assert not {"Ranger", "Shield", "Rogue", "Dagger", "Stealth", "Captain"} & set(names)
    assert "Melf" in names


def test_a_name_that_the_story_also_uses_as_a_word_is_left_alone() -> None:
    text = TEXT.replace("Sarah", "Rose").replace("sarah:", "Rose:").replace("is wet", "is wet and he rose")
    assert "Rose" not in RENAMING.mapping(text, 1, VOCABULARY)


def called(name: str, said: str = "") -> str:
    """The scene with Sarah under another name, and a sentence more in it."""
    text = TEXT.replace("<!-- Sarah must not know. -->\n", "").replace("SARAH", "SHE")
    return text.replace("Sarah", name).replace("sarah", name).replace("is wet", f"is wet. {said}")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Halt", "Halt you there!"),
        ("Drew", '"Drew he a blade?" asks the boy.'),
        ("Chase", "Stop. Chase the boy, not the cat."),
        ("Chase", "It was the Chase of the year."),
        ("Rose", "Rose petals lie on the step."),
        ("Thorn", "There is none left... Thorn and thistle grow."),
        ("Drew", "I DREW IT."),
        ("Corwin", "Both of the Corwins were here."),
    ],
)
def test_a_name_that_begins_a_sentence_as_a_word_is_left_alone(name: str, said: str) -> None:
    text = called(name, said)
    assert name not in RENAMING.mapping(text, 1, VOCABULARY)
    assert {"Joss", "Hollin"} <= set(RENAMING.mapping(text, 1, VOCABULARY))
    assert said in (RENAMING.apply(text, 1, VOCABULARY) or "")


@pytest.mark.parametrize("name", ["Drew", "Chase", "Rose", "Ilse"])
def test_a_name_that_could_be_a_word_and_is_none_here_changes(name: str) -> None:
    text = called(name, f"And {name} laughs. {name}, your boots are full. {name}'s hat is gone. It")
    made = RENAMING.apply(text, 1, VOCABULARY) or ""
    new = RENAMING.mapping(text, 1, VOCABULARY)[name]
    assert f"And {new} laughs. {new}, your boots are full. {new}'s hat" in made


def test_a_word_in_an_alternative_counts_like_one_in_the_story() -> None:
    assert "Drew" in RENAMING.mapping(called("Drew"), 1, VOCABULARY)
    text = called("Drew") + "<!-- otherwise: <DM>*FAILED* Drew she ever a blade?</DM> -->\n"
    assert "Drew" not in RENAMING.mapping(text, 1, VOCABULARY)


def test_two_characters_of_one_name_are_left_alone() -> None:
    text = TEXT.replace("## Joss Reed", "## Sarah")
    assert "Sarah" not in RENAMING.mapping(text, 1, VOCABULARY)


def test_our_own_names_are_no_words_of_the_game() -> None:
    lexicon = load_lexicon()
    own = {*lexicon.names, *lexicon.surnames, *lexicon.places, *lexicon.items}
    assert not {one.lower() for one in own} & game_phrases()
    assert not {one.lower() for one in own} & lexicon.kept
