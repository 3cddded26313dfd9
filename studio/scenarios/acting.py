"""Who acts in a turn: whose sheet counts for a request, and to whom a change happens that names nobody."""

from __future__ import annotations

from studio.scenarios.models import Character, SystemContext
from studio.scenarios.sheet import acting_name


def acting_character(
    context: SystemContext, *, who: str = "", speaking_as: str = "", player_text: str = ""
) -> tuple[Character | None, str]:
    """Who acts, and a note when the one who was named has no sheet.

    In this order: the directive's `who`, the character that the player chose, the `Name:` that her turn begins with,
    the first player character, the first of the party.
    """
    for name in (who, speaking_as):
        if name:
            found = context.character(name)
            return found, "" if found else f"{name} has no sheet, so the roll has no bonus."
    prefix = acting_name(player_text, [one.name for one in context.party])
    if prefix is not None:
        return context.character(prefix), ""
    players = [one for one in context.party if one.is_player] or context.party
    return (players[0], "") if players else (None, "There is no party, so the roll has no bonus.")
