"""Six realistic scenes without a mistake give no finding; each of many single mistakes in them gives its one code."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from studio.scenarios import CheckSettings, Diagnostic, MarkdownParser, Severity, apply_fixes, fix_text
from studio.scenarios.checks import RULES

SCENES = {path.stem: path.read_text(encoding="utf-8") for path in Path(__file__).with_name("scenes").glob("*.md")}
PARSER = MarkdownParser()


@dataclass(frozen=True)
class Mistake:
    """In `scene`, `right` becomes `wrong`; `code` must be reported at `place`, and its fix must bring `fixed`.

    `fixed`: the text that must stand in the file after the fix; None when no fix can be offered.
    """

    code: str
    scene: str
    right: str
    wrong: str
    place: str
    fixed: str | None = None

    @property
    def text(self) -> str:
        """The scene with the mistake."""
        assert SCENES[self.scene].count(self.right) >= 1, self.right
        return SCENES[self.scene].replace(self.right, self.wrong, 1)


BRIDGE, COURT, PASS, LIBRARY, INN, WELL = (
    *("bridge_fight", "court_audience", "frozen_pass"),
    *("burning_library", "quiet_inn", "dying_breath"),
)
SLEIGHT = "sleight_of_hand: 10 + 5(skill) = *15*"
MISTAKES = [
    # tool calls
    Mistake("T001", INN, f"<TOOLCALL>{SLEIGHT}</TOOLCALL>\n\n", "", "[roll: sleight_of_hand, dc=15]", f">{SLEIGHT}<"),
    Mistake(
        *("T001", PASS, "\nacrobatics (Anneliese): 12 + 3(skill) = *15*", ""),
        *("[roll: acrobatics, dc=12, who=Anneliese]", "acrobatics (Anneliese): 8 + 3(skill) = *11*"),
    ),
    Mistake(
        *("T002", COURT, "\n\n[roll: performance]", ""),
        *("performance: 2 + 6(skill) = *8*", "[roll: performance]</DM>"),
    ),
    Mistake("T002", COURT, "performance: 2", "deception: 2", "deception: 2 + 6(skill) = *8*", "performance: 2"),
    Mistake(
        "T003",
        INN,
        "[roll: sleight_of_hand,",
        "[roll: slight_of_hnd,",
        "[roll: slight_of_hnd, dc=15]",
        "sleight_of_hand,",
    ),
    Mistake("T004", PASS, "survival: 14", "survial: 14", "survial: 14 + 4(skill) = *18*", "survival: 14"),
    Mistake(
        "T005", COURT, "11 + 6(skill) = *17*", "11 + 6(skill) = *18*", "persuasion: 11 + 6(skill) = *18*", "= *17*"
    ),
    Mistake(
        "T006", COURT, "2 + 6(skill) = *8*", "2 + 5(skill) = *7*", "performance: 2 + 5(skill) = *7*", "2 + 6(skill)"
    ),
    Mistake(
        "T007", PASS, "14 + 4(skill) = *18*", "14 + 3(skill) = *17*", "survival: 14 + 3(skill) = *17*", "+ 4(skill)"
    ),
    Mistake("T008", INN, "*SUCCESS* The purse", "*FAILED* The purse", "*FAILED*", "*SUCCESS* The purse"),
    Mistake("T009", INN, "*SUCCESS* The purse", "The purse", "The purse is light", "*SUCCESS* The purse"),
    Mistake("T010", INN, "<DM>Two carters", "<DM>*SUCCESS* Two carters", "*SUCCESS*", "<DM>Two carters"),
    Mistake("T011", INN, f">{SLEIGHT}<", ">a good fifteen<", "a good fifteen", f">{SLEIGHT}<"),
    Mistake("T012", INN, "dc=15]", "dc=15", "[roll: sleight_of_hand, dc=15", "dc=15]"),
    Mistake(
        "T013",
        BRIDGE,
        "weapon=shortbow, dc",
        "wepon=shortbow, dc",
        "[roll: attack, target=bandit, wepon=shortbow, dc=12]",
        "weapon=shortbow",
    ),
    Mistake("T014", INN, "dc=15]", "dc=hard]", "[roll: sleight_of_hand, dc=hard]", "[roll: sleight_of_hand]"),
    Mistake("T014", LIBRARY, "spell slot: 2nd", "spell slot: 12th", "[spell slot: 12th, who=Yuki]"),
    Mistake(
        "T015",
        BRIDGE,
        "dc=14, advantage]",
        "dc=14, advantage, disadvantage]",
        "[roll: athletics, dc=14, advantage, disadvantage]",
        "[roll: athletics, dc=14]",
    ),
    Mistake("T016", PASS, "[rest: long]", "[rest:]", "[rest:]", "[rest: short]"),
    Mistake(
        "T017",
        INN,
        "[roll: sleight_of_hand, dc=15]",
        "[Roll: Sleight of Hand (DC 15)]",
        "[Roll: Sleight of Hand (DC 15)]",
        "[roll: sleight_of_hand, dc=15]",
    ),
    Mistake("T017", INN, "[rest: long]", "[long rest]", "[long rest]", "[rest: long]"),
    Mistake(
        "T018",
        INN,
        "[roll: sleight_of_hand, dc=15]",
        "[sleight of hand check, dc=15]",
        "[sleight of hand check, dc=15]",
        "[roll: sleight_of_hand, dc=15]",
    ),
    Mistake("T019", INN, SLEIGHT, "Sleight of Hand: 10 + 5 = 15", "Sleight of Hand: 10 + 5 = 15", SLEIGHT),
    Mistake(
        "T020",
        COURT,
        "6 (disadvantage: 6, 17) + 3(skill) = *9*",
        "17 (disadvantage: 6, 17) + 3(skill) = *20*",
        "insight: 17 (disadvantage: 6, 17) + 3(skill) = *20*",
        "insight: 6 (disadvantage: 6, 17) + 3(skill) = *9*",
    ),
    Mistake("T021", COURT, "2 + 6(skill) = *8*", "22 + 6(skill) = *28*", "performance: 22 + 6(skill) = *28*"),
    Mistake(
        "T022",
        COURT,
        ", dc=15, disadvantage]",
        ", dc=15]",
        "insight: 6 (disadvantage: 6, 17) + 3(skill) = *9*",
        "insight: 6 + 3(skill) = *9*",
    ),
    Mistake(
        "T023",
        PASS,
        "dc=12, who=Anneliese]",
        "dc=12, who=Annliese]",
        "[roll: acrobatics, dc=12, who=Annliese]",
        "who=Anneliese]",
    ),
    Mistake(
        "T023",
        WELL,
        "[spell slot: 1st, who=Finn]",
        "[spell slot: 1st, who=Fin]",
        "[spell slot: 1st, who=Fin]",
        "who=Finn]",
    ),
    Mistake(
        "T024",
        COURT,
        "[roll: performance]",
        "`[roll: performance]`",
        "[roll: performance]",
        "\n\n[roll: performance]</DM>",
    ),
    Mistake(
        "T025",
        LIBRARY,
        "9 + 7 + 4(bonus) = *20*",
        "9 + 7 + 2 + 4(bonus) = *22*",
        "damage (Brüna): 9 + 7 + 2 + 4(bonus) = *22*",
    ),
    Mistake("T026", INN, "Does anybody look rich?", "[roll: perception]", "[roll: perception]", "who comes in.</User>"),
    Mistake(
        "T027",
        PASS,
        "\n\n[roll: medicine]",
        " Make a medicine check.",
        "Make a medicine check",
        "check.\n\n[roll: medicine]</DM>",
    ),
    Mistake("T028", INN, "*SUCCESS* The purse", "**Success!** The purse", "**Success!**", "*SUCCESS* The purse"),
    Mistake("T029", WELL, "0 + 9 = *9*", "0 + 8 = *8*", "hit points (Ülkü): 0 + 8 = *8*", "0 + 9 = *9*"),
    # the file
    Mistake("S003", INN, "Does anybody look rich?</User>", "Does anybody look rich?", "<User>", "rich?</User>"),
    Mistake("S004", INN, "look rich?</User>", "look rich?</DM>", "</DM>", "look rich?</User>"),
    Mistake("S005", INN, "<DM>Two carters", "Two carters", "</DM>", "<DM>Two carters"),
    Mistake(
        "S006",
        WELL,
        "<!-- Ülkü fell in the first round. -->",
        "Ülkü fell in the first round.",
        "Ülkü fell in the first round.",
        "<!-- Ülkü fell",
    ),
    Mistake("S007", INN, "<DM>Two carters", "< dm >Two carters", "< dm >", "<DM>Two carters"),
    Mistake(
        "S012",
        WELL,
        "title: One Breath More",
        "title: Breath: one more",
        "---\ntitle: Breath",
        'title: "Breath: one more"',
    ),
    Mistake("S013", WELL, "scenario_type: mixed", "scenario_type: mixd", "mixd", "scenario_type: mixed"),
    Mistake("S020", WELL, "## Finn", "## Ülkü", "## Ülkü", "## Ülkü 2"),
    Mistake("S021", INN, "Health: 9/9", "Health: nine", "Health: nine"),
    Mistake("S022", INN, "- Inventory:", "- Inventry:", "Inventry: Dagger", "- Inventory:"),
    # rules of the game
    Mistake("R002", WELL, "Cure Wounds, Guidance", "Cure Wounds, Mass Cure Wounds, Guidance", "Mass Cure Wounds"),
    Mistake("R004", COURT, "Vicious Mockery", "Vicous Mockery", "Vicous Mockery", "Vicious Mockery"),
    Mistake("R005", INN, "Thieves' Tools", "Theives' Tols", "Theives' Tols", "Thieves' Tools"),
    Mistake("R006", BRIDGE, "7000/14000", "7000/15000", "Exp: 7000/15000", "7000/14000"),
    Mistake("R007", INN, "Exp: 0/300", "Exp: 310/300", "Exp: 310/300"),
    Mistake("R008", PASS, "Health: 24/24", "Health: 42/24", "Health: 42/24", "Health: 24/24"),
    Mistake("R010", LIBRARY, "3rd x2", "3rd x4", "Spell Slots: 1st x4, 2nd x3, 3rd x4"),
    Mistake(
        "R011",
        LIBRARY,
        "[condition: paralyzed",
        "[condition: paralised",
        "[condition: paralised, who=Fire Mage]",
        "[condition: paralyzed",
    ),
    Mistake("R012", WELL, "[spell slot: 1st, who=Finn]", "[spell slot: 3rd, who=Finn]", "[spell slot: 3rd, who=Finn]"),
    Mistake("R014", PASS, "Rations x3, who", "Rations x8, who", "[inventory: remove Rations x8, who=Matthäus]"),
    # writing
    Mistake("W001", INN, "Rain taps on the shutters.", "You decide to follow her.", "You decide to"),
    Mistake("W001", COURT, "Kenji breathes out behind you.", "愛子 says that it honours her.", "愛子 says"),
    Mistake(
        "W002",
        COURT,
        "[roll: performance]",
        "[roll: performance]\n\nThe song ends and nobody in the hall claps.",
        "The song ends and nobody in the hall claps.",
    ),
    Mistake("W002", PASS, "nothing grates when you move it.", "you manage to bind it tightly.", "you manage to"),
    Mistake(
        "W003", INN, "Rain taps on the shutters.", " ".join(f"Rain taps on shutter {n}." for n in range(60)), "<DM>"
    ),
    Mistake(
        "W004",
        INN,
        "there is a wet glove on the sill.",
        "the road.</DM>\n\n<User>And?</User>\n\n<DM>The marsh talks to itself all night.",
        "The marsh talks to itself all night",
    ),
    Mistake("W008", INN, "Rain taps on the shutters.", "TODO weather.", "TODO"),
]


def findings(text: str) -> list[Diagnostic]:
    return PARSER.validate_format(text).diagnostics


@pytest.mark.parametrize("name", sorted(SCENES))
def test_a_scene_without_a_mistake_gives_no_finding(name: str) -> None:
    assert findings(SCENES[name]) == []


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda one: f"{one.code}-{one.scene}-{one.wrong[:20]!r}")
def test_one_mistake_gives_one_finding_at_its_place(mistake: Mistake) -> None:
    (found,) = findings(mistake.text)
    assert found.code == mistake.code
    assert found.severity is RULES[mistake.code].severity
    assert mistake.text[found.span.start : found.span.end].startswith(mistake.place)
    assert len(found.message) > 25
    assert (
        found.message.rstrip("`*)]\"'=").endswith((".", "?", "!")) or "Write" in found.message or ":" in found.message
    )


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda one: f"{one.code}-{one.scene}-{one.wrong[:20]!r}")
def test_the_fix_cures_it_and_nothing_else_breaks(mistake: Mistake) -> None:
    (found,) = findings(mistake.text)
    assert (found.fix is not None) == (mistake.fixed is not None)
    if mistake.fixed is not None:
        fixed = apply_fixes(mistake.text, [found])
        assert mistake.fixed in fixed
        assert mistake.code not in {one.code for one in findings(fixed)}
        assert [one for one in findings(fixed) if one.severity is Severity.ERROR] == []


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda one: f"{one.code}-{one.scene}-{one.wrong[:20]!r}")
def test_safe_fixes_never_change_who_says_what_and_how_it_ends(mistake: Mistake) -> None:
    before = PARSER.parse_text(mistake.text)
    after = PARSER.parse_text(fix_text(mistake.text, PARSER).text)
    assert [turn.speaker for turn in after.conversation] == [turn.speaker for turn in before.conversation]
    calls = [[call.tool_name for call in turn.tool_calls] for turn in before.conversation]
    assert [[call.tool_name for call in turn.tool_calls] for turn in after.conversation] == calls


@pytest.mark.parametrize(
    ("dc", "total", "story", "safe"),
    [
        ("", 18, "*SUCCESS*", True),
        (", dc=12", 18, "*SUCCESS*", True),
        (", dc=16", 14, "*SUCCESS*", False),
        (", dc=16", 18, "*FAILED*", False),
        (", dc=18", 19, "*SUCCESS*", False),
        (", dc=20", 18, "*FAILED*", True),
    ],
)
def test_a_sum_is_only_a_safe_fix_where_it_cannot_turn_the_outcome(dc: str, total: int, story: str, safe: bool) -> None:
    text = SCENES[COURT].replace("[roll: persuasion, dc=13]", f"[roll: persuasion{dc}]")
    text = text.replace("11 + 6(skill) = *17*", f"11 + 6(skill) = *{total}*").replace("*SUCCESS* Lord", f"{story} Lord")
    (found,) = findings(text)
    assert (found.code, found.fix and found.fix.safe) == ("T005", safe)


@pytest.mark.parametrize("level", ["error", "warning", "info", "off"])
def test_front_matter_and_configuration_set_the_severity_of_a_code(level: str) -> None:
    wrong = SCENES[WELL].replace("0 + 9 = *9*", "0 + 8 = *8*")
    by_file = wrong.replace("{W003: info}", f"{{T029: {level}}}")
    settings = CheckSettings.model_validate({"severity": {"T029": level}})
    for found in (findings(by_file), MarkdownParser(settings=settings).validate_format(wrong).diagnostics):
        assert [one.severity for one in found] == ([] if level == "off" else [Severity(level)])


def test_the_front_matter_wins_over_the_configuration() -> None:
    wrong = SCENES[WELL].replace("0 + 9 = *9*", "0 + 8 = *8*").replace("{W003: info}", "{T029: error}")
    settings = CheckSettings.model_validate({"severity": {"T029": "off"}})
    (found,) = MarkdownParser(settings=settings).validate_format(wrong).diagnostics
    assert found.severity is Severity.ERROR


def test_a_natural_twenty_hits_whatever_the_dc_says() -> None:
    text = (
        SCENES[BRIDGE]
        .replace("weapon=shortbow, dc=12", "weapon=shortbow, dc=30")
        .replace("attack: 11 + 7(attack) = *18*", "attack: 20 + 7(attack) = *27*")
    )
    assert findings(text) == []
    (found,) = findings(text.replace("*SUCCESS* The arrow", "*FAILED* The arrow"))
    assert found.code == "R013"
    assert found.fix is not None


NOT_A_MISTAKE = [
    (INN, "Rain taps on the shutters.", "[The shutters rattle.] Rain taps on them [1]."),
    (INN, "Rain taps on the shutters.", 'She reads: "You say nothing, you see nothing." Then she burns it.'),
    (INN, "Rain taps on the shutters.", "If you say a word, the priest will wake."),
    (INN, "I thank her,", "I say good night,"),
    (INN, "[inventory: add Signet Ring", "[inventory: add The Ring of Somebody's Aunt"),
    (COURT, "The screen is paper", "You can roll up the matting if you need to. The screen is paper"),
    (COURT, "Two retainers look at the floor.", "Let us see whether you find the right key."),
    (BRIDGE, "[hit points: -8, who=Jörg]", "[hit points: -8, who=Jörg]\n[condition: exhaustion 2, who=Jörg]"),
    (BRIDGE, "[hit points: -8, who=Jörg]", "[hit points: -8, who=Jörg]\n[condition: on fire, who=Jörg]"),
    (LIBRARY, "Fire Bolt, Shield,", "Fire Bolt (cantrip), Shield,"),
]


@pytest.mark.parametrize(("scene", "right", "other"), NOT_A_MISTAKE)
def test_what_only_looks_like_a_mistake_is_left_alone(scene: str, right: str, other: str) -> None:
    assert right in SCENES[scene]
    assert findings(SCENES[scene].replace(right, other, 1)) == []


def test_homebrew_is_at_most_information() -> None:
    own = (
        SCENES[COURT]
        .replace("Vicious Mockery,", "Moonlit Lament of the Ninth House,")
        .replace("Lute,", "Biwa of Storms,")
    )
    assert {one.severity for one in findings(own)} <= {Severity.INFO}
    assert {one.code for one in findings(own)} == {"R004"}


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_every_rule_explains_itself_in_sentences(rule: object) -> None:
    assert 8 < len(rule.title) < 70
    assert rule.why.endswith((".", ")", "-->.", "`."))
    assert len(rule.why.split()) >= 5


WITHOUT_A_FIX = {
    "S019": "nobody but the author knows the name",
    "T021": "the number that was thrown is not in the file",
}


@pytest.mark.parametrize("code", [rule.code for rule in RULES.values() if rule.severity is Severity.ERROR])
def test_every_error_has_a_click_that_cures_it_but_for_the_listed_ones(code: str) -> None:
    text = RULES[code].example_file
    offered = [one for one in findings(text) if one.code == code and one.fix is not None]
    assert bool(offered) != (code in WITHOUT_A_FIX)
    for one in offered:
        assert code not in {left.code for left in findings(apply_fixes(text, [one]))}
