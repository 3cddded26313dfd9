"""Play by post becomes turns: who speaks, what is out of character, and which dice are answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio.dataset.exchange import Mapping, survey
from studio.dataset.exchange.posts import MOST_POSTS
from studio.dataset.exchange.speakers import Head, read_head
from studio.errors import DatasetError
from tests.dataset.exchange.conftest import Bring

GAME = """Notes of our second evening
DM: A cellar, and something breathes in it.
Smells: wet straw.
sarah_k: I creep closer.
((brb, door bell))
Perception check: 1d20+5 = 17
DM: *SUCCESS* It is a child.
Spectator: lol
Spectator: nice
bob: I wave.
2d6+3 = 10
DM: The child waves back.
"""
MAPS = ("sarah_k=Sarah", "Spectator=Drop")


@pytest.mark.parametrize(
    ("line", "name", "rest"),
    [
        ("Sarah: I hide.", "Sarah", "I hide."),
        ("**Sarah**: I hide.", "Sarah", "I hide."),
        ("**Sarah:** I hide.", "Sarah", "I hide."),
        ("**Sarah**", "Sarah", ""),
        ("__Game Master:__ Hm.", "Game Master", "Hm."),
        ("[Sarah] I hide.", "Sarah", "I hide."),
        ("<Sarah> I hide.", "Sarah", "I hide."),
        ('Sarah says, "I hide."', "Sarah", '"I hide."'),
        ("[12:30] <Sarah> I hide.", "Sarah", "I hide."),
        ("[5:32 PM] Sarah: I hide.", "Sarah", "I hide."),
        ("[12-Mar-23 05:32 PM] sarah#1234", "sarah#1234", ""),
        ("Sarah — Today at 5:32 PM", "Sarah", ""),
        ("Avrae APP — 12/03/2023 17:32", "Avrae", ""),
        ("Sarah the Bold - Yesterday at 5:32 PM", "Sarah the Bold", ""),
        ("Jörg: Ja.", "Jörg", "Ja."),
    ],
)
def test_heads_of_posts_are_read_in_their_usual_forms(line: str, name: str, rest: str) -> None:
    head = read_head(line)
    assert head is not None
    assert (head.name, head.rest) == (name, rest)


@pytest.mark.parametrize(
    "line",
    ["I hide.", "https://example.org", "http://x: y", "He said to me and to all the others: no", ": x", "", "12:30"],
)
def test_prose_has_no_head(line: str) -> None:
    assert read_head(line) is None


def test_a_bare_name_is_a_speaker_only_when_it_comes_again(tmp_path: Path) -> None:
    path = tmp_path / "game.txt"
    path.write_text(GAME)
    found = {one.name: (one.posts, one.part) for one in survey(path, Mapping.parse(["sarah_k=Sarah"]))}
    assert found == {"DM": (3, "DM"), "Spectator": (2, "Player"), "sarah_k": (1, "Player")}
    assert read_head("Smells: wet straw.") == Head("Smells", "wet straw.", sure=False)


def test_a_game_becomes_turns_under_the_names_of_the_mapping(bring: Bring) -> None:
    brought = bring("game.txt", GAME, [*MAPS, "bob=Player"])
    assert brought.turns() == [
        ("assistant", "A cellar, and something breathes in it.\nSmells: wet straw."),
        ("user", "Sarah: I creep closer."),
        ("assistant", "[roll: perception, who=Sarah]"),
        ("tool", "perception (Sarah): 12 + 5(skill) = *17*"),
        ("assistant", "*SUCCESS* It is a child."),
        ("user", "bob: I wave.\n2d6+3 = 10"),
        ("assistant", "The child waves back."),
    ]
    sarah = brought.scenario().system_context.character("Sarah")
    assert sarah is not None
    assert sarah.stats == {"perception": 5}
    assert brought.outcomes[0].format == "play-by-post"


def test_everything_that_is_left_out_is_named_with_its_line(bring: Bring) -> None:
    notes = bring("game.txt", GAME, [*MAPS, "bob=Player"]).notes()
    assert [line for line, _ in notes] == [1, 5, 8, 9, 11]


def test_no_word_of_a_text_is_lost_without_a_note(bring: Bring) -> None:
    heads = (
        "DM: ",
        "((",
        "Bob: ",
        "",
        "// ",
        "[12:30] <Zoe> ",
        "Stealth 2d6 = 7 ",
        "OOC: ",
        "DM: ",
        "",
        "---\n\n",
        "DM: ",
    )
    text = "".join(f"{heads[n % len(heads)]}word{n:03}\n" for n in range(240))
    brought = bring("game.txt", text)
    assert {one.outcome for one in brought.outcomes} == {"created"}
    kept = "\n".join(said for at in range(len(brought.outcomes)) for _, said in brought.turns(at))
    noted = {line for at in range(len(brought.outcomes)) for line, _ in brought.notes(at)}
    lost = {number for number, line in enumerate(text.splitlines(), 1) if line[-7:] not in kept and "word" in line}
    assert len(lost) == 80
    assert lost <= noted


def test_without_a_dm_nothing_is_guessed(bring: Bring) -> None:
    text = "Anna: A door.\nBen: I open it.\nAnna: Dark.\nBen: I wait.\n"
    refused = bring("game.txt", text).outcomes
    assert [(one.outcome, one.line) for one in refused] == [("rejected", 1)]
    assert "--map 'Anna=DM'" in refused[0].reason
    assert bring("game.txt", text, ["anna=dm"]).turns()[0] == ("assistant", "A door.")


def test_the_answer_of_a_bot_follows_the_request_of_the_dm(bring: Bring) -> None:
    text = """DM: Roll for it, Sarah. [roll: stealth, dc=12]
**Avrae**: Sarah makes a Stealth check!
1d20 (12) + 3 = `15`
Bob makes a Stealth check!
1d20 (2) + 1 = `3`
DM: *SUCCESS* You get by.
"""
    assert bring("game.txt", text).turns() == [
        ("assistant", "Roll for it, Sarah. [roll: stealth, dc=12]\n[roll: stealth, who=Bob]"),
        ("tool", "stealth (Sarah): 12 + 3(skill) = *15*\nstealth (Bob): 2 + 1(skill) = *3*"),
        ("assistant", "*SUCCESS* You get by."),
    ]


def test_a_roll_over_three_lines_is_one_answer_and_stays_three_lines_when_it_is_none(bring: Bring) -> None:
    head, tail = "DM: The bridge sways.\nKira: I run!\n", "DM: Well.\n"
    roll = "Acrobatics: rolling 1d20+4\n(11)+4\n= 15\n"
    assert bring("a.txt", head + roll + tail, ["Kira=Player"]).turns()[1:4] == [
        ("user", "Kira: I run!"),
        ("assistant", "[roll: acrobatics, who=Kira]"),
        ("tool", "acrobatics (Kira): 11 + 4(skill) = *15*"),
    ]
    wrong = roll.replace("15", "16")
    turns = bring("b.txt", head + wrong + tail, ["Kira=Player"]).turns()
    assert turns[1] == ("user", f"Kira: I run!\n{wrong.strip()}")


def test_rules_and_headings_begin_new_scenes(bring: Bring) -> None:
    text = "DM: One.\nBob: a\nDM: Two.\n---\nDM: Three.\nBob: b\n# The Mill\nDM: Four.\n"
    brought = bring("game.txt", text)
    assert [one.line for one in brought.outcomes] == [1, 5, 7]
    assert [len(brought.turns(at)) for at in range(3)] == [3, 2, 1]
    assert brought.scenario(2).metadata["title"] == "The Mill"


def test_a_long_game_is_cut_before_a_players_post_and_loses_nothing(bring: Bring) -> None:
    text = "".join(f"DM: Told {n}.\nBob: Asked {n}.\n" for n in range(MOST_POSTS))
    brought = bring("game.txt", text)
    turns = [turn for at in range(len(brought.outcomes)) for turn in brought.turns(at)]
    assert len(brought.outcomes) > 1
    assert brought.turns(1)[0][0] == "user"
    assert len(turns) == 2 * MOST_POSTS


def test_a_post_without_end_is_cut_into_scenarios_that_can_be_opened(bring: Bring) -> None:
    text = "DM: Long.\n" + "word word word word\n" * 60_000 + "Bob: Yes.\nDM: End.\n"
    brought = bring("game.txt", text, dry_run=True)
    assert [one.outcome for one in brought.outcomes].count("valid") >= 2


@pytest.mark.parametrize("pair", ["Anna", "=DM", "Anna=", ""])
def test_a_mapping_that_says_nothing_is_refused(pair: str) -> None:
    with pytest.raises(DatasetError, match="who is who"):
        Mapping.parse([pair])


def test_a_companion_speaks_and_rolls_like_a_player_and_is_one_in_its_sheet(bring: Bring) -> None:
    text = "DM: A cellar.\nGrim: I listen.\nPerception check: 1d20+2 = (9)+2 = 11\nDM: Nothing.\nGrim: Hm.\nDM: Hm."
    brought = bring("game.txt", text, ["Grim=Companion"])
    assert ("user", "Grim: I listen.") in brought.turns()
    assert ("tool", "perception (Grim): 9 + 2(skill) = *11*") in brought.turns()
    written = brought.workspace.scenarios_dir / f"{brought.outcomes[0].scenario_id}.md"
    assert "## Grim\n- NPC Companion\n- Skills: Perception +2" in written.read_text()


def test_names_that_may_be_text_are_listed_when_asked_for_and_count_once_mapped(tmp_path: Path) -> None:
    path = tmp_path / "game.txt"
    path.write_text(GAME)
    doubtful = [one.name for one in survey(path, doubtful=True) if one.doubtful]
    assert doubtful == ["Smells", "sarah_k", "Perception check", "bob"]
    assert not next(one for one in survey(path, Mapping.parse(["bob=Player"])) if one.name == "bob").doubtful
