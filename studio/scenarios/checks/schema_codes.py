"""The S codes: whether the file is put together as a scenario."""

from __future__ import annotations

from studio.scenarios.checks.rule import ERROR, INFO, WARNING, Rule

_SYSTEM = "<SYSTEM>\n# Role\nYou are the DM.\n\n# World\nFaerun\n\n# Location\nA cellar\n\n# Party\n</SYSTEM>\n\n"
_TALK = "<User>Hello?</User>\n\n<DM>Nobody answers.</DM>\n"

NO_SYSTEM = Rule(
    "S001",
    "The SYSTEM block is missing",
    ERROR,
    "Without it the model learns to play without knowing who it is, where it is, or who sits at the table.",
    "file",
    _TALK,
    _SYSTEM + _TALK,
)
SECOND_SYSTEM = Rule(
    "S002",
    "A second SYSTEM block",
    ERROR,
    "Only the first one is read; what the second says is lost.",
    "file",
    _SYSTEM + _SYSTEM + _TALK,
    _SYSTEM + _TALK,
)
NOT_CLOSED = Rule(
    "S003",
    "A block is not closed",
    ERROR,
    "The studio has to guess where the turn ends, and so would the next reader of the file.",
    "turns",
    "<User>I look around.\n\n<DM>You see a door.</DM>",
    "<User>I look around.</User>\n\n<DM>You see a door.</DM>",
)
WRONG_CLOSE = Rule(
    "S004",
    "A block is closed by another tag",
    ERROR,
    "One of the two tags is a slip, and the words may end up in the wrong mouth.",
    "turns",
    "<User>I look around.</DM>\n\n<DM>You see a door.</DM>",
    "<User>I look around.</User>\n\n<DM>You see a door.</DM>",
)
STRAY_CLOSE = Rule(
    "S005",
    "A closing tag with nothing to close",
    ERROR,
    "Usually the opening tag was lost, and then nobody says the words before it.",
    "turns",
    "<User>I look around.</User></User>\n\n<DM>You see a door.</DM>",
    "<User>I look around.</User>\n\n<DM>You see a door.</DM>",
)
OUTSIDE = Rule(
    "S006",
    "Text outside every block",
    ERROR,
    "The model never sees it. Notes to yourself belong in a comment: <!-- like this -->.",
    "turns",
    "Remember the trap!\n\n<User>I look around.</User>\n\n<DM>You see a door.</DM>",
    "<!-- Remember the trap! -->\n\n<User>I look around.</User>\n\n<DM>You see a door.</DM>",
)
TAG_SPELLING = Rule(
    "S007",
    "A tag in another spelling",
    WARNING,
    "The studio understands it, other tools may not: the tags are <SYSTEM>, <User>, <DM> and <TOOLCALL>.",
    "turns",
    "<user>I look around.</user>\n\n<Dm>You see a door.</Dm>",
    "<User>I look around.</User>\n\n<DM>You see a door.</DM>",
)
EMPTY_TURN = Rule(
    "S008",
    "A turn without text",
    ERROR,
    "An empty DM turn teaches the model to say nothing.",
    "turns",
    "<User>I look around.</User>\n\n<DM></DM>\n\n<DM>You see a door.</DM>",
    "<User>I look around.</User>\n\n<DM>You see a door.</DM>",
)
NO_DM_TURN = Rule(
    "S009",
    "No DM turn",
    ERROR,
    "The model is trained on DM turns only: there is nothing to learn here.",
    "turns",
    "<User>I look around.</User>",
    "<User>I look around.</User>\n\n<DM>You see a door.</DM>",
)
NO_SECTION = Rule(
    "S010",
    "A section of the SYSTEM block is missing",
    WARNING,
    "Role, World, Location and Party are what the model is told before every game.",
    "file",
    "<SYSTEM>\n# Role\nYou are the DM.\n\n# World\nFaerun\n\n# Party\n</SYSTEM>\n\n" + _TALK,
    _SYSTEM + _TALK,
)
DOUBLE_SECTION = Rule(
    "S011",
    "A section appears twice",
    WARNING,
    "The studio reads the first one; the model is shown both, and they may contradict each other.",
    "file",
    "<SYSTEM>\n# Role\nYou are the DM.\n\n# World\nFaerun\n\n# World\nEberron\n\n# Location\nA cellar\n\n# Party\n"
    "</SYSTEM>\n\n" + _TALK,
    _SYSTEM + _TALK,
)
BAD_FRONT_MATTER = Rule(
    "S012",
    "The front matter cannot be read",
    ERROR,
    "Until these lines can be read, the title, the type and the tags in them count for nothing. A value with a colon "
    "stands in quotes, and a line of three dashes stands before and after.",
    "file",
    "---\ntitle: [unclosed\n---\n" + _SYSTEM + _TALK,
    "---\ntitle: A cellar\n---\n" + _SYSTEM + _TALK,
)
UNKNOWN_TYPE = Rule(
    "S013",
    "Unknown scenario type",
    WARNING,
    "Balancing and coverage count scenarios by type: combat, roleplay, exploration or mixed.",
    "file",
    "---\nscenario_type: combta\n---\n" + _SYSTEM + _TALK,
    "---\nscenario_type: combat\n---\n" + _SYSTEM + _TALK,
)
BYTE_ORDER_MARK = Rule(
    "S014",
    "The file begins with a byte order mark",
    INFO,
    "Some Windows editors add this invisible character; other tools take it for text.",
    "file",
    "\ufeff" + _SYSTEM + _TALK,
    _SYSTEM + _TALK,
)
LINE_ENDS = Rule(
    "S015",
    "Windows line ends",
    INFO,
    "A model sees every carriage return as a token of its own; one kind of line end in all files is better.",
    "file",
    (_SYSTEM + _TALK).replace("\n", "\r\n"),
    _SYSTEM + _TALK,
)
TABS = Rule(
    "S016",
    "A tab character",
    INFO,
    "Tabs look like spaces and are other tokens to the model.",
    "turns",
    "<User>I look\taround.</User>\n\n<DM>You see a door.</DM>",
    "<User>I look around.</User>\n\n<DM>You see a door.</DM>",
)
BAD_CHARACTER = Rule(
    "S017",
    "A character that cannot be read",
    ERROR,
    "The file was saved in another encoding than UTF-8, or something unprintable slipped in; the model would learn it.",
    "turns",
    "<User>I look\x00 around.</User>\n\n<DM>You see a door.</DM>",
    "<User>I look around.</User>\n\n<DM>You see a door.</DM>",
)
INVISIBLE = Rule(
    "S018",
    "An invisible character",
    WARNING,
    "Text pasted from web pages carries zero-width and no-break characters that change what the model sees.",
    "turns",
    "<User>I look\u200b around.</User>\n\n<DM>You see a door.</DM>",
    "<User>I look around.</User>\n\n<DM>You see a door.</DM>",
)
NAMELESS = Rule(
    "S019",
    "A character without a name",
    ERROR,
    "Nobody can act for a character that has no name.",
    "file",
    _SYSTEM.replace("# Party\n", "# Party\n\n##\n- Player Character\n- Level 1\n- Health: 8/8\n") + _TALK,
    _SYSTEM.replace("# Party\n", "# Party\n\n## Bo\n- Player Character\n- Level 1\n- Health: 8/8\n") + _TALK,
)
SAME_NAME = Rule(
    "S020",
    "Two characters of one name",
    ERROR,
    "A roll for that name could take either sheet.",
    "sheet",
    "- Player Character\n- Level 1\n- Health: 8/8\n\n## sarah\n- NPC Companion\n- Level 1\n- Health: 8/8",
    "- Player Character\n- Level 1\n- Health: 8/8\n\n## Thorin\n- NPC Companion\n- Level 1\n- Health: 8/8",
)
BAD_SHEET_LINE = Rule(
    "S021",
    "A line of the sheet cannot be read",
    WARNING,
    "The studio takes the numbers for its dice from here; without them it rolls with a bonus of 0.",
    "sheet",
    "- Player Character\n- Level 1\n- Health: fine",
    "- Player Character\n- Level 1\n- Health: 8/8",
)
SHEET_KEY = Rule(
    "S022",
    "A key of the sheet looks misspelled",
    WARNING,
    "A line whose key is unknown is only a note: the studio does not roll with it.",
    "sheet",
    "- Player Character\n- Level 1\n- Helth: 8/8",
    "- Player Character\n- Level 1\n- Health: 8/8",
)
THIN_SHEET = Rule(
    "S023",
    "A sheet says neither level nor health",
    INFO,
    "Without them the rules cannot be checked and the model cannot keep track.",
    "sheet",
    "- Player Character\n- Rogue",
    "- Player Character\n- Rogue\n- Level 1\n- Health: 8/8",
)
SAME_SPEAKER = Rule(
    "S024",
    "Two turns of one speaker in a row",
    WARNING,
    "Chat models are trained on turns that alternate; two in a row look to them like one that was cut.",
    "turns",
    "<User>I look.</User>\n\n<User>And listen.</User>\n\n<DM>Nothing.</DM>",
    "<User>I look.\n\nAnd listen.</User>\n\n<DM>Nothing.</DM>",
)
ENDS_WITHOUT_DM = Rule(
    "S025",
    "The scenario does not end with a DM turn",
    INFO,
    "Nothing is learned from what follows the last DM turn.",
    "turns",
    "<User>I look.</User>\n\n<DM>Nothing.</DM>\n\n<User>Pity.</User>",
    "<User>I look.</User>\n\n<DM>Nothing.</DM>",
)
BAD_OVERRIDE = Rule(
    "S026",
    "A severity in the front matter cannot be used",
    WARNING,
    "`diagnostics:` names codes of this list with error, warning, info or off behind each.",
    "file",
    "---\ndiagnostics: {W003: never}\n---\n" + _SYSTEM + _TALK,
    "---\ndiagnostics: {W003: off}\n---\n" + _SYSTEM + _TALK,
)
_ROLLED = (
    "<User>I sneak.</User>\n\n<DM>The guard yawns.\n\n[roll: stealth]</DM>\n\n"
    "<TOOLCALL>stealth: 9 + 7(skill) = *16*</TOOLCALL>\n\n<DM>*SUCCESS* You are in.</DM>\n\n"
)
_LISTED = "---\nentities: {places: [%s]}\n---\n"
UNCLOSED_SLOT = Rule(
    "S027",
    "A slot is not closed",
    WARNING,
    "What is not closed is ordinary text: the model learns to write braces and bars.",
    "turns",
    "<User>I {creep|tiptoe down the stair.</User>\n\n<DM>It is dark.</DM>",
    "<User>I {creep|tiptoe} down the stair.</User>\n\n<DM>It is dark.</DM>",
)
ONE_OPTION = Rule(
    "S028",
    "A slot with one option",
    INFO,
    "A slot is there for choices; braces around a single one are read as they stand.",
    "turns",
    "<User>I {creep} down the stair.</User>\n\n<DM>It is dark.</DM>",
    "<User>I {creep|tiptoe} down the stair.</User>\n\n<DM>It is dark.</DM>",
)
EMPTY_SLOT = Rule(
    "S029",
    "An empty slot",
    WARNING,
    "Whichever option is read, nothing is said.",
    "turns",
    "<User>I creep {|} down the stair.</User>\n\n<DM>It is dark.</DM>",
    "<User>I creep {slowly |}down the stair.</User>\n\n<DM>It is dark.</DM>",
)
FIXED_SLOT = Rule(
    "S030",
    "A slot where there is no choice",
    WARNING,
    "A request must fit its answer, and the dice need the sheet: there the first option is read, always.",
    "turns",
    "<User>I shoot.</User>\n\n<DM>Aim well.\n\n[roll: attack, target={goblin|orc}]</DM>\n\n"
    "<TOOLCALL>attack: 12 + 5(dagger) = *17*</TOOLCALL>\n\n<DM>*SUCCESS* It falls.</DM>",
    "<User>I shoot.</User>\n\n<DM>Aim {well|carefully}.\n\n[roll: attack, target=goblin]</DM>\n\n"
    "<TOOLCALL>attack: 12 + 5(dagger) = *17*</TOOLCALL>\n\n<DM>*SUCCESS* It falls.</DM>",
)
OTHERWISE_UNREAD = Rule(
    "S031",
    "An alternative that cannot be read",
    WARNING,
    "It is never told: dice that fall otherwise would have no story.",
    "turns",
    _ROLLED + "<!-- otherwise: A dog barks. -->",
    _ROLLED + "<!-- otherwise: <DM>*FAILED* A dog barks.</DM> -->",
)
OTHERWISE_ASTRAY = Rule(
    "S032",
    "An alternative behind the wrong turn",
    WARNING,
    "An alternative is for the turn that tells how a roll went; behind any other it is never told.",
    "turns",
    "<User>I wait.</User>\n\n<DM>It is dark.</DM>\n\n<!-- otherwise: <DM>*FAILED* A dog barks.</DM> -->",
    _ROLLED + "<!-- otherwise: <DM>*FAILED* A dog barks.</DM> -->",
)
OTHERWISE_SAME = Rule(
    "S033",
    "An alternative with the same outcome",
    WARNING,
    "An alternative is told when the dice decide the other way; for the same outcome write a slot.",
    "turns",
    _ROLLED + "<!-- otherwise: <DM>*SUCCESS* Nobody stirs.</DM> -->",
    _ROLLED + "<!-- otherwise: <DM>*FAILED* A dog barks.</DM> -->",
)
OTHERWISE_ASKS = Rule(
    "S034",
    "An alternative that asks for something else",
    WARNING,
    "What comes after is the same for both turns, so it must answer the same requests.",
    "turns",
    _ROLLED + "<!-- otherwise: <DM>*FAILED* A dog barks. [begin combat]</DM> -->",
    _ROLLED + "<!-- otherwise: <DM>*FAILED* A dog barks.</DM> -->",
)
ABSENT_ENTITY = Rule(
    "S035",
    "A listed name that occurs nowhere",
    INFO,
    "Names are listed so that copies of the scenario can rename them; mostly this one is spelled otherwise.",
    "file",
    _LISTED % "Crow Bank" + _SYSTEM + _TALK,
    _LISTED % "cellar" + _SYSTEM + _TALK,
)
BAD_ENTITIES = Rule(
    "S036",
    "`entities` cannot be read",
    WARNING,
    "Names that cannot be read are not renamed.",
    "file",
    "---\nentities: cellar\n---\n" + _SYSTEM + _TALK,
    "---\nentities: [cellar]\n---\n" + _SYSTEM + _TALK,
)
