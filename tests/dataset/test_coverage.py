"""What is counted is what stands in the scenarios, counts add up, and every suggestion can be begun."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.config import parse_settings
from studio.dataset.coverage import (
    BANDS,
    LONGEST_KEPT,
    NO_DC,
    OUTCOMES,
    Coverage,
    RowCoverage,
    band_of,
    coverage_of,
    requests_of,
    row_coverage,
)
from studio.dataset.drafting import draft_for
from studio.dataset.suggestions import Needs, Suggestion, load_needs, suggestions
from studio.errors import ConfigError, DatasetError
from studio.scenarios import MarkdownParser, TrainingScenario, load_vocabulary
from studio.scenarios.library import Template, templates
from studio.workspace import PROJECT_ROOT, Workspace

WORDS = load_vocabulary()
SHIPPED = sorted((PROJECT_ROOT / "data" / "scenarios").rglob("*.md"))
TEMPLATES = templates(Workspace(PROJECT_ROOT))
HEAD = """---
title: Scene
scenario_type: {kind}
---

<SYSTEM>
# Role
You are the Dungeon Master of a D&D Campaign

# World
Faerun

# Location
A cellar

# Party

## Mira
- Player Character
- Human Fighter
- Level 3
- Health: 20/20
- Skills: Stealth +2, Perception +3

## Pip
- NPC Companion
- Gnome Tinkerer
- Health: 6/6
</SYSTEM>
"""
SCENE = (
    HEAD.format(kind="exploration")
    + """
<User>I sneak past.</User>

<DM>The floor creaks.

[roll: stealth, dc=12]</DM>

<TOOLCALL>stealth: 12 + 2(skill) = *14*</TOOLCALL>

<DM>*SUCCESS* Nobody stirs.

[roll: perception]</DM>

<TOOLCALL>perception: 2 + 3(skill) = *5*</TOOLCALL>

<DM>*FAILED* You see nothing.</DM>

<User>I try both at once.</User>

<DM>A hard corner.

[roll: stealth, dc=21] [roll: perception, dc=5]</DM>

<TOOLCALL>stealth: 10 + 2(skill) = *12*
perception: 10 + 3(skill) = *13*</TOOLCALL>

<DM>*FAILED* The shelf falls. [hit points: -3]</DM>

<User>I sit down.</User>

<DM>One more look.

[roll: perception, dc=40]</DM>
"""
)


def parsed(text: str) -> TrainingScenario:
    return MarkdownParser().parse_text(text)


def counted(text: str = SCENE) -> Coverage:
    return coverage_of([parsed(text)])


def test_every_request_is_counted_by_outcome_and_difficulty() -> None:
    assert counted().requests == {
        ("stealth", "success", 15): 1,
        ("perception", "failed", NO_DC): 1,
        ("stealth", "failed", 25): 1,
        ("perception", "success", 5): 1,  # asked for together with the other: its own total decides
        ("hit_points", "untold", NO_DC): 1,
        ("perception", "untold", 30): 1,  # nothing answers it
    }


def test_an_outcome_is_not_told_across_a_players_turn() -> None:
    text = HEAD.format(kind="mixed") + (
        "<User>Go.</User>\n\n<DM>Hm.\n\n[roll: stealth]</DM>\n\n<TOOLCALL>stealth: 9 + 2(skill) = *11*</TOOLCALL>\n\n"
        "<User>And?</User>\n\n<DM>*SUCCESS* Gone.</DM>\n"
    )
    assert [one.outcome for one in requests_of(parsed(text).conversation)] == ["untold"]


@pytest.mark.parametrize(
    ("dc", "band"),
    [(None, NO_DC), (1, 5), (5, 5), (6, 10), (10, 10), (11, 15), (15, 15), (16, 20), (21, 25), (26, 30), (99, 30)],
)
def test_a_band_reaches_up_to_its_number(dc: int | None, band: int) -> None:
    assert band_of(dc) == band


def test_people_turns_types_and_rolls_are_counted() -> None:
    found = counted()
    assert found.people == {("fighter", 3): 1, ("other", 0): 1}
    assert found.characters == 2
    assert found.types == {"exploration": 1}
    assert found.rolls == {5: 1}  # the note of the hit points is no roll
    assert found.dm_turns == {"call": 5, "no call": 1}
    assert found.turns["User", 0] == 3
    assert sum(number for (who, _), number in found.turns.items() if who == "DM") == found.dm_turns.total()


def test_calls_and_no_calls_are_the_turns_with_and_without_a_request() -> None:
    conversation = parsed(SCENE).conversation
    asking = [turn for turn in conversation if turn.speaker == "DM" and "[" in turn.content]
    silent = [turn for turn in conversation if turn.speaker == "DM" and "[" not in turn.content]
    assert counted().dm_turns == Counter({"call": len(asking), "no call": len(silent)})


def test_the_tools_that_nothing_asks_for_are_named_in_the_order_of_the_vocabulary() -> None:
    unused = counted().never_used(WORDS)
    assert unused == [one.name for one in WORDS.tools if one.name not in {"stealth", "perception", "hit_points"}]


def test_a_long_turn_and_a_wild_sheet_add_no_new_kind_of_key() -> None:
    text = (
        SCENE.replace("I sneak past.", "word " * 4000)
        .replace("Human Fighter", "Zorblax")
        .replace("Level 3", "Level 9999")
    )
    found = counted(text)
    assert found.turns["User", 500] == 1
    assert found.people == {("other", 0): 2}


def test_the_shipped_scenarios_count_like_their_lines() -> None:
    found = coverage_of(map(MarkdownParser().parse_scenario, SHIPPED))
    text = "\n".join(path.read_text(encoding="utf-8") for path in SHIPPED)
    assert found.scenarios == len(SHIPPED)
    assert found.asked().total() == text.count("[roll:") + text.count("[begin combat]") + text.count("[end combat]")
    assert sum(number for (_, end), number in found.outcomes().items() if end == "success") == text.count("*SUCCESS*")


def some_counts() -> st.SearchStrategy[Coverage]:
    small = st.integers(1, 5)
    tools, ends, bands = (st.sampled_from(one) for one in (["stealth", "attack"], OUTCOMES, BANDS))
    return st.builds(
        Coverage,
        scenarios=small,
        characters=small,
        types=st.dictionaries(st.sampled_from(["combat", "mixed"]), small).map(Counter),
        requests=st.dictionaries(st.tuples(tools, ends, bands), small).map(Counter),
        people=st.dictionaries(st.tuples(st.sampled_from(["monk", "other"]), st.integers(0, 20)), small).map(Counter),
        rolls=st.dictionaries(st.integers(0, 9), small).map(Counter),
    )


@given(some_counts(), some_counts(), some_counts())
def test_shards_add_up_in_any_grouping(a: Coverage, b: Coverage, c: Coverage) -> None:
    assert (a + b) + c == a + (b + c)
    assert a + b == b + a
    assert a + Coverage() == a


@given(some_counts())
def test_counts_travel_as_json(counts: Coverage) -> None:
    assert Coverage.from_dict(counts.as_dict()) == counts


def test_scenarios_counted_in_shards_are_scenarios_counted_at_once() -> None:
    scenarios = [MarkdownParser().parse_scenario(path) for path in SHIPPED]
    whole = coverage_of(scenarios[:4]) + coverage_of(scenarios[4:5]) + coverage_of(scenarios[5:])
    assert whole == coverage_of(scenarios)


def test_damaged_counts_are_refused() -> None:
    with pytest.raises(DatasetError):
        Coverage.from_dict({"scenarios": "many"})


def test_rows_are_counted_by_hand() -> None:
    rows = row_coverage([("a.md", 0, 100, 25), ("a.md", 8, 1000, 500), ("b.md", 0, 901, 901)], 1000)
    assert (rows.rows, rows.tokens, rows.trained, rows.near_limit) == (3, 2001, 1426, 2)
    assert rows.lengths == {64: 1, 960: 1, 896: 1}
    assert rows.shares == {20: 1, 50: 1, 90: 1}
    assert rows.longest == [(1000, "a.md", 8), (901, "b.md", 0)]
    assert rows.trained_share == pytest.approx(1426 / 2001)


row = st.tuples(st.sampled_from(["a.md", "b.md"]), st.integers(0, 9), st.integers(1, 1000), st.integers(0, 1))


@given(st.lists(row, max_size=60), st.integers(0, 60))
def test_rows_counted_in_shards_are_rows_counted_at_once(rows: list[tuple[str, int, int, int]], cut: int) -> None:
    parts = row_coverage(rows[:cut], 500) + row_coverage(rows[cut:], 500)
    whole = row_coverage(rows, 500)
    assert parts == whole
    assert len(whole.longest) <= LONGEST_KEPT
    assert RowCoverage.from_dict(whole.as_dict()) == whole


def test_rows_of_two_limits_are_not_counted_together() -> None:
    with pytest.raises(DatasetError):
        RowCoverage(500) + RowCoverage(600)


# What to write next


def test_the_shipped_needs_name_every_request_and_nothing_else() -> None:
    needs = load_needs()
    assert set(needs.requests) == set(WORDS.by_name)
    assert set(needs.bands) == set(BANDS)
    assert sum(needs.bands.values()) == 100
    assert sum(needs.outcomes.values()) == 100


@pytest.mark.parametrize("wrong", [{"bands": {7: 1}}, {"bands": {5: -1, 10: 2}}, {"outcomes": {"success": 0}}])
def test_needs_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    whole = load_needs().model_dump() | wrong
    with pytest.raises(ConfigError):
        parse_settings(Needs, whole, "coverage.yaml")


def small_needs() -> Needs:
    """Two requests of the vocabulary matter, in the ratio 3 to 1; the rest nearly not."""
    rest = {tool.name: {"weight": 1e-9} for tool in WORDS.tools}
    chosen = {"stealth": {"weight": 3, "types": ["combat", "mixed"]}, "rest": {"weight": 1, "types": ["mixed"]}}
    return Needs.model_validate(
        {
            "least_requests": 40,
            "outcomes": {"success": 60, "failed": 40},
            "bands": {10: 50, 15: 50},
            "requests": rest | chosen,
        }
    )


def test_the_score_is_need_times_usual_times_missing_computed_by_hand() -> None:
    coverage = Coverage(requests=Counter({("stealth", "success", 10): 9, ("stealth", "failed", 15): 3}))
    found = {(one.tool, one.outcome, one.band): one for one in suggestions(coverage, small_needs(), WORDS, per_tool=9)}
    # 40 requests wanted: 30 of stealth (9 + 9 that succeed, 6 + 6 that fail), 10 of rest.
    assert ("stealth", "success", 10) not in found
    assert found["stealth", "success", 15].score == pytest.approx(75 * 1 * 1)
    assert found["stealth", "failed", 10].score == pytest.approx(75 * (6 / 9) * 1)
    assert found["stealth", "failed", 15].score == pytest.approx(75 * (6 / 9) * 0.5, rel=1e-4)
    assert found["rest", "untold", NO_DC].score == pytest.approx(25)
    assert found["rest", "untold", NO_DC].never_used
    order = [one.score for one in suggestions(coverage, small_needs(), WORDS, per_tool=9)]
    assert order == sorted(order, reverse=True)


def test_writing_what_is_suggested_takes_it_off_the_list() -> None:
    coverage = Coverage()
    [first, *_] = suggestions(coverage, small_needs(), WORDS)
    for _ in range(9):
        coverage.requests[first.tool, first.outcome, first.band] += 1
    assert first.title not in [one.title for one in suggestions(coverage, small_needs(), WORDS, per_tool=9)]


def test_a_list_is_varied() -> None:
    found = suggestions(Coverage(), load_needs(), WORDS)
    assert len(found) == 12
    assert max(Counter(one.tool for one in found).values()) == 2


def test_the_type_is_the_natural_one_unless_another_is_far_rarer() -> None:
    def type_of_stealth(types: dict[str, int]) -> str:
        found = suggestions(Coverage(types=Counter(types)), small_needs(), WORDS)
        return next(one.scenario_type for one in found if one.tool == "stealth")

    assert type_of_stealth({"combat": 3, "mixed": 2}) == "combat"
    assert type_of_stealth({"combat": 5, "mixed": 2}) == "mixed"


def every_case() -> list[Suggestion]:
    found = suggestions(Coverage(), load_needs(), WORDS, most=10_000, per_tool=100)
    assert len({one.tool for one in found}) == len(WORDS.tools)
    return found


CASES = every_case()


def check_draft(one: Suggestion, template: Template) -> None:
    title, text = draft_for(one, template)
    scenario = parsed(text)
    assert {problem.code for problem in scenario.diagnostics} == {"W008"}
    assert scenario.metadata["title"] == title == one.title
    assert scenario.scenario_type == one.scenario_type
    found = [roll for roll in requests_of(scenario.conversation) if roll.tool == one.tool]
    if WORDS.by_name[one.tool].has_outcome:
        [roll] = found
        assert roll.outcome == one.outcome
        assert (roll.dc is None) == (one.dc is None)
    assert found


@pytest.mark.parametrize("tool", [tool.name for tool in WORDS.tools])
def test_each_request_gets_a_scenario_that_only_lacks_the_authors_words(tool: str) -> None:
    mine = [one for one in CASES if one.tool == tool]
    for number, template in enumerate(TEMPLATES):
        check_draft(mine[number % len(mine)], template)


@given(st.sampled_from(CASES), st.sampled_from(TEMPLATES))
@settings(max_examples=60, deadline=None)
def test_every_case_gets_a_scenario_that_only_lacks_the_authors_words(one: Suggestion, template: Template) -> None:
    check_draft(one, template)


def test_a_draft_counts_where_it_was_missing() -> None:
    coverage = coverage_of(map(MarkdownParser().parse_scenario, SHIPPED))
    for one in suggestions(coverage, load_needs(), WORDS):
        template = next(kind for kind in TEMPLATES if kind.scenario_type == one.scenario_type)
        made = counted(draft_for(one, template)[1])
        assert made.requests[one.tool, one.outcome, one.band] >= 1


def test_a_difficulty_beyond_the_party_is_brought_within_reach_and_said() -> None:
    blank = next(one for one in TEMPLATES if one.name == "blank")
    hard = next(one for one in CASES if one.tool == "stealth" and one.outcome == "success" and one.band == 30)
    text = draft_for(hard, blank)[1]
    assert "[roll: stealth, dc=21]" in text  # the fighter of the template has Dex +1 and no stealth
    assert "<!-- DC 21 and not 30:" in text


def test_a_template_without_a_party_and_with_windows_line_ends_still_works() -> None:
    head = "---\ntitle: T\nscenario_type: mixed\n---\n\n"
    bare = head + "<SYSTEM>\n# Role\nDM\n\n# World\n«W»\n\n# Location\n«L»\n</SYSTEM>\n"
    template = Template("own", "Own", "", "mixed", bare.replace("\n", "\r\n"))
    text = draft_for(CASES[0], template)[1]
    assert text.count("\n") == text.count("\r\n")
    assert not [one for one in parsed(text).diagnostics if one.severity == "error"]
