"""The review of variations as a session sees it: propose, accept, reject, take back, filter, make again."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from studio.dataset.augmentation import AugmentationPlan, AugmentationStore, Augmented
from studio.dataset.variations import propose, scenario_names
from studio.workspace import Workspace

SECONDS = 120.0


def page() -> None:
    from pages.parts.layout import header
    from pages.parts.variations_view import variations_view

    header("Variations", "A page of their own.")
    variations_view()


def visit() -> AppTest:
    return run(AppTest.from_function(page, default_timeout=SECONDS))


def run(app: AppTest) -> AppTest:
    app.run()
    assert not app.exception, [one.value for one in app.exception]
    return app


def click(app: AppTest, key: str) -> AppTest:
    app.button(key=key).click()
    return run(app)


def words(app: AppTest) -> str:
    kinds = ("markdown", "caption", "warning", "info", "success", "html", "subheader", "error")
    return "\n".join(str(one.value) for kind in kinds for one in app.get(kind)).replace("\\", "")


def shown(app: AppTest) -> str:
    """The title of the variation that is shown."""
    return str(app.subheader[0].value).replace("\\", "")


def rows(app: AppTest) -> list[str]:
    return [one.label.replace("\\", "") for one in app.button if str(one.key).startswith("variation_row_")]


@pytest.fixture
def store(empty_workspace: Workspace, scenarios: Path) -> AugmentationStore:
    """Twenty-two variations of the shipped scenarios, all waiting."""
    plan = AugmentationPlan(operations=("entity renaming", "re-rolled dice"))
    propose(empty_workspace, scenario_names(empty_workspace), plan, 7)
    return AugmentationStore(empty_workspace)


def numbers(store: AugmentationStore) -> tuple[int, int, int]:
    return tuple(len(store.proposals(status)) for status in ("proposed", "accepted", "rejected"))  # type: ignore[return-value]


def test_an_empty_workspace_says_what_would_be_here() -> None:
    app = visit()
    assert "Nothing to vary yet" in words(app)
    assert not app.button


def test_operations_say_what_they_can_vary_and_proposing_opens_the_review(
    scenarios: Path, empty_workspace: Workspace
) -> None:
    app = visit()
    assert "11 of 11" in words(app)
    assert app.checkbox(key="vary_paraphrase_slots").disabled
    assert "{A bell rings|" in words(app)
    assert "<!-- otherwise:" in words(app)
    app.checkbox(key="vary_party_order").check()
    click(app, "variations_propose")
    assert "24 new variations to look at. 9 could not be made." in words(app)
    assert len(app.dataframe[0].value) == 9
    assert numbers(AugmentationStore(empty_workspace)) == (24, 0, 0)
    assert len(rows(app)) == 12


def test_without_a_choice_nothing_can_be_proposed(scenarios: Path) -> None:
    app = visit()
    for key in ("vary_entity_renaming", "vary_re-rolled_dice"):
        app.checkbox(key=key).uncheck()
    assert run(app).button(key="variations_propose").disabled


def test_hints_go_once_a_scenario_has_choices_and_alternatives(scenarios: Path) -> None:
    path = scenarios / "combat" / "tavern-brawl.md"
    text = path.read_text(encoding="utf-8").replace("</DM>", " {A bell rings.|Nobody speaks.}</DM>", 1)
    path.write_text(f"{text}\n<!-- otherwise: none -->\n", encoding="utf-8")
    app = visit()
    assert not app.checkbox(key="vary_paraphrase_slots").disabled
    assert "A bell rings|" not in words(app)
    assert "otherwise:" not in words(app)


def test_accepting_goes_on_to_the_next_and_undo_comes_back(store: AugmentationStore) -> None:
    app = visit()
    first, second = rows(app)[:2]
    assert shown(app) == first
    click(app, "variation_accepted")
    assert shown(app) == second
    assert numbers(store) == (21, 1, 0)
    click(app, "variations_undo")
    assert shown(app) == first
    assert numbers(store) == (22, 0, 0)
    click(app, "variation_rejected")
    assert numbers(store) == (21, 0, 1)


def test_next_and_previous_walk_over_the_pages_of_the_list(store: AugmentationStore) -> None:
    app = visit()
    assert app.button(key="variation_previous").disabled
    for _ in range(12):
        click(app, "variation_next")
    assert "Page 2 of 2" in words(app)
    assert len(rows(app)) == 10
    click(app, "variations_page_back")
    assert "Page 1 of 2" in words(app)


def test_all_shown_are_decided_at_once_and_taken_back_at_once(store: AugmentationStore) -> None:
    app = visit()
    app.selectbox(key="variations_operation").set_value("re-rolled dice")
    run(app)
    click(app, "variations_all_accepted")
    assert numbers(store) == (11, 11, 0)
    assert all("re-rolled dice" in one.operations for one in store.proposals("accepted"))
    click(app, "variations_undo")
    assert numbers(store) == (22, 0, 0)


def test_a_decided_variation_can_be_put_back(store: AugmentationStore) -> None:
    store.decide([one.name for one in store.proposals()], "accepted")
    app = visit()
    assert "Everything is decided: 22 accepted." in words(app)
    app.button_group(key="variations_status").set_value("accepted")
    run(app)
    click(app, "variation_proposed")
    assert numbers(store) == (1, 21, 0)


def test_a_changed_scenario_is_told_and_made_again(store: AugmentationStore, scenarios: Path) -> None:
    path = scenarios / "combat" / "ambush-scenario.md"
    path.write_text(path.read_text(encoding="utf-8").replace("</DM>", " So it goes.</DM>", 1), encoding="utf-8")
    app = visit()
    assert "Its scenario was changed since" in words(app)
    name = next(one.name for one in store.proposals() if one.name.startswith("combat/ambush"))
    click(app, "variation_again")
    assert "Its scenario was changed since" not in words(app)
    assert "So it goes." in store.text(name)


def test_all_variations_of_changed_scenarios_are_made_again_at_once(store: AugmentationStore, scenarios: Path) -> None:
    store.decide([one.name for one in store.proposals()], "accepted")
    for path in sorted(scenarios.glob("combat/*.md")):
        path.write_text(path.read_text(encoding="utf-8").replace("</DM>", " So it goes.</DM>", 1), encoding="utf-8")
    app = visit()
    assert "6 variations of scenarios that you changed since" in words(app)
    click(app, "variations_again")
    assert "that you changed since" not in words(app)
    assert "6 new variations to look at." in words(app)
    assert numbers(store) == (6, 16, 0)


def test_the_variations_of_a_deleted_scenario_can_still_be_seen_and_rejected(
    store: AugmentationStore, scenarios: Path
) -> None:
    (scenarios / "combat" / "ambush-scenario.md").unlink()
    app = visit()
    assert "is gone" in words(app)
    click(app, "variation_rejected")
    assert numbers(store) == (21, 0, 1)


def test_a_file_that_was_edited_is_told_and_nothing_is_decided(store: AugmentationStore) -> None:
    first = store.proposals()[0]
    (store.folder / "proposed" / first.name).write_text("<b>something else</b>", encoding="utf-8")
    app = visit()
    assert "changed after it was proposed" in words(app)
    click(app, "variation_accepted")
    assert numbers(store) == (22, 0, 0)


def test_hostile_text_is_shown_as_text(store: AugmentationStore) -> None:
    name = "combat/aaa*_[x](y)<img>.md"
    made = Augmented(name, "<script>alert(1)</script>\n", name, ("levels",), 1)
    store.propose([(made, "Nothing.\n")])
    app = visit()
    html = "".join(str(one.value) for one in app.get("html"))
    assert "&lt;script&gt;alert" in html
    assert "<script>alert" not in html
    assert "\\*\\_\\[x\\]" in app.subheader[0].value


def test_two_thousand_variations_are_shown_a_page_at_a_time(store: AugmentationStore) -> None:
    made = (Augmented(f"mixed/m--{n:04}.md", f"text {n}\n", "mixed/m.md", ("levels",), n) for n in range(2000))
    store.propose((one, "text\n") for one in made)
    app = visit()
    assert len(rows(app)) == 12
    assert "Page 1 of 169" in words(app)
