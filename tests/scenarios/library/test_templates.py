"""Every template makes a scenario that is valid at once and shows what is left to write."""

import pytest
import yaml

from studio.scenarios import SCENARIO_TYPES, MarkdownParser, Severity, parse_tree
from studio.scenarios.library import (
    ScenarioLibrary,
    ScenarioMissingError,
    create_from_template,
    placeholders,
    templates,
)
from studio.workspace import PROJECT_ROOT, Workspace

SHIPPED = templates(Workspace(PROJECT_ROOT))


def test_there_is_one_template_per_type_and_a_blank_one() -> None:
    assert {one.name for one in SHIPPED} == {*SCENARIO_TYPES, "blank"}
    assert SHIPPED[-1].name == "blank"
    assert all(one.title and one.summary for one in SHIPPED)


@pytest.mark.parametrize("template", SHIPPED, ids=lambda one: one.name)
def test_a_template_parses_without_errors_and_shows_what_to_replace(template, library: ScenarioLibrary) -> None:
    made = create_from_template(library, template.name, "My evening")
    scenario = MarkdownParser().parse_scenario(library.path(made.id))
    assert [one for one in scenario.diagnostics if one.severity is Severity.ERROR] == []
    assert scenario.metadata["title"] == "My evening"
    assert made.id == f"{scenario.scenario_type}/My evening"
    assert scenario.system_context.party[0].stats
    assert any(turn.speaker == "DM" for turn in scenario.conversation)
    marked = [made.text[one.start : one.end] for one in placeholders(made.text)]
    assert marked
    assert all(one[0] == "«" and one[-1] == "»" for one in marked)
    assert template.summary not in made.text


@pytest.mark.parametrize("template", SHIPPED, ids=lambda one: one.name)
def test_a_template_whose_gaps_are_filled_has_no_problem_left(template) -> None:
    text = template.text
    for place, gap in reversed(list(enumerate(placeholders(text)))):
        text = f"{text[: gap.start]}Answer number {place} of mine.{text[gap.end :]}"
    assert placeholders(text) == []
    assert MarkdownParser().parse_text(text).diagnostics == []


def test_a_template_says_what_a_scenario_is_called_without_a_title(library: ScenarioLibrary) -> None:
    assert all(one.working_title for one in SHIPPED)
    made = [create_from_template(library, "combat", library.suggest_name("combat", "New fight")) for _ in range(2)]
    assert [one.id for one in made] == ["combat/New fight", "combat/New fight 2"]
    assert [entry.title for entry in library.entries()] == ["New fight", "New fight 2"]


@pytest.mark.parametrize("template", SHIPPED, ids=lambda one: one.name)
def test_every_roll_of_a_template_is_answered_and_adds_up(template) -> None:
    turns = MarkdownParser().parse_text(template.text).conversation
    calls = [call for turn in turns if turn.speaker == "DM" for call in turn.tool_calls]
    open_calls = [call.tool_name for call in calls if call.result is None]
    assert set(open_calls) <= {"begin_combat", "end_combat"}
    assert all("<" not in turn.content for turn in turns)


@pytest.mark.parametrize("title", ["Who: what?", "true", "'quoted'", "# x", "é \u2028 z", '"', "  many   spaces ", "-"])
def test_any_title_is_written_so_that_yaml_reads_it_back(library: ScenarioLibrary, title: str) -> None:
    made = create_from_template(library, "combat", "a", title=title)
    tree = parse_tree(made.text)
    matter = next(node for node in tree.nodes if node.kind == "front_matter")
    assert yaml.safe_load(tree.body(matter))["title"] == " ".join(title.split())


def test_a_template_can_be_used_for_another_type(library: ScenarioLibrary) -> None:
    made = create_from_template(library, "blank", "a", scenario_type="combat")
    assert made.id == "combat/a"
    assert MarkdownParser().parse_text(made.text, default_type="x").scenario_type == "combat"


def test_a_workspace_can_bring_its_own_templates(library: ScenarioLibrary) -> None:
    folder = library.workspace.config_dir / "templates"
    folder.mkdir(parents=True)
    (folder / "heist.md").write_text("<!-- A heist: in and out. -->\n\n<User>Go.</User>\n")
    (folder / "combat.md").write_text("<User>Mine.</User>\n")
    mine = {one.name: one for one in templates(library.workspace)}
    assert (mine["heist"].title, mine["heist"].summary, mine["heist"].text) == (
        "A heist",
        "In and out.",
        "<User>Go.</User>\n",
    )
    assert mine["combat"].text == "<User>Mine.</User>\n"
    with pytest.raises(ScenarioMissingError):
        create_from_template(library, "../combat", "a")


@pytest.mark.parametrize("template", SHIPPED, ids=lambda one: one.name)
def test_every_question_of_a_template_is_asked_for_and_nothing_else(template) -> None:
    found = MarkdownParser().validate_format(template.text).diagnostics
    assert {one.code for one in found} == {"W008"}
    assert [(one.span.start, one.span.end) for one in found] == [
        (one.start, one.end) for one in placeholders(template.text)
    ]


def test_guillemets_of_an_author_are_no_gap() -> None:
    text = "<User>Elle dit: «Bonsoir, mes amis.»</User>\n\n<DM>«Entrez», répond la voix.</DM>\n"
    assert "W008" not in {one.code for one in MarkdownParser().validate_format(text).diagnostics}
