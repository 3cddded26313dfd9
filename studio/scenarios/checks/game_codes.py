"""The R codes: whether it keeps to the rules of the game. Homebrew is legal, so nothing here is an error."""

from __future__ import annotations

from studio.scenarios.checks.rule import INFO, WARNING, Rule

_WIZARD = "- Player Character\n- Wizard\n- Level 3\n- Health: 18/18\n- Exp: 900/2700\n"
_FIGHT = (
    "<User>I hit it.</User>\n\n<DM>Roll!\n\n[roll: attack, who=Sarah]</DM>\n\n<TOOLCALL>attack: {} + 5(attack) = *{}*"
)
_FIGHT += "</TOOLCALL>\n\n<DM>*{}* So it goes.</DM>"
_CASTER = (
    f"<SYSTEM>\n# Role\nDM\n# World\nA\n# Location\nB\n# Party\n## Sarah\n{_WIZARD}- Spell Slots: 1st 4\n</SYSTEM>\n"
)
_CASTER += "<User>Now!</User>\n"

BAD_LEVEL = Rule(
    "R001",
    "A level outside 1 to 20",
    WARNING,
    "Spells, slots and bonuses are looked up in the class tables, which end at level 20.",
    "sheet",
    _WIZARD.replace("Level 3", "Level 30").replace("Exp: 900/2700", "Exp: 1"),
    _WIZARD,
)
SPELL_TOO_HIGH = Rule(
    "R002",
    "A spell above the class level",
    WARNING,
    "A character of this class and level has no slot of that level.",
    "sheet",
    _WIZARD + "- Spells: Fireball",
    _WIZARD + "- Spells: Scorching Ray",
)
OTHER_CLASS_SPELL = Rule(
    "R003",
    "A spell of another class",
    INFO,
    "It is not on the class's spell list in the SRD; feats and multiclassing may allow it.",
    "sheet",
    _WIZARD + "- Spells: Cure Wounds",
    _WIZARD + "- Spells: Shield",
)
UNKNOWN_SPELL = Rule(
    "R004",
    "A spell that the SRD does not know",
    INFO,
    "Fine if it is yours; otherwise look at the spelling.",
    "sheet",
    _WIZARD + "- Spells: Magic Misile",
    _WIZARD + "- Spells: Magic Missile",
)
UNKNOWN_ITEM = Rule(
    "R005",
    "An item much like one of the SRD",
    INFO,
    "Fine if it is yours; otherwise look at the spelling.",
    "sheet",
    _WIZARD + "- Inventory: Qarterstaff",
    _WIZARD + "- Inventory: Quarterstaff",
)
NEXT_LEVEL = Rule(
    "R006",
    "The experience for the next level is another",
    WARNING,
    "The second number of `Exp` is the total at which the next level begins.",
    "sheet",
    _WIZARD.replace("2700", "2600"),
    _WIZARD,
)
LEVEL_EXPERIENCE = Rule(
    "R007",
    "Experience and level do not fit",
    INFO,
    "A table that gives levels by milestone may ignore this, or turn R007 off.",
    "sheet",
    _WIZARD.replace("900/", "750/"),
    _WIZARD,
)
HEALTH_RANGE = Rule(
    "R008",
    "Hit points out of range",
    WARNING,
    "The first number lies between 0 and the second; temporary hit points are written apart.",
    "sheet",
    _WIZARD.replace("18/18", "20/18"),
    _WIZARD,
)
HEALTH_TOO_HIGH = Rule(
    "R009",
    "More hit points than the class can have",
    INFO,
    "Even the best rolls and constitution give fewer at this level.",
    "sheet",
    _WIZARD.replace("18/18", "99/99"),
    _WIZARD,
)
TOO_MANY_SLOTS = Rule(
    "R010",
    "More spell slots than the class has",
    WARNING,
    "The class table gives fewer slots at this level.",
    "sheet",
    _WIZARD + "- Spell Slots: 1st 4, 2nd 5",
    _WIZARD + "- Spell Slots: 1st 4, 2nd 2",
)
UNKNOWN_CONDITION = Rule(
    "R011",
    "A condition much like one of the SRD",
    INFO,
    "Fine if it is yours; otherwise look at the spelling.",
    "turns",
    "<User>I drink.</User>\n\n<DM>Bitter.\n\n[condition: poisened, who=Sarah]</DM>",
    "<User>I drink.</User>\n\n<DM>Bitter.\n\n[condition: poisoned, who=Sarah]</DM>",
)
NO_SUCH_SLOT = Rule(
    "R012",
    "A spell slot that the character does not have",
    WARNING,
    "The sheet lists the slots by level; a long rest brings them back, and so does [spell slot: restore 1st].",
    "file",
    _CASTER + "<DM>Fire.\n\n[spell slot: 3rd, who=Sarah]</DM>",
    _CASTER + "<DM>Fire.\n\n[spell slot: 1st, who=Sarah]</DM>",
)
NATURAL_TWENTY = Rule(
    "R013",
    "A natural 20 that misses or a natural 1 that hits",
    WARNING,
    "An attack with a natural 20 always hits, with a natural 1 it always misses.",
    "turns",
    _FIGHT.format(20, 25, "FAILED"),
    _FIGHT.format(20, 25, "SUCCESS"),
)
NOT_CARRIED = Rule(
    "R014",
    "An item is taken that the character does not carry",
    INFO,
    "The inventory on the sheet does not have it, and no turn before gave it.",
    "turns",
    "<User>I throw it.</User>\n\n<DM>Gone.\n\n[inventory: remove Warhorn, who=Sarah]</DM>",
    "<User>I throw it.</User>\n\n<DM>Gone.\n\n[inventory: remove Rope, who=Sarah]</DM>",
)
BONUS_TOO_HIGH = Rule(
    "R015",
    "A bonus beyond the rules",
    INFO,
    "Ability modifier and twice the proficiency bonus give less at this level; magic may explain it.",
    "sheet",
    _WIZARD + "- Skills: Arcana +17",
    _WIZARD + "- Skills: Arcana +7",
)
UNKNOWN_CLASS = Rule(
    "R016",
    "A class much like one of the SRD",
    INFO,
    "Spells, slots and hit points can only be checked for classes of the SRD.",
    "sheet",
    _WIZARD.replace("Wizard", "Wizzard"),
    _WIZARD,
)
