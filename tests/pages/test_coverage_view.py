"""The coverage and balance parts on a page of their own: they count, begin a scenario, and tell what is left out."""

from __future__ import annotations

from pathlib import Path

from streamlit.testing.v1 import AppTest

from studio.scenarios import MarkdownParser
from studio.workspace import Workspace

SECONDS = 120.0


def coverage_page() -> None:
    import streamlit as st

    from pages.parts.coverage_view import coverage_view
    from studio.dataset.coverage import row_coverage

    rows = row_coverage([("combat/a.md", 0, 990, 400), ("combat/b.md", 4, 300, 100)], 1000)
    coverage_view(rows, on_open=lambda file: st.session_state.update(opened=file))


def balance_page() -> None:
    from pages.parts.balance_view import balance_view
    from pages.parts.layout import workspace
    from studio.dataset.balancing import features_of
    from studio.scenarios import MarkdownParser

    paths = sorted(workspace().scenarios_dir.rglob("*.md"))
    balance_view([features_of(MarkdownParser().parse_scenario(path)) for path in paths])


def visit(page: object) -> AppTest:
    return run(AppTest.from_function(page, default_timeout=SECONDS))  # type: ignore[arg-type]


def run(app: AppTest) -> AppTest:
    app.run()
    assert not app.exception, [one.value for one in app.exception]
    return app


def words(app: AppTest) -> str:
    kinds = ("markdown", "caption", "warning", "info", "success", "html", "subheader")
    return "\n".join(str(one.value) for kind in kinds for one in app.get(kind)).replace("\\", "")


def figures(app: AppTest) -> dict[str, str]:
    return {one.label: one.value for one in app.metric}


def test_an_empty_workspace_says_what_would_be_here() -> None:
    app = visit(coverage_page)
    assert "Nothing to count yet" in words(app)
    assert not app.button


def test_the_shipped_scenarios_are_counted_drawn_and_listed(scenarios: Path) -> None:
    app = visit(coverage_page)
    assert figures(app)["Scenarios"] == str(len(list(scenarios.rglob("*.md"))))
    assert len(app.get("plotly_chart")) == 3
    assert "begin_0" in [one.key for one in app.button]
    assert "Of 100 requests at a table" in words(app)
    assert "Never asked for: constitution" in words(app)
    assert "1 row is near the limit of 1,000" in words(app)


def test_begin_writes_a_scenario_that_only_lacks_the_authors_words(scenarios: Path) -> None:
    app = visit(coverage_page)
    wanted = next(one.value for one in app.markdown if "**" in one.value)
    app.button(key="begin_0").click()
    run(app)
    opened = app.session_state["opened"]
    made = scenarios / f"{opened}.md"
    scenario = MarkdownParser().parse_scenario(made)
    assert {one.code for one in scenario.diagnostics} == {"W008"}
    assert str(scenario.metadata["title"]) in wanted
    assert made.parent.name == scenario.scenario_type


def test_what_was_begun_is_counted_at_once(scenarios: Path) -> None:
    app = visit(coverage_page)
    before = int(figures(app)["Scenarios"])
    app.button(key="begin_0").click()
    run(app)
    assert int(figures(run(app))["Scenarios"]) == before + 1


def test_a_file_with_mistakes_is_named_and_not_counted(scenarios: Path) -> None:
    (scenarios / "combat" / "broken.md").write_text("<DM>[roll: nonsense]</DM>\n", encoding="utf-8")
    app = visit(coverage_page)
    assert "combat/broken" in words(app)
    assert int(figures(app)["Scenarios"]) == len(list(scenarios.rglob("*.md"))) - 1


def test_settings_that_cannot_be_used_are_told(scenarios: Path, empty_workspace: Workspace) -> None:
    empty_workspace.config_dir.mkdir(parents=True, exist_ok=True)
    (empty_workspace.config_dir / "coverage.yaml").write_text("bands: {7: 1}\n", encoding="utf-8")
    app = visit(coverage_page)
    assert len(app.error) == 1
    assert "coverage.yaml" in app.error[0].value.replace("\\", "")


def test_balancing_shows_shares_before_and_after_and_how_far_it_goes(scenarios: Path) -> None:
    app = visit(balance_page)
    assert figures(app)["Read in a pass"] == figures(app)["Rows"]
    assert "How far it goes: Outcomes" in words(app)
    table = app.dataframe[0].value
    assert list(table["Share after"]) == [0.25] * 4


def test_rows_that_a_cap_leaves_out_are_named(scenarios: Path) -> None:
    app = visit(balance_page)
    app.segmented_control(key="balance_method").set_value("caps")
    run(app)
    shown = figures(app)
    missing = int(shown["Rows"]) - int(shown["Read in a pass"])
    assert missing > 0
    named = [one.value for one in app.markdown if one.value.startswith("- ")]
    assert len(named) == missing


def test_nothing_chosen_is_no_balance(scenarios: Path) -> None:
    app = visit(balance_page)
    app.pills(key="balance_margins").set_value([])
    run(app)
    assert "Choose what to balance by." in words(app)
    assert not app.dataframe


def test_nothing_written_is_nothing_to_balance() -> None:
    assert "Nothing to balance yet" in words(visit(balance_page))
