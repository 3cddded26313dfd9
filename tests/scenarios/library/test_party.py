"""Forms change the lines they are about and nothing else, and refuse what could not be read back."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.scenarios import Attack, Character, Gauge, MarkdownParser, Progress, load_vocabulary
from studio.scenarios.library import PartyEditor, PartyError
from studio.scenarios.library.party_start import classes, proficiency, starting_character
from studio.scenarios.library.party_text import as_read
from studio.workspace import PROJECT_ROOT

SEED = (Path(__file__).parents[1] / "seed_example.md").read_text(encoding="utf-8")
DRAGON = (PROJECT_ROOT / "data" / "scenarios" / "combat" / "dragon-encounter.md").read_text(encoding="utf-8")
FORMS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "windows": lambda text: "\ufeff" + text.replace("\n", "\r\n"),
    "old mac": lambda text: text.replace("\n", "\r"),
    "untidy": lambda text: text.replace("\n- ", "\n  *   ").replace(": ", ":  ").replace("\n\n## ", "\n## "),
}


@pytest.fixture(params=sorted(FORMS))
def form(request: pytest.FixtureRequest) -> Callable[[str], str]:
    return FORMS[request.param]


def changed(before: str, after: str) -> tuple[list[str], list[str]]:
    """The lines that went and the lines that came; everything before and after them is proven to be the same."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    head = next((n for n, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    tail = next(
        (n for n, (a, b) in enumerate(zip(old[::-1], new[::-1], strict=False)) if a != b or n >= len(new) - head), 0
    )
    tail = min(tail, len(old) - head, len(new) - head)
    return [one.strip() for one in old[head : len(old) - tail]], [one.strip() for one in new[head : len(new) - tail]]


def test_setting_what_is_there_already_changes_no_byte(form: Callable[[str], str]) -> None:
    for text in map(form, (SEED, DRAGON)):
        editor = PartyEditor(text)
        assert len(editor.party) == 3
        for one in editor.party:
            editor.set_character(one.name, one)
            editor.rename(one.name, one.name)
        assert editor.text == text


@pytest.mark.parametrize(
    ("edit", "line"),
    [
        (lambda one: one.set_health("Osk", 22, 31), "- Health: 22/31"),
        (lambda one: one.set_level("osk", 5), "- Level 5"),
        (lambda one: one.set_experience("Osk", 4200, 6500), "- Exp: 4200/6500"),
        (lambda one: one.set_experience("Osk", 9), "- Exp: 9"),
        (lambda one: one.set_class("Osk", "Dwarf Smith"), "- Dwarf Smith"),
        (lambda one: one.set_type("Osk", "Player Character"), "- Player Character"),
        (lambda one: one.set_type("Osk", "Smith"), "- Type: Smith"),
        (lambda one: one.set_skills("Osk", {"medicine": 7, "religion": 2}), "- Skills: Medicine +7, Religion +2"),
        (lambda one: one.set_skills("Osk", {"Sleight of hand": -1}), "- Skills: Sleight of Hand -1"),
        (lambda one: one.set_saves("Osk", {"wis": 6, "dex": 0}), "- Saves: Wisdom +6, Dexterity +0"),
        (lambda one: one.set_abilities("Osk", {"strength": -2}), "- Abilities: Str -2"),
        (
            lambda one: one.set_attacks("Osk", [Attack(name="Mace", bonus=3, damage="1d6+1"), Attack(name="Sling")]),
            "- Attacks: Mace +3 (1d6+1), Sling +0",
        ),
        (lambda one: one.set_inventory("Osk", ["Mace", "Rope (50 ft, silk)"]), "- Inventory: Mace, Rope (50 ft, silk)"),
        (lambda one: one.set_spells("Osk", ["Healing Word"]), "- Spells: Healing Word"),
    ],
)
def test_a_change_touches_one_line(form: Callable[[str], str], edit: Callable[[PartyEditor], None], line: str) -> None:
    text = form(DRAGON)
    editor = PartyEditor(text)
    edit(editor)
    gone, came = changed(text, editor.text)
    assert (len(gone), len(came)) == (1, 1)
    assert "".join(came[0].split()).lstrip("-*") == "".join(line.split()).lstrip("-")
    edit(editor)
    assert changed(text, editor.text) == (gone, came)


@pytest.mark.parametrize(
    ("edit", "after", "line"),
    [
        (lambda one: one.set_armor_class("Chris", 13), "- Exp: 750/2700", "- Armor Class: 13"),
        (lambda one: one.set_skills("Chris", {"arcana": 5}), "- Exp: 750/2700", "- Skills: Arcana +5"),
        (
            lambda one: one.set_attacks("Chris", [Attack(name="Staff", bonus=2)]),
            "- Exp: 750/2700",
            "- Attacks: Staff +2",
        ),
        (
            lambda one: one.set_spells("Thorin", ["Light"]),
            "- Inventory: Warhammer, Chain Mail, Shield, 25 gold pieces",
            "- Spells: Light",
        ),
    ],
)
def test_a_line_that_is_missing_comes_where_sheets_have_it(
    form: Callable[[str], str], edit: Callable[[PartyEditor], None], after: str, line: str
) -> None:
    editor = PartyEditor(form(SEED))
    edit(editor)
    lines = ["".join(one.split()).lstrip("-*") for one in editor.text.splitlines()]
    squeezed = ["".join(one.split()).lstrip("-") for one in (after, line)]
    assert lines[lines.index(squeezed[0]) + 1] == squeezed[1]
    assert len(editor.text.splitlines()) == len(form(SEED).splitlines()) + 1


def test_emptying_a_list_removes_its_line(form: Callable[[str], str]) -> None:
    text = form(SEED)
    editor = PartyEditor(text)
    editor.set_spells("Chris", [])
    editor.set_skills("Sarah", {})
    assert len(editor.text.splitlines()) == len(text.splitlines()) - 2
    assert (editor.party[0].spells, editor.party[1].stats) == ([], {})


def test_words_beside_a_number_and_items_that_are_no_stat_stay() -> None:
    skills = "- Skills: Stealth : +3, lucky, Str +2"
    sheet = f"# Party\n\n## A\n- HP: 5/9 (poisoned)\n{skills}\n- Equipment: Rope\n- Items: Torch\n"
    editor = PartyEditor(f"<SYSTEM>\n{sheet}</SYSTEM>\n")
    editor.set_health("A", 4, 9)
    editor.set_skills("A", {"stealth": 4})
    editor.set_abilities("A", {"strength": 1})
    editor.set_inventory("A", ["Rope", "Torch", "Map"])
    assert (
        "- HP: 4/9 (poisoned)\n- Skills: Stealth : +4, lucky, Str +1\n- Equipment: Rope\n- Items: Torch, Map\n"
        in editor.text
    )
    editor.set_inventory("A", ["Map", "Rope"])
    assert "- Equipment: Map, Rope\n</SYSTEM>" in editor.text


def test_renaming_follows_the_character_through_the_turns(form: Callable[[str], str]) -> None:
    text = form(DRAGON)
    editor = PartyEditor(text)
    editor.rename("Osk", "Oskar Ironfist")
    editor.rename("Ilse", "Ilsa")
    scenario = MarkdownParser().parse_text(editor.text)
    assert [one.name for one in scenario.system_context.party] == ["Tamsin", "Ilsa", "Oskar Ironfist"]
    assert "who=Oskar Ironfist]" in editor.text
    assert "initiative (Oskar Ironfist)" in editor.text or "initiative(Oskar Ironfist)" in editor.text
    assert editor.text.count("Ilsa:") == text.count("Ilse:")
    editor.rename("Oskar Ironfist", "Osk")
    editor.rename("Ilsa", "Ilse")
    assert editor.text == text


def test_renaming_can_leave_the_turns_alone() -> None:
    editor = PartyEditor(DRAGON)
    editor.rename("Osk", "Oskar", in_conversation=False)
    assert changed(DRAGON, editor.text) == (["## Osk"], ["## Oskar"])


def test_removing_and_adding_a_character_again_gives_the_same_text(form: Callable[[str], str]) -> None:
    text = form(DRAGON)
    editor = PartyEditor(text)
    last = editor.party[-1]
    editor.remove(last.name)
    assert [one.name for one in editor.party] == ["Tamsin", "Ilse"]
    editor.add(last)
    assert editor.party[-1] == last
    if form is str:
        assert editor.text == text


def test_every_member_can_be_removed(form: Callable[[str], str]) -> None:
    for name in ("Tamsin", "Ilse", "Osk"):
        editor = PartyEditor(form(DRAGON))
        editor.remove(name)
        assert name not in [one.name for one in editor.party]
        gone, came = changed(form(DRAGON), editor.text)
        assert len(gone) >= 12
        assert came == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\ufeff",
        "<User>Hi</User>\r\n",
        "---\ntitle: x\n---\n<User>Hi</User>",
        "<SYSTEM></SYSTEM>",
        "<SYSTEM># Role\nx</SYSTEM>",
        "<SYSTEM>\n# Party\n# World\nx\n</SYSTEM>",
        "<SYSTEM>\n# Party",
    ],
)
def test_a_first_character_can_be_added_to_any_beginning(text: str) -> None:
    editor = PartyEditor(text)
    wanted = Character(
        name="Mira",
        character_type="Player Character",
        class_name="Fighter",
        level=1,
        health=Gauge(current=12, max=12),
        experience=Progress(current=0, next_level=300),
        stats={"strength": 3, "athletics": 5, "strength_save": 5},
        attacks=[Attack(name="Longsword", bonus=5, damage="1d8+3")],
        inventory=["Longsword", "10 gold pieces"],
        spells=["Light"],
        armor_class=16,
    )
    editor.add(wanted)
    assert editor.party == [wanted]
    assert MarkdownParser().extract_conversation(editor.text) == [
        one.model_copy(update={"line": other.line})
        for one, other in zip(
            MarkdownParser().extract_conversation(text), MarkdownParser().extract_conversation(editor.text), strict=True
        )
    ]


WORDS = st.one_of(
    st.text(max_size=25),
    st.text(alphabet="ab,()<>/#*-:\n\r[]!", max_size=15),
    st.sampled_from(["</SYSTEM>", "<DM>x</DM>", "a\n# World", "a, b", "<!--", "- b", "Level 9", "a\r## Eve", "```"]),
)


@given(
    field=st.sampled_from(["type", "class", "inventory", "spells", "attack", "skill", "rename", "add"]),
    word=WORDS,
    windows=st.booleans(),
)
@settings(max_examples=400, deadline=None)
def test_any_words_are_written_so_that_they_read_back_or_refused(field: str, word: str, windows: bool) -> None:
    text = FORMS["windows" if windows else "plain"](DRAGON)
    editor = PartyEditor(text)
    before = MarkdownParser().parse_text(text)
    edits: dict[str, Callable[[], None]] = {
        "type": lambda: editor.set_type("Ilse", word),
        "class": lambda: editor.set_class("Ilse", word),
        "inventory": lambda: editor.set_inventory("Ilse", [word, "Rope"]),
        "spells": lambda: editor.set_spells("Ilse", ["Light", word]),
        "attack": lambda: editor.set_attacks("Ilse", [Attack(name=word, bonus=1)]),
        "skill": lambda: editor.set_skills("Ilse", {word: 3}),
        "rename": lambda: editor.rename("Ilse", word, in_conversation=False),
        "add": lambda: editor.add(Character(name=word, inventory=[word])),
    }
    try:
        edits[field]()
    except PartyError:
        assert editor.text == text
        return
    after = MarkdownParser().parse_text(editor.text)
    others = [one for one in after.system_context.party if one.name not in ("Ilse", word)]
    assert others == [one for one in before.system_context.party if one.name != "Ilse"] or field == "add"
    assert [one.content for one in after.conversation] == [one.content for one in before.conversation]
    assert after.system_context.location == before.system_context.location
    one = after.system_context.party[1]
    found = {
        "type": one.character_type == word,
        "class": one.class_name == word,
        "inventory": one.inventory == [word, "Rope"],
        "spells": one.spells == ["Light", word],
        "attack": [(a.name, a.bonus) for a in one.attacks] == [(word, 1)],
        "skill": 3 in one.stats.values(),
        "rename": one.name == word,
        "add": after.system_context.party[-1].name == word and after.system_context.party[-1].inventory == [word],
    }
    assert found[field]


def test_namesakes_and_strangers_are_refused() -> None:
    editor = PartyEditor(DRAGON)
    for edit in (
        lambda: editor.rename("Osk", "ilse"),
        lambda: editor.add(Character(name="OSK")),
        lambda: editor.set_level("Nobody", 1),
        lambda: editor.remove("Nobody"),
    ):
        with pytest.raises(PartyError):
            edit()
    assert editor.text == DRAGON


NUMBERS = st.none() | st.integers(-30, 1200) | st.sampled_from([-(10**9), 10**8])
BONUSES = st.integers(-1100, 1100)
CHARACTERS = st.builds(
    Character,
    name=st.just("Ilse") | WORDS,
    character_type=st.sampled_from(["Player Character", "Ally", ""]) | WORDS,
    class_name=st.sampled_from(["Human Paladin", "Monster Hunter", ""]) | WORDS,
    level=NUMBERS,
    health=st.builds(Gauge, current=NUMBERS, max=NUMBERS),
    experience=st.builds(Progress, current=NUMBERS, next_level=NUMBERS),
    stats=st.dictionaries(
        st.sampled_from(["stealth", "strength", "wisdom_save", "initiative", "deft_hands"]) | WORDS, BONUSES, max_size=4
    ),
    attacks=st.lists(
        st.builds(Attack, name=st.just("Mace") | WORDS, bonus=BONUSES, damage=st.just("1d6 + 1") | WORDS), max_size=2
    ),
    inventory=st.lists(st.just("Rope (50 ft, silk)") | WORDS, max_size=3),
    spells=st.lists(st.just("Bless") | WORDS, max_size=3),
    armor_class=NUMBERS,
    spell_save_dc=NUMBERS,
    spell_slots=st.dictionaries(st.integers(-1, 10), st.integers(-1, 120), max_size=3),
)


@given(character=CHARACTERS, form=st.sampled_from(sorted(FORMS)))
@settings(max_examples=500, deadline=None)
def test_a_whole_sheet_reads_back_as_asked_or_nothing_is_written(character: Character, form: str) -> None:
    text = FORMS[form](DRAGON)
    editor = PartyEditor(text)
    before = editor.party
    sheet = text[text.index("## Ilse") : text.index("## Osk")]
    above, below = text.split(sheet)
    try:
        editor.set_character("Ilse", character)
    except PartyError:
        assert editor.text == text
        return
    expected = as_read(character, load_vocabulary()).model_copy(update={"notes": before[1].notes})
    assert editor.party == [before[0], expected, before[2]]
    assert editor.text.startswith(above)
    if character.name == "Ilse":  # another name goes through the turns, too
        assert editor.text.endswith(below)


HOSTILE = [
    ("</SYSTEM>", False),
    ("# x", True),
    ("<script>alert(1)</script>", True),
    ("a\n- Level 9", False),
    ("a\n## Eve", False),
    ("Dragon 🐉 Zähmer", True),
    ("[roll: stealth](javascript:alert(1))", True),
    ("x" * 10_000, True),
]


@pytest.mark.parametrize(("words", "written"), HOSTILE)
def test_hostile_words_are_written_as_words_or_refused(words: str, written: bool) -> None:
    editor = PartyEditor(DRAGON)
    wanted = editor.party[0].model_copy(update={"name": words, "class_name": words, "inventory": [words]})
    try:
        editor.set_character("Tamsin", wanted)
    except PartyError:
        assert not written
        assert editor.text == DRAGON
    else:
        assert written
        assert editor.party[0] == wanted


def test_a_value_that_is_gone_takes_its_line_along(form: Callable[[str], str]) -> None:
    text = form(DRAGON)
    editor = PartyEditor(text)
    bare = Character(name="Osk", character_type="NPC Companion", class_name="Dwarf Cleric")
    editor.set_character("Osk", bare)
    assert editor.party[2] == bare
    gone, came = changed(text, editor.text)
    assert came == []
    assert [one.lstrip("-* ").split(":")[0].split(" ")[0] for one in gone] == [
        "Level", "Health", "Exp", "Abilities", "Skills", "Saves", "Attacks", "Inventory", "Spells",
    ]  # fmt: skip


def test_initiative_spell_slots_and_save_dc_have_lines_of_their_own(form: Callable[[str], str]) -> None:
    editor = PartyEditor(form(DRAGON))
    wanted = editor.party[2]
    wanted.stats["initiative"] = -1
    wanted.spell_save_dc, wanted.spell_slots = 14, {1: 4, 2: 3}
    editor.set_character("Osk", wanted)
    squeezed = ["".join(one.split()).lstrip("-*") for one in editor.text.splitlines()]
    assert {"Initiative:-1", "SpellSaveDC:14", "SpellSlots:1stx4,2ndx3"} <= set(squeezed)
    assert editor.party[2] == wanted
    editor.set_initiative("Osk", None)
    editor.set_spell_slots("Osk", {})
    editor.set_spell_save_dc("Osk", None)
    assert editor.text == form(DRAGON)


def test_a_class_that_reads_like_a_companion_gets_its_key() -> None:
    editor = PartyEditor("<SYSTEM>\n# Party\n\n## Ada\n- Level 1\n</SYSTEM>\n")
    editor.set_class("Ada", "Monster Hunter")
    assert "- Class: Monster Hunter\n" in editor.text
    assert (editor.party[0].class_name, editor.party[0].character_type) == ("Monster Hunter", "")


TWINS = (
    "<SYSTEM>\n# Party\n\n## Ada\n- Level 1\n\n## ada\n- Level 2\n\n##\n- Level 3\n</SYSTEM>\n\n<User>Ada: Hi.</User>\n"
)


def test_namesakes_and_the_nameless_are_changed_by_their_place() -> None:
    editor = PartyEditor(TWINS)
    editor.set_level(1, 5)
    assert [one.level for one in editor.party] == [1, 5, 3]
    editor.set_character(1, editor.party[1].model_copy(update={"name": "Bo"}))
    editor.rename(2, "Cy")
    assert [one.name for one in editor.party] == ["Ada", "Bo", "Cy"]
    assert "<User>Ada: Hi.</User>" in editor.text, "the turns belong to the first of two namesakes"
    editor.remove(1)
    assert [(one.name, one.level) for one in editor.party] == [("Ada", 1), ("Cy", 3)]
    for place in (-1, 2):
        with pytest.raises(PartyError):
            editor.set_level(place, 1)


def test_a_copy_has_every_line_of_the_sheet(form: Callable[[str], str]) -> None:
    text = form(DRAGON.replace("## Ilse\n", "## Ilse\n- Afraid of: the dark\n"))
    for name in ("Tamsin", "Ilse", "Osk"):
        editor = PartyEditor(text)
        before = editor.party
        place = [one.name for one in before].index(name)
        editor.duplicate(name, "Copy")
        assert editor.party[place + 1] == before[place].model_copy(update={"name": "Copy"})
        assert changed(text, editor.text)[0] == []
        editor.remove("Copy")
        assert editor.party == before
    for taken in ("osk", ""):
        with pytest.raises(PartyError):
            PartyEditor(text).duplicate("Osk", taken)


@pytest.mark.parametrize("class_name", classes())
def test_a_class_of_the_srd_begins_with_numbers_that_no_check_remarks_on(class_name: str) -> None:
    for level in (1, 4, 11, 20):
        vocabulary = load_vocabulary()
        made = starting_character("Mira", "Player Character", f"Elf {class_name}", level, vocabulary)
        editor = PartyEditor("<User>I look.</User>\n\n<DM>You see.</DM>\n", vocabulary)
        editor.add(made)
        assert editor.party == [made]
        assert made.health.current == made.health.max
        assert len([one for one in made.stats if one.endswith("_save")]) == 2
        assert made.attacks
        assert made.armor_class is not None
        remarks = [one for one in MarkdownParser().validate_format(editor.text).diagnostics if one.code[0] == "R"]
        assert remarks == []


def test_the_numbers_of_a_level_are_those_of_the_rules() -> None:
    made = starting_character("Mira", "Player Character", "Dwarf Fighter", 5, load_vocabulary())
    assert [proficiency(level) for level in (-3, 1, 4, 5, 9, 13, 17, 20, 99)] == [2, 2, 2, 3, 4, 5, 6, 6, 6]
    assert (made.stats["strength"], made.stats["strength_save"], made.stats["athletics"]) == (4, 7, 7)
    assert made.health.max == 10 + 2 + 4 * (6 + 2)
    assert made.experience == Progress(current=6500, next_level=14000)
    assert made.attacks[0] == Attack(name="Greatsword", bonus=7, damage="2d6+4")
    assert made.armor_class == 16
    assert starting_character("X", "", "Wizard", 5, load_vocabulary()).spell_slots == {1: 4, 2: 3, 3: 2}
    stranger = starting_character("X", "", "Blood Weaver", 2, load_vocabulary())
    assert (stranger.level, stranger.stats, stranger.experience.next_level) == (2, {}, 900)
