"""Scenarios made by hypothesis: valid files with every construct that an operation looks at."""

from __future__ import annotations

from pathlib import Path

from hypothesis import strategies as st

from studio.scenarios import MarkdownParser, Severity, load_vocabulary, read_text
from studio.workspace import PROJECT_ROOT

SHIPPED = [
    *sorted((PROJECT_ROOT / "data").glob("scenarios/*/*.md")),
    *sorted((PROJECT_ROOT / "data" / "validation").glob("*.md")),
    PROJECT_ROOT / "tests" / "scenarios" / "seed_example.md",
]
VOCABULARY = load_vocabulary()
_ABILITY = {"stealth": 3, "perception": 1, "athletics": 2}
_NAMES = ["Sarah", "Thorin", "Joss", "Imra Vane", "Rose", "Nessa"]
_CLASSES = ["Rogue", "Dwarf Fighter", "Wizard", "Half-Orc Ranger"]
_PROSE = ["The rope holds.", "{Slowly|At last} the door gives way.", "A rose lies on the step.", "Nobody comes."]


def shipped_texts() -> list[tuple[str, str]]:
    """The shipped scenarios as (name, text)."""
    return [(f"{path.parent.name}/{path.name}", read_text(Path(path))) for path in SHIPPED]


def warnings_of(text: str) -> list[str]:
    """The codes of the warnings of a text; there must be no errors."""
    result = MarkdownParser().validate_format(text)
    assert result.errors == []
    return sorted(one.code for one in result.diagnostics if one.severity is Severity.WARNING)


@st.composite
def scenarios(draw: st.DrawFn) -> str:
    """A valid scenario."""
    names = draw(st.lists(st.sampled_from(_NAMES), min_size=1, max_size=3, unique=True))
    head = draw(
        st.sampled_from(["", "---\ntitle: A night\nauthor: Sarah\n---\n\n", "---\ntags: [level-2, dark]\n---\n"])
    )
    sheets = "\n\n".join(_sheet(name, draw) for name in names)
    turns = "\n\n".join(_exchange(draw, names) for _ in range(draw(st.integers(1, 5))))
    place = "The cellar of an inn near Hollin. Nobody in Hollin sleeps."
    system = f"<SYSTEM>\n# Role\nYou are the Dungeon Master.\n\n# Location\n{place}\n\n# Party\n\n{sheets}\n</SYSTEM>"
    return f"{head}{system}\n\n{turns}\n"


def _sheet(name: str, draw: st.DrawFn) -> str:
    level = draw(st.integers(1, 3))
    begins, ends = {1: (0, 300), 2: (300, 900), 3: (900, 2700)}[level]
    most = 8 + 6 * level
    return "\n".join(
        [
            f"## {name}",
            f"- {draw(st.sampled_from(['Player Character', 'NPC Companion']))}",
            f"- {draw(st.sampled_from(_CLASSES))}",
            f"- Level {level}",
            f"- Health: {draw(st.integers(most - 3, most))}/{most}",
            f"- Exp: {draw(st.integers(begins, ends - 1))}/{ends}",
            "- Abilities: Str +2, Dex +3, Con +1, Int +0, Wis +1, Cha +0",
            f"- Skills: {', '.join(f'{skill.capitalize()} +{bonus + 2}' for skill, bonus in _ABILITY.items())}",
            "- Attacks: Shortsword +5 (1d6+3)",
            f"- Inventory: Shortsword, {name}'s Lantern",
        ]
    )


def _exchange(draw: st.DrawFn, names: list[str]) -> str:
    who, prose = draw(st.sampled_from(names)), draw(st.sampled_from(_PROSE))
    said = draw(st.sampled_from([f"{who}: I go on, past {who}'s rope.", "I {wait|listen} for a while."]))
    if draw(st.booleans()):
        return f"<User>{said}</User>\n\n<DM>{prose} `{who}` is on the list at https://example.org/{names[0][:3]}.</DM>"
    skill = draw(st.sampled_from(sorted(_ABILITY)))
    die, bonus = draw(st.integers(1, 20)), _ABILITY[skill] + 2
    mode = draw(st.sampled_from(["", "advantage", "disadvantage"]))
    other = draw(st.integers(1, 20))
    kept = {"": die, "advantage": max(die, other), "disadvantage": min(die, other)}[mode]
    difficulty = draw(st.one_of(st.none(), st.integers(5, 25)))
    success = kept + bonus >= difficulty if difficulty else draw(st.booleans())
    words = [f"roll: {skill}", f"dc={difficulty}" if difficulty else "", f"who={who}", mode]
    shown = f"{kept} ({mode}: {die}, {other})" if mode else f"{die}"
    asked = f"[{', '.join(word for word in words if word)}]"
    told = {True: "*SUCCESS* It works.", False: "*FAILED* It does not work."}
    otherwise = f"\n\n<!-- otherwise:\n<DM>{told[not success]}</DM>\n-->" if draw(st.booleans()) else ""
    line = f"{skill}: {shown} + {bonus}(skill) = *{kept + bonus}*"
    return (
        f"<User>{said}</User>\n\n<DM>{prose}\n\n{asked}</DM>\n\n"
        f"<TOOLCALL>{line}</TOOLCALL>\n\n<DM>{told[success]}</DM>{otherwise}"
    )
