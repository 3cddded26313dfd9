"""The whole loop in a browser, on the real base model. Later tests use what earlier ones made."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from studio.play import PlaySettings, Sampling, load_session, new_session, save_session
from studio.scenarios import MarkdownParser
from studio.training import find_run
from studio.ui.settings import training_settings
from studio.workspace import Workspace, sha256_file
from tests.e2e.driver import StudioServer, editor_of, keyed, press, settle, type_at_end, visit

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
TRAINING_MS = 420_000
CONVERSION_MS = 300_000
REPLY_MS = 300_000
STEPS = 8
NEW_TURNS = "\n\n<User>I look once more.</User>\n\n<DM>You look.\n\n[roll: perceptoin]</DM>\n"


def test_a_mistake_is_seen_while_typing_fixed_by_one_click_and_saved(page: Page, scenario_file: Path) -> None:
    before = scenario_file.read_text(encoding="utf-8")
    visit(page, "/scenarios")
    page.get_by_role("button", name="Tavern Brawl").click()
    expect(page.get_by_role("heading", name="Tavern Brawl")).to_be_visible()
    expect(page.get_by_text("No problems. This scenario is ready for training.")).to_be_visible()
    type_at_end(page, NEW_TURNS)

    problem = page.locator(".problem")
    expect(problem).to_contain_text("T003")
    expect(problem).to_contain_text("Did you mean perception?")
    expect(editor_of(page).locator(".ace_gutter-cell.ace_error")).to_be_visible()
    problem.get_by_role("button", name="Change to perception").click()
    expect(problem).to_be_hidden()
    expect(page.get_by_text("No problems. This scenario is ready for training.")).to_be_visible()
    expect(page.get_by_text("Not saved yet")).to_be_visible()
    assert scenario_file.read_text(encoding="utf-8") == before, "a draft is not yet the file"

    press(page, "save")
    expect(page.get_by_text("Saved", exact=False).first).to_be_visible()
    expect(page.get_by_text("Not saved yet")).to_be_hidden()
    assert scenario_file.read_text(encoding="utf-8") == before + NEW_TURNS.replace("perceptoin", "perception")


def test_the_views_show_the_story_the_prompt_and_the_trained_tokens(page: Page) -> None:
    visit(page, "/scenarios?file=combat/tavern-brawl")
    page.get_by_role("radio", name="Story").click()
    expect(page.locator(".chip.ask").first).to_contain_text("[roll: perception]")
    page.get_by_role("radio", name="Prompt").click()
    expect(keyed(page, "scenario_panel")).to_contain_text("<|im_start|>assistant")
    page.get_by_role("radio", name="Tokens").click()
    expect(page.locator(".tokens .trained").first).to_be_visible()
    expect(page.locator(".tokens .masked").first).to_be_visible()


def type_settings(page: Page, **values: int) -> None:
    """Write into advanced settings."""
    page.get_by_text("Advanced settings").click()
    for name, value in values.items():
        group = next(one.group for one in training_settings() if one.name == name)
        page.get_by_role("tab", name=group).click()
        field = keyed(page, f"set_{name}").get_by_role("textbox")
        field.fill(str(value))
        field.press("Enter")
        expect(keyed(page, "train_changes")).to_contain_text(f"→ {value}")
    settle(page)


def test_a_mistake_in_a_setting_is_told_while_it_is_typed_and_files_come_back(page: Page, tmp_path: Path) -> None:
    visit(page, "/train")
    page.get_by_text("Advanced settings").click()
    epochs, start = keyed(page, "set_epochs").get_by_role("textbox"), keyed(page, "train_start").get_by_role("button")
    epochs.fill("ten")
    expect(page.get_by_text("ten cannot be used", exact=False).first).to_be_visible()
    expect(start).to_be_disabled()
    epochs.fill("10")
    expect(start).to_be_enabled()
    with page.expect_download() as saved:
        keyed(page, "train_save").get_by_role("button").click()
    saved.value.save_as(tmp_path / "mine.yaml")
    press(page, "train_undo")
    expect(epochs).to_have_value("4")
    page.get_by_role("button", name="Load settings").click()
    page.locator("input[type=file]").set_input_files(tmp_path / "mine.yaml")
    expect(page.get_by_text("mine.yaml").first).to_be_visible()
    press(page, "train_load")
    expect(page.get_by_role("radio", name="From the file")).to_be_checked()
    expect(epochs).to_have_value("10")


def test_a_run_starts_from_the_form_and_lives_on_without_tab_and_app(
    open_tab: Callable[[], Page], server: StudioServer, campaign: Workspace
) -> None:
    page = open_tab()
    visit(page, "/train")
    expect(keyed(page, "dataset_figures")).to_contain_text("Scenarios")
    keyed(page, "train_name").get_by_role("textbox").fill("evening")
    type_settings(page, max_steps=STEPS, max_seq_length=1024)
    press(page, "train_start")
    expect(page.get_by_role("heading", name="evening")).to_be_visible()
    expect(page.locator(".js-plotly-plot")).to_be_visible(timeout=TRAINING_MS)
    page.close()

    server.stop()
    assert not find_run(campaign, "evening").state().is_finished, "the run must not end with the app"
    server.start()
    again = open_tab()
    visit(again, "/train")
    again.get_by_role("button", name="evening").click()
    expect(keyed(again, "run_bar")).to_contain_text("finished", timeout=TRAINING_MS)
    expect(again.locator(".js-plotly-plot")).to_have_count(1)  # the one of the running page goes with it
    expect(again.locator(".js-plotly-plot")).to_be_visible()
    expect(keyed(again, "figures")).to_contain_text(f"{STEPS} of {STEPS}")
    assert find_run(campaign, "evening").adapter


def test_a_run_that_is_stopped_keeps_a_checkpoint_and_goes_on(page: Page, campaign: Workspace) -> None:
    visit(page, "/train")
    keyed(page, "train_name").get_by_role("textbox").fill("interrupted")
    type_settings(page, max_steps=3, max_seq_length=1024)
    press(page, "train_start")
    press(page, "stop_run")
    expect(keyed(page, "run_bar")).to_contain_text("stopped", timeout=TRAINING_MS)
    press(page, "resume")
    expect(keyed(page, "run_bar")).to_contain_text("finished", timeout=TRAINING_MS)
    assert find_run(campaign, "interrupted").state().status == "done"


def test_the_run_becomes_a_quantized_file_that_names_its_parents(page: Page, campaign: Workspace) -> None:
    visit(page, "/train?run=evening")
    press(page, "to_models")
    expect(page.get_by_role("heading", name="Models", exact=True)).to_be_visible()
    expect(keyed(page, "convert_run").get_by_role("combobox")).to_have_value("evening")
    expect(keyed(page, "convert_form")).to_contain_text("Q8_0 suits Phone with 2 GB")
    press(page, "convert_start")
    expect(page.locator("[class*='st-key-job_line_']").first).to_contain_text("finished", timeout=CONVERSION_MS)
    expect(page.get_by_role("heading", name="Your models")).to_be_visible()
    made = campaign.gguf_dir / "evening" / "evening.Q8_0.gguf"
    card = page.locator(".facts", has_text=sha256_file(made)[:16])
    expect(card).to_be_visible()
    expect(card).to_contain_text("adapter")
    expect(card).to_contain_text("dataset")


def test_the_file_is_played_with_in_the_browser(page: Page, campaign: Workspace) -> None:
    visit(page, "/models")
    page.get_by_role("button", name="Play").first.click()
    expect(keyed(page, "play_model").get_by_role("combobox")).to_have_value(re.compile(re.escape("evening.Q8_0")))
    press(page, "play_start")
    digest = sha256_file(campaign.gguf_dir / "evening" / "evening.Q8_0.gguf")
    expect(keyed(page, "loaded_file")).to_contain_text(digest[:16], timeout=REPLY_MS)
    box = page.get_by_placeholder("What do you do?")
    box.fill("I look around the camp.")
    box.press("Enter")
    expect(page.get_by_text(re.compile("tokens/s")).first).to_be_visible(timeout=REPLY_MS)
    expect(page.locator(".turn.user .body").last).to_have_text("I look around the camp.")
    assert page.locator(".turn.dm .body").first.inner_text().strip()
    page.reload()
    expect(page.locator(".turn.user .body").last).to_have_text("I look around the camp.")


def test_a_roll_that_the_model_asks_for_is_thrown_and_told(
    page: Page, campaign: Workspace, scenario_file: Path
) -> None:
    """What so few steps teach is not sure to ask for dice, so this model may say nothing else before its first roll."""
    asks = 'root ::= "You look." "\\n\\n" "[roll: perception]" | "*" ("SUCCESS" | "FAILED") "* The room is quiet."'
    session = new_session(
        MarkdownParser().parse_scenario(scenario_file),
        session_id="dice",
        created=datetime.now(UTC),
        settings=PlaySettings(grammar=asks, rolls_per_turn=1, speaking_as="Sarah", sampling=Sampling(max_tokens=40)),
    )
    save_session(campaign, session)
    visit(page, "/play?chat=dice&model=gguf/evening/evening.Q8_0.gguf")
    box = page.get_by_placeholder("What do you do?")
    for _ in range(3):
        box.fill("I look for the contact.")
        box.press("Enter")
        expect(page.get_by_text(re.compile("tokens/s")).first).to_be_visible(timeout=REPLY_MS)
        settle(page)
    rolled = [one for one in load_session(campaign, "dice").messages if one.role == "tool"]
    assert rolled
    assert re.fullmatch(r"perception: \d+ \+ 5\(skill\) = \*\d+\*", rolled[0].content)
    expect(page.locator(".chip.result").first).to_contain_text("perception:")
    expect(page.locator(".chip.ask").first).to_contain_text("[roll: perception]")


@pytest.mark.parametrize(
    "path", ["/", "/scenarios", "/scenarios?file=combat/tavern-brawl", "/train", "/models", "/play", "/setup"]
)
def test_no_page_is_wider_than_a_narrow_window(open_tab: Callable[[], Page], path: str) -> None:
    page = open_tab()
    page.set_viewport_size({"width": 420, "height": 800})
    visit(page, path)
    overflow = page.evaluate(
        "() => { const m = document.querySelector('[data-testid=stMain]'); return m.scrollWidth - m.clientWidth; }"
    )
    assert overflow <= 0
