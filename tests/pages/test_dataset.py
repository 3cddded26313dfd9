"""The dataset page: head, rows with their tokens, balance, report, settings, and the job where there is much to do."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import pages.parts.dataset_state
from studio.bases import ConversationRenderer, get_base
from studio.config import BalanceConfig, DatasetConfig, load_dataset_config, save_dataset_config
from studio.dataset import TrainingDataProcessor
from studio.dataset.jobs import dataset_request, preprocess_job
from studio.workspace import PROJECT_ROOT, Workspace, atomic_write
from tests.pages.visit import Visit

HOSTILE = "<img src=x onerror=alert(1)> **bold** [l](javascript:alert(1))"


@pytest.fixture
def held_out(workspace: Workspace, scenarios: Path) -> Workspace:
    """The shipped scenarios and those that are held out, and SmolLM2."""
    shutil.copytree(PROJECT_ROOT / "data" / "validation", workspace.validation_dir)
    return workspace


# -- head


def test_an_empty_workspace_says_what_would_be_here(workspace: Workspace) -> None:
    visit = Visit("dataset")
    assert "Nothing to learn from yet" in visit.words
    assert visit.click("empty_dataset").title == "Scenarios"


def test_rows_need_a_base_model(scenarios: Path) -> None:
    visit = Visit("dataset")
    assert "No base model yet" in visit.words
    assert visit.click("dataset_base_setup").title == "Setup"


def test_the_figures_are_those_of_the_dataset_that_a_run_would_make(held_out: Workspace) -> None:
    visit = Visit("dataset")
    processor = TrainingDataProcessor.configured(held_out, get_base(held_out, "smollm2-135m-instruct"), 2048)
    manifest = processor.process_scenarios(held_out.scenarios_dir).manifest
    train = manifest.counts["train"]
    assert visit.figures == {
        "Scenarios": str(train.scenarios),
        "Rows": str(train.rows),
        "Tokens learned": f"{train.trained_tokens:,}",
        "Share learned": f"{train.trained_share:.0%}",
        "Held out": "2",
    }
    assert manifest.fingerprint[:12] in visit.words
    assert not visit.app.warning


def test_what_is_wrong_is_said_once_and_the_report_names_it(held_out: Workspace, scenarios: Path) -> None:
    atomic_write(scenarios / "mixed" / "no_answer.md", "<User>Hello?</User>\n")
    visit = Visit("dataset")
    assert len(visit.app.warning) == 1
    assert "1 part of your scenarios cannot be learned from" in visit.words
    visit.choose("segmented_control", "dataset_view", "report")
    assert "mixed/no_answer.md" in visit.words
    place = next(key for key in visit.keys if key.startswith("remark_open_") and "no_answer" in opened(visit, key))
    assert visit.click(place).address == {"file": "mixed/no_answer"}


def opened(visit: Visit, key: str) -> str:
    """The words beside the button of a remark."""
    number = int(key.rpartition("_")[2])
    lines = [one.value for one in visit.app.markdown if one.value.startswith("**")]
    return lines[number].replace("\\", "")


def test_settings_that_cannot_be_used_are_told(held_out: Workspace) -> None:
    atomic_write(held_out.config_dir / "dataset.yaml", "pairs: perhaps\n")
    [error] = Visit("dataset").errors
    assert "dataset.yaml" in error


# -- rows


def test_a_row_shows_the_tokens_of_the_arrow_file_and_which_are_learned(held_out: Workspace) -> None:
    visit = Visit("dataset").click("row_train_2")
    assert visit.address == {"view": "rows", "row": "train-2"}
    base = get_base(held_out, "smollm2-135m-instruct")
    dataset = TrainingDataProcessor.configured(held_out, base, 2048).process_scenarios(held_out.scenarios_dir)
    row = dataset.row("train", 2)
    html = next(str(one.value) for one in visit.app.get("html") if 'class="tokens"' in str(one.value))
    boxes = [part.partition("  ")[0] for part in html.split('title="')[1:]]
    assert boxes == [str(token) for token in row.input_ids]
    assert f"{row.trained_tokens:,} (" in visit.words
    visit.choose("segmented_control", "row_way", "text")
    renderer = ConversationRenderer(base.tokenizer(), base.template())
    shown = "".join(str(one.value) for one in visit.app.get("html") if 'class="exact"' in str(one.value))
    assert shown.count('class="control"') == sum(token in renderer.control_ids for token in row.input_ids)


def test_rows_are_leafed_through_and_the_scenario_opens(held_out: Workspace) -> None:
    visit = Visit("dataset", row="train-0")
    assert visit.app.button(key="row_before").disabled
    visit.click("row_after")
    assert visit.address["row"] == "train-1"
    visit.click("all_rows")
    assert "row" not in visit.address
    visit.click("row_train_0").click("row_file")
    assert visit.address == {"file": "combat/ambush-scenario"}


@pytest.mark.parametrize("row", ["train-9999", "nonsense", "train-", "train--1", "<b>-1"])
def test_a_row_that_is_not_there_shows_the_list(held_out: Workspace, row: str) -> None:
    visit = Visit("dataset", row=row)
    assert visit.has("row_train_0")


def test_rows_are_found_by_scenario_and_side(held_out: Workspace) -> None:
    visit = Visit("dataset").choose("text_input", "rows_search", "BRAWL")
    assert {one for one in visit.keys if one.startswith("row_train_")} == {"row_train_4", "row_train_5"}
    visit.choose("text_input", "rows_search", "nobody is called so")
    assert "No row is of a scenario" in visit.words
    visit.choose("text_input", "rows_search", "").choose("segmented_control", "rows_split", "validation")
    visit.click("row_validation_0")
    assert "validation/harbor-night" in visit.words
    assert not visit.has("row_file"), "it is not in the library"


def test_hostile_words_stay_words(held_out: Workspace, scenarios: Path) -> None:
    text = (scenarios / "combat" / "tavern-brawl.md").read_text(encoding="utf-8")
    text = text.replace("<User>", f"<User>{HOSTILE} ", 1)
    atomic_write(scenarios / "combat" / "a_b*c [d].md", text)
    visit = Visit("dataset")
    visit.choose("text_input", "rows_search", "a_b*c")
    key = next(one for one in visit.keys if one.startswith("row_train_"))
    assert visit.app.button(key=key).label == r"combat/a\_b\*c \[d\]"
    visit.click(key)
    html = "".join(str(one.value) for one in visit.app.get("html"))
    assert "<img" not in html
    assert "&lt;" in html


# -- coverage, balance, variations


def test_views_are_in_the_address_and_remembered(held_out: Workspace) -> None:
    visit = Visit("dataset", view="coverage")
    assert "Write these next" in visit.words
    assert len(visit.app.get("plotly_chart")) == 3
    visit.choose("segmented_control", "dataset_view", "variations")
    assert visit.address == {"view": "variations"}
    visit.app.switch_page("pages/train.py")
    visit.run()
    visit.app.switch_page("pages/dataset.py")
    visit.run()
    assert visit.app.segmented_control(key="dataset_view").value == "variations"


def test_a_view_that_there_is_not_is_the_first(held_out: Workspace) -> None:
    assert Visit("dataset", view="<b>").app.segmented_control(key="dataset_view").value == "rows"


def test_a_balance_is_put_to_use_told_and_switched_off(held_out: Workspace) -> None:
    visit = Visit("dataset", view="balance")
    assert "every row is read once" in visit.words
    visit.choose("pills", "balance_margins", ["call"]).choose("slider", "balance_strength", 50)
    visit.click("balance_use")
    assert load_dataset_config(held_out).balance == BalanceConfig(by=["call"], strength=0.5)
    assert "Asking or not: read some more often, 50% of the way" in visit.words
    assert visit.app.button(key="balance_use").disabled
    assert "Asking or not" in Visit("train").words
    visit.click("balance_off")
    assert load_dataset_config(held_out).balance.by == []
    assert not visit.has("balance_off")


def test_a_balance_that_is_in_use_is_what_the_page_begins_with(held_out: Workspace) -> None:
    used = BalanceConfig(by=["tool"], method="caps", strength=0.3, cap=40)
    save_dataset_config(held_out, DatasetConfig(balance=used))
    visit = Visit("dataset", view="balance")
    assert visit.app.pills(key="balance_margins").value == ["tool"]
    assert visit.app.slider(key="balance_cap").value == 40
    assert visit.app.button(key="balance_use").disabled


# -- report


def test_the_report_is_filtered_by_kind(held_out: Workspace, scenarios: Path) -> None:
    shutil.copy(scenarios / "combat" / "tavern-brawl.md", scenarios / "combat" / "copy.md")
    visit = Visit("dataset", view="report")
    visit.choose("pills", "report_kind", "duplicate")
    remarks = [one.value for one in visit.app.markdown if one.value.startswith("**")]
    assert len(remarks) == 1
    assert "Read once." in visit.words


def test_settings_are_saved_and_make_the_dataset_anew(held_out: Workspace) -> None:
    visit = Visit("dataset", view="report")
    before = visit.figures
    assert visit.app.checkbox(key="set_held_out_auto").value is True
    visit.app.checkbox(key="set_held_out_auto").set_value(False)
    visit.app.slider(key="set_held_out").set_value(30)
    visit.app.checkbox(key="set_pairs").set_value(True)
    visit.click("settings_save")
    saved = load_dataset_config(held_out)
    assert (saved.validation_fraction, saved.pairs, saved.recap) == (0.3, True, False)
    assert int(visit.figures["Held out"]) > int(before["Held out"])
    assert int(visit.figures["Rows"]) > int(before["Rows"])


def test_the_download_holds_every_scenario_as_messages(held_out: Workspace, scenarios: Path) -> None:
    from pages.parts.dataset_report import _messages

    visit = Visit("dataset", view="report")
    assert visit.app.get("download_button")
    lines = [json.loads(line) for line in _messages().splitlines()]
    assert len(lines) == len(list(scenarios.rglob("*.md")))
    assert {one["role"] for one in lines[0]["messages"]} == {"system", "user", "assistant", "tool"}


# -- a job where there is much to do


@pytest.mark.slow
def test_many_scenarios_are_prepared_by_a_job_that_the_page_follows(
    held_out: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages.parts.dataset_state, "AT_ONCE", 3)
    visit = Visit("dataset")
    job = preprocess_job(dataset_request(held_out, "smollm2-135m-instruct", 2048, DatasetConfig()))
    assert job is not None
    if not job.state().is_finished:
        assert "Preparing" in visit.words
        assert visit.has("dataset_stop")
        assert not visit.figures
    assert job.wait(120).status == "done"
    assert visit.run().figures["Held out"] == "2"
    assert Visit("train").figures["Scenarios"] == visit.figures["Scenarios"]


@pytest.mark.slow
def test_a_preparation_that_failed_is_told_and_goes_on(held_out: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages.parts.dataset_state, "AT_ONCE", 0)
    shutil.rmtree(held_out.scenarios_dir)
    only = held_out.scenarios_dir / "mixed" / "no_answer.md"
    atomic_write(only, "<User>Hello?</User>\n")
    visit = Visit("dataset")
    request = dataset_request(held_out, "smollm2-135m-instruct", 2048, DatasetConfig())
    job = preprocess_job(request)
    assert job is not None
    assert job.wait(120).status == "failed"
    assert "There is nothing to train on." in visit.run().errors[0]
    shutil.copy(PROJECT_ROOT / "data" / "scenarios" / "combat" / "tavern-brawl.md", only)
    visit.click("dataset_go_on")
    assert job.wait(120).status == "done"
    assert visit.run().figures["Scenarios"] == "1"
