"""The W codes: whether it is play that a model should learn from."""

from __future__ import annotations

from studio.scenarios.checks.rule import INFO, WARNING, Rule

_LONG = "The corridor winds on past another door, and another, and another after that. "

SPEAKS_FOR_PLAYER = Rule(
    "W001",
    "The DM speaks for the player",
    WARNING,
    "What a player's character says, decides and feels is hers; a model that learns otherwise plays the party itself.",
    "turns",
    "<User>I look at him.</User>\n\n<DM>You decide to attack him.</DM>",
    "<User>I look at him.</User>\n\n<DM>He looks back. What do you do?</DM>",
)
OUTCOME_BEFORE_ROLL = Rule(
    "W002",
    "The story goes on after the request",
    WARNING,
    "A roll ends the DM's turn: whatever follows is told before the dice have fallen.",
    "turns",
    "<User>I sneak.</User>\n\n<DM>[roll: stealth]\n\nYou slip past the guard without a sound.</DM>\n\n"
    "<TOOLCALL>stealth: 9 + 7(skill) = *16*</TOOLCALL>\n\n<DM>*SUCCESS* You are in.</DM>",
    "<User>I sneak.</User>\n\n<DM>The guard yawns.\n\n[roll: stealth]</DM>\n\n"
    "<TOOLCALL>stealth: 9 + 7(skill) = *16*</TOOLCALL>\n\n<DM>*SUCCESS* You slip past without a sound.</DM>",
)
ENDLESS_TURN = Rule(
    "W003",
    "An endless turn",
    WARNING,
    "Players want to act, a phone wants short answers, and training cuts what is longer than its limit.",
    "turns",
    "<User>I walk on.</User>\n\n<DM>" + "".join(f"{_LONG[:-2]} ({number}). " for number in range(30)) + "</DM>",
    f"<User>I walk on.</User>\n\n<DM>{_LONG}</DM>",
)
REPEATED_SENTENCE = Rule(
    "W004",
    "A repeated sentence",
    WARNING,
    "Small models pick up repetition first of all, and then they loop.",
    "turns",
    "<User>I wait.</User>\n\n<DM>The wind howls through the broken tower.</DM>\n\n<User>I wait.</User>\n\n"
    "<DM>The wind howls through the broken tower.</DM>",
    "<User>I wait.</User>\n\n<DM>The wind howls through the broken tower.</DM>\n\n<User>I wait.</User>\n\n"
    "<DM>By dawn it is still.</DM>",
)
CURLY_QUOTES = Rule(
    "W005",
    "Curly quotes",
    INFO,
    "To a model they are other signs than straight quotes; a small one learns faster from one kind.",
    "turns",
    "<User>I wait.</User>\n\n<DM>“Halt,” says the guard.</DM>",
    '<User>I wait.</User>\n\n<DM>"Halt," says the guard.</DM>',
)
BARE_REQUEST = Rule(
    "W006",
    "A request without a word of story",
    INFO,
    "A DM says why dice are thrown; so should the model.",
    "turns",
    "<User>I sneak.</User>\n\n<DM>[roll: stealth]</DM>\n\n<TOOLCALL>stealth: 9 + 7(skill) = *16*</TOOLCALL>\n\n"
    "<DM>*SUCCESS* You are in.</DM>",
    "<User>I sneak.</User>\n\n<DM>The guard yawns.\n\n[roll: stealth]</DM>\n\n"
    "<TOOLCALL>stealth: 9 + 7(skill) = *16*</TOOLCALL>\n\n<DM>*SUCCESS* You are in.</DM>",
)
HTML = Rule(
    "W007",
    "HTML in a turn",
    INFO,
    "The studio shows it as plain text, and the model would learn to write it.",
    "turns",
    "<User>I wait.</User>\n\n<DM>It is <b>dark</b>.</DM>",
    "<User>I wait.</User>\n\n<DM>It is **dark**.</DM>",
)
PLACEHOLDER = Rule(
    "W008",
    "A placeholder was left",
    WARNING,
    "The model would learn it word for word.",
    "turns",
    "<User>I wait.</User>\n\n<DM>TODO describe the tower</DM>",
    "<User>I wait.</User>\n\n<DM>The tower leans over the road.</DM>",
)
ALWAYS_SUCCESS = Rule(
    "W009",
    "Every roll ends the same way",
    INFO,
    "A model that never sees a failure (or a success) stops reading the dice.",
    "turns",
    "\n\n".join(
        f"<User>I try door {door}.</User>\n\n<DM>Locked.\n\n[roll: stealth]</DM>\n\n"
        "<TOOLCALL>stealth: 9 + 7(skill) = *16*</TOOLCALL>\n\n"
        f"<DM>*SUCCESS* Door {door} opens.</DM>"
        for door in range(5)
    ),
    "<User>I wait.</User>\n\n<DM>By dawn it is still.</DM>",
)
BARE_OUTCOME = Rule(
    "W010",
    "An outcome without a story",
    INFO,
    "What follows from the roll is the DM's best moment; a bare word teaches nothing.",
    "turns",
    "<User>I sneak.</User>\n\n<DM>The guard yawns.\n\n[roll: stealth]</DM>\n\n"
    "<TOOLCALL>stealth: 9 + 7(skill) = *16*</TOOLCALL>\n\n<DM>*SUCCESS*</DM>",
    "<User>I sneak.</User>\n\n<DM>The guard yawns.\n\n[roll: stealth]</DM>\n\n"
    "<TOOLCALL>stealth: 9 + 7(skill) = *16*</TOOLCALL>\n\n<DM>*SUCCESS* You are in.</DM>",
)
