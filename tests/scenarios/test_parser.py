"""The parser reads the seed example and hands it on as messages."""

import os
from pathlib import Path

import pytest

from studio.errors import WorkspaceError
from studio.scenarios import MarkdownParser, read_text, to_messages

SEED = Path(__file__).with_name("seed_example.md")


def test_the_seed_example_gives_its_party_and_turns() -> None:
    scenario = MarkdownParser().parse_scenario(SEED)
    context = scenario.system_context
    assert [one.name for one in context.party] == ["Chris", "Sarah", "Thorin"]
    assert context.role == "You are the Dungeon Master of a D&D Campaign"
    assert context.party[1].stats == {"stealth": 7, "sleight_of_hand": 6, "perception": 5}
    assert (context.party[0].health.current, context.party[0].experience.next_level) == (18, 2700)
    assert [turn.speaker for turn in scenario.conversation].count("DM") == 4
    assert scenario.metadata == {"source": "seed_example.md"}


def test_every_request_of_the_seed_example_knows_its_answer() -> None:
    calls = [
        call
        for turn in MarkdownParser().parse_scenario(SEED).conversation
        if turn.speaker == "DM"
        for call in turn.tool_calls
    ]
    assert [(call.tool_name, call.result) for call in calls] == [
        ("perception", "perception: 12 + 5(skill) = *17*"),
        ("sleight_of_hand", "sleight_of_hand: 8 + 6(skill) = *14*"),
        ("initiative", None),
        ("begin_combat", None),
    ]


def test_messages_carry_the_text_as_written() -> None:
    messages = to_messages(MarkdownParser().parse_scenario(SEED))
    assert [one.role for one in messages[:5]] == ["system", "user", "assistant", "tool", "assistant"]
    assert messages[0].content.startswith("# Role\n")
    assert messages[0].content.endswith("25 gold pieces")
    assert messages[3].content == "perception: 12 + 5(skill) = *17*"


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.md"
    os.mkfifo(pipe)
    for path in (pipe, tmp_path):
        with pytest.raises(WorkspaceError, match="cannot be opened"):
            read_text(path)
