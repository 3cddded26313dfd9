"""The T codes: whether requests, answers and outcomes fit together."""

from __future__ import annotations

from studio.scenarios.checks.rule import ERROR, INFO, WARNING, Rule

_ASK = "<User>I sneak.</User>\n\n<DM>Go on.\n\n[roll: stealth]</DM>\n\n"
_ANSWER = "<TOOLCALL>stealth: 9 + 7(skill) = *16*</TOOLCALL>\n\n"
_TOLD = "<DM>*SUCCESS* Nobody hears you.</DM>"
_GOOD = _ASK + _ANSWER + _TOLD

NO_ANSWER = Rule(
    "T001",
    "A request without an answer",
    ERROR,
    "The model learns to go on without waiting for the dice. A request in the very last turn is fine.",
    "turns",
    _ASK + _TOLD,
    _GOOD,
)
NO_REQUEST = Rule(
    "T002",
    "An answer that nothing asked for",
    ERROR,
    "In play a TOOLCALL only follows a request; the model would learn that results appear by themselves.",
    "turns",
    "<User>I sneak.</User>\n\n<DM>Go on.</DM>\n\n" + _ANSWER + _TOLD,
    _GOOD,
)
UNKNOWN_REQUEST = Rule(
    "T003",
    "A request for something unknown",
    ERROR,
    "The engine can only do what config/tools.yaml names; in play this request would stay unanswered.",
    "turns",
    _GOOD.replace("[roll: stealth]", "[roll: steelth]"),
    _GOOD,
)
UNKNOWN_RESULT = Rule(
    "T004",
    "A result with an unknown name",
    ERROR,
    "The answer cannot be matched with its request.",
    "turns",
    _GOOD.replace("stealth: 9", "steelth: 9"),
    _GOOD,
)
WRONG_SUM = Rule(
    "T005",
    "A sum that does not add up",
    ERROR,
    "A model that reads wrong sums learns that totals are arbitrary.",
    "turns",
    _GOOD.replace("*16*", "*18*"),
    _GOOD,
)
NOBODYS_MODIFIER = Rule(
    "T006",
    "A modifier that is on nobody's sheet",
    WARNING,
    "The model is shown the sheets: numbers that contradict them teach it to ignore them.",
    "turns",
    _GOOD.replace("7(skill) = *16*", "4(skill) = *13*"),
    _GOOD,
)
OTHERS_MODIFIER = Rule(
    "T007",
    "The modifier of somebody else",
    INFO,
    "The one who acts has another bonus on the sheet.",
    "file",
    "<SYSTEM>\n# Role\nDM\n# World\nA\n# Location\nB\n# Party\n## Sarah\n- Player Character\n- Level 3\n"
    "- Health: 22/22\n- Skills: Stealth +7\n## Bo\n- Player Character\n- Level 3\n- Health: 20/20\n"
    "- Skills: Stealth +1\n</SYSTEM>\n" + _GOOD.replace("I sneak", "Bo: I sneak"),
    "<SYSTEM>\n# Role\nDM\n# World\nA\n# Location\nB\n# Party\n## Sarah\n- Player Character\n- Level 3\n"
    "- Health: 22/22\n- Skills: Stealth +7\n## Bo\n- Player Character\n- Level 3\n- Health: 20/20\n"
    "- Skills: Stealth +1\n</SYSTEM>\n" + _GOOD.replace("I sneak", "Sarah: I sneak"),
)
WRONG_OUTCOME = Rule(
    "T008",
    "An outcome that contradicts the roll",
    ERROR,
    "A total that reaches the difficulty class is a success, a lower one is not; otherwise dice mean nothing.",
    "turns",
    _GOOD.replace("[roll: stealth]", "[roll: stealth, dc=18]"),
    _GOOD.replace("[roll: stealth]", "[roll: stealth, dc=15]"),
)
NO_OUTCOME = Rule(
    "T009",
    "The outcome word is missing",
    WARNING,
    "The turn after a check, save or attack begins with *SUCCESS* or *FAILED*: the model decides before it narrates.",
    "turns",
    _ASK + _ANSWER + "<DM>Nobody hears you.</DM>",
    _GOOD,
)
STRAY_OUTCOME = Rule(
    "T010",
    "An outcome without a roll",
    WARNING,
    "The model would learn to declare success without asking for dice.",
    "turns",
    "<User>I sneak.</User>\n\n" + _TOLD,
    _GOOD,
)
UNREADABLE_RESULT = Rule(
    "T011",
    "A result line that cannot be read",
    ERROR,
    "A TOOLCALL turn holds lines such as `stealth: 9 + 7(skill) = *16*` and nothing else.",
    "turns",
    _ASK + "<TOOLCALL>she rolls well</TOOLCALL>\n\n" + _TOLD,
    _GOOD,
)
NO_BRACKET = Rule(
    "T012",
    "The closing bracket of a request is missing",
    ERROR,
    "In play the engine waits for the bracket and nothing is rolled.",
    "turns",
    _GOOD.replace("[roll: stealth]", "[roll: stealth"),
    _GOOD,
)
UNKNOWN_ARGUMENT = Rule(
    "T013",
    "An argument that the request does not take",
    ERROR,
    "The studio does not know what to do with it, and would roll as if it were not there.",
    "turns",
    _GOOD.replace("[roll: stealth]", "[roll: stealth, advantge]"),
    _GOOD.replace("[roll: stealth]", "[roll: stealth, dc=15]"),
)
BAD_VALUE = Rule(
    "T014",
    "A value that does not fit the argument",
    ERROR,
    "The studio can only roll with a number, with dice, or with one of the words that it knows here.",
    "turns",
    _GOOD.replace("[roll: stealth]", "[roll: stealth, dc=hard]"),
    _GOOD.replace("[roll: stealth]", "[roll: stealth, dc=15]"),
)
CONFLICTING = Rule(
    "T015",
    "Arguments that conflict",
    ERROR,
    "The studio cannot know which of two values is meant; advantage and disadvantage cancel each other out.",
    "turns",
    _GOOD.replace("[roll: stealth]", "[roll: stealth, dc=15, dc=12]"),
    _GOOD.replace("[roll: stealth]", "[roll: stealth, dc=15]"),
)
INCOMPLETE = Rule(
    "T016",
    "A request that says too little",
    ERROR,
    "The engine cannot tell what to roll or to change.",
    "turns",
    "<User>I rest.</User>\n\n<DM>You sleep.\n\n[rest:]</DM>",
    "<User>I rest.</User>\n\n<DM>You sleep.\n\n[rest: long]</DM>",
)
REQUEST_SPELLING = Rule(
    "T017",
    "A request in another spelling",
    WARNING,
    "A small model learns one spelling faster than three.",
    "turns",
    _GOOD.replace("[roll: stealth]", "[Roll:Stealth]"),
    _GOOD,
)
NO_KEYWORD = Rule(
    "T018",
    "A request without `roll:`",
    ERROR,
    "The engine only acts on `[roll: NAME]`.",
    "turns",
    _GOOD.replace("[roll: stealth]", "[stealth check]"),
    _GOOD,
)
RESULT_SPELLING = Rule(
    "T019",
    "A result in another spelling",
    WARNING,
    "In play the engine always writes `name: die + bonus(label) = *total*`; training text should look the same.",
    "turns",
    _GOOD.replace("*16*", "16"),
    _GOOD,
)
WRONG_PICK = Rule(
    "T020",
    "The wrong die was kept",
    ERROR,
    "Advantage keeps the higher die, disadvantage the lower.",
    "turns",
    _GOOD.replace("[roll: stealth]", "[roll: stealth, advantage]").replace("9 +", "9 (advantage: 9, 14) +"),
    _GOOD.replace("[roll: stealth]", "[roll: stealth, advantage]").replace("9 +", "9 (advantage: 9, 4) +"),
)
IMPOSSIBLE_DIE = Rule(
    "T021",
    "A die that cannot show this number",
    ERROR,
    "A twenty-sided die shows 1 to 20.",
    "turns",
    _GOOD.replace("9 + 7(skill) = *16*", "23 + 7(skill) = *30*"),
    _GOOD,
)
MODE_DIFFERS = Rule(
    "T022",
    "Request and answer differ about advantage",
    WARNING,
    "With advantage or disadvantage the answer shows both dice: `15 (advantage: 7, 15)`.",
    "turns",
    _GOOD.replace("[roll: stealth]", "[roll: stealth, advantage]"),
    _GOOD,
)
UNKNOWN_ACTOR = Rule(
    "T023",
    "A name that is like one of the party",
    WARNING,
    "The bonus is looked up by name; others than the party (a goblin) are fine.",
    "turns",
    _GOOD.replace("[roll: stealth]", "[roll: stealth, who=Sarha]"),
    _GOOD.replace("[roll: stealth]", "[roll: stealth, who=Sarah]"),
)
IN_CODE = Rule(
    "T024",
    "A request inside code",
    WARNING,
    "Text between backticks is quoted, not asked: the engine does not see it.",
    "turns",
    "<User>I sneak.</User>\n\n<DM>Go on.\n\n`[roll: stealth]`</DM>",
    _GOOD,
)
DICE_COUNT = Rule(
    "T025",
    "The dice do not fit the expression",
    WARNING,
    "2d6 shows two dice, each 1 to 6.",
    "turns",
    "<User>I hit it.</User>\n\n<DM>Damage!\n\n[roll: damage, dice=2d6]</DM>\n\n<TOOLCALL>damage: 9 = *9*</TOOLCALL>\n\n"
    "<DM>It falls.</DM>",
    "<User>I hit it.</User>\n\n<DM>Damage!\n\n[roll: damage, dice=2d6]</DM>\n\n<TOOLCALL>damage: 5 + 4 = *9*</TOOLCALL>"
    "\n\n<DM>It falls.</DM>",
)
PLAYER_ASKS = Rule(
    "T026",
    "A player writes a request",
    WARNING,
    "Only the DM asks for rolls; the player says what she does.",
    "turns",
    "<User>I sneak. [roll: stealth]</User>\n\n<DM>Nobody hears you.</DM>",
    "<User>I sneak.</User>\n\n<DM>Nobody hears you.</DM>",
)
ASKS_IN_WORDS = Rule(
    "T027",
    "A roll is asked for in words only",
    WARNING,
    "This is the very thing the model should learn: say it, and write the request, or nothing is rolled.",
    "turns",
    "<User>I sneak.</User>\n\n<DM>Make a stealth check.</DM>",
    "<User>I sneak.</User>\n\n<DM>Make a stealth check.\n\n[roll: stealth]</DM>",
)
OUTCOME_SPELLING = Rule(
    "T028",
    "The outcome word in another spelling",
    WARNING,
    "The words are *SUCCESS* and *FAILED*, in single stars.",
    "turns",
    _GOOD.replace("*SUCCESS*", "**Success!**"),
    _GOOD,
)
OTHER_CHANGE = Rule(
    "T029",
    "An answer that changes something else than the request",
    WARNING,
    "A change and its answer must agree, or the book-keeping in the text teaches the model to miscount.",
    "turns",
    "<User>I jump.</User>\n\n<DM>The landing is hard.\n\n[hit points: -6, who=Sarah]</DM>\n\n"
    "<TOOLCALL>hit points (Sarah): 22 - 4 = *18*</TOOLCALL>\n\n<DM>Your ankle throbs.</DM>",
    "<User>I jump.</User>\n\n<DM>The landing is hard.\n\n[hit points: -6, who=Sarah]</DM>\n\n"
    "<TOOLCALL>hit points (Sarah): 22 - 6 = *16*</TOOLCALL>\n\n<DM>Your ankle throbs.</DM>",
)
