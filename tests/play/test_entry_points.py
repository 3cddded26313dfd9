from datetime import UTC, datetime

import pytest

from studio.play import entry_points, new_session
from studio.scenarios import MarkdownParser
from studio.workspace import PROJECT_ROOT

TURNS = {"U": "<User>Hi</User>", "D": "<DM>Hail [roll: stealth]</DM>", "T": "<TOOLCALL>stealth: 5 = *5*</TOOLCALL>"}


@pytest.mark.parametrize(
    ("order", "places"),
    [
        ("", [(0, False)]),
        ("UDUDTD", [(0, False), (1, True), (2, False), (3, True), (5, True), (6, False)]),
        ("DU", [(0, True), (1, False), (2, True)]),
        ("DDU", [(0, True), (2, False), (3, True)]),
    ],
)
def test_one_can_sit_down_where_the_player_or_the_dm_speaks_next(order: str, places: list[tuple[int, bool]]) -> None:
    scenario = MarkdownParser().parse_text("\n\n".join(TURNS[letter] for letter in order))
    assert [(one.turns, one.dm_speaks) for one in entry_points(scenario)] == places


def test_every_shipped_scenario_can_be_joined_at_each_of_its_places() -> None:
    for path in sorted((PROJECT_ROOT / "data" / "scenarios").rglob("*.md")):
        scenario = MarkdownParser().parse_scenario(path)
        for place in entry_points(scenario):
            session = new_session(scenario, session_id="x", created=datetime.now(UTC), turns=place.turns)
            spoken = session.messages[session.system_messages :]
            assert len(spoken) == place.turns
            if spoken:
                assert place.dm_speaks == (spoken[-1].role != "assistant")
