"""The views of what a model sees and learns: with the real base model, without one, and for long scenarios."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pages.parts.prompt_views import LONGEST_TEXT, conversation_key, offered_limits, render
from studio.bases import BaseModel, ConversationRenderer
from studio.config import TrainingConfig
from studio.scenarios import MarkdownParser, Message, to_messages
from studio.ui.tokens import RowLimit
from studio.workspace import PROJECT_ROOT, Workspace, atomic_write

Borrow = Callable[[BaseModel], BaseModel]
BRAWL = (PROJECT_ROOT / "data" / "scenarios" / "combat" / "tavern-brawl.md").read_text(encoding="utf-8")
PAYLOAD = "<img src=x onerror=alert(1)>"
VIEWS = ("prompt", "tokens", "side")


def _page(text: str, view: str) -> None:
    """What a page does with a scenario; AppTest runs this as a script."""
    from pages.parts.prompt_views import prompt_view, tokens_view
    from pages.parts.side_by_side import side_by_side_view
    from studio.scenarios import MarkdownParser

    scenario = MarkdownParser().parse_text(text, default_type="mixed")
    for name in view.split(" and "):
        {"prompt": prompt_view, "tokens": tokens_view, "side": side_by_side_view}[name](scenario)


def show(view: str, text: str = BRAWL) -> AppTest:
    app = AppTest.from_function(_page, args=(text, view), default_timeout=120).run()
    assert not app.exception, [one.value for one in app.exception]
    return app


def html(app: AppTest) -> str:
    return "\n".join(str(one.value) for one in app.get("html") if "<style>" not in str(one.value))


def exchanges(number: int, said: str = "You walk on. ") -> str:
    scene = BRAWL[: BRAWL.index("</SYSTEM>")] + "</SYSTEM>\n"
    return scene + "".join(f"\n<User>Step {i}.</User>\n\n<DM>{said}</DM>\n" for i in range(1, number + 1))


@pytest.mark.parametrize("view", VIEWS)
def test_without_a_base_model_every_view_says_what_comes_first(view: str) -> None:
    app = show(view)
    assert "No base model yet" in html(app)
    assert [one.label for one in app.button] == ["Open Setup"]


def test_a_scenario_without_turns_has_nothing_to_compare(workspace: Workspace) -> None:
    assert "Nothing to compare yet" in html(show("side", "<SYSTEM>\n# World\nx\n</SYSTEM>\n"))


def test_the_prompt_is_the_exact_text(workspace: Workspace, smollm2: BaseModel) -> None:
    renderer = ConversationRenderer(smollm2.tokenizer(), smollm2.template())
    text = renderer.render(to_messages(MarkdownParser().parse_text(BRAWL, default_type="mixed"))).text
    assert text.startswith("<|im_start|>system\n")
    assert show("prompt").code[0].value + "\n" == text, "the code block leaves out the line end of the last line only"


def test_the_tokens_come_with_their_figures_and_a_warning_beyond_the_longest_row(workspace: Workspace) -> None:
    app = show("tokens")
    assert '<span class="trained">' in html(app)
    assert "2,048 tokens (preset Quick, Good)" in html(app)
    assert "cut into several rows" in app.warning[0].value
    assert not show("tokens", exchanges(3)).warning


def test_the_longest_row_that_is_chosen_decides_where_the_scenario_is_cut(workspace: Workspace) -> None:
    app = show("side")
    assert app.selectbox(key="views_limit").options == [
        "2,048 tokens (preset Quick, Good)",
        "3,072 tokens (preset Best)",
    ]
    assert "Training row 1 ends here" in html(app)
    assert "becomes 2 rows" in app.warning[0].value
    app.selectbox(key="views_limit").select_index(1).run()
    assert "ends here" not in html(app)
    assert not app.warning


def test_a_settings_file_that_cannot_be_read_gives_the_studios_own_row(workspace: Workspace) -> None:
    atomic_write(workspace.config_dir / "training_config.yaml", "presets: [")
    assert show("side").selectbox(key="views_limit").options == ["2,048 tokens (the studio's default)"]
    assert offered_limits() == [RowLimit(TrainingConfig().max_seq_length, ())]


def test_the_row_follows_the_workspaces_own_presets(workspace: Workspace) -> None:
    atomic_write(
        workspace.config_dir / "training_config.yaml",
        "presets:\n  mine: {title: Mine, summary: '', training: {max_seq_length: 1000}}\n",
    )
    app = show("side")
    assert app.selectbox(key="views_limit").options == ["1,000 tokens (preset Mine)"]
    assert "Training row 1 ends here" in html(app)


def test_the_base_model_is_the_one_that_training_would_take_and_the_choice_is_shared(
    workspace: Workspace, borrow: Borrow, tiny_llama: BaseModel
) -> None:
    borrow(tiny_llama)
    app = show("prompt and side")
    assert app.selectbox(key="views_base").value == "smollm2-135m-instruct"
    app.selectbox(key="views_base").set_value("tiny-llama").run()
    assert app.selectbox(key="views_base").value == app.selectbox(key="prompt_base").value == "tiny-llama"
    app.selectbox(key="prompt_base").set_value("smollm2-135m-instruct").run()
    assert app.selectbox(key="views_base").value == app.selectbox(key="prompt_base").value == "smollm2-135m-instruct"


def test_a_long_scenario_begins_with_a_page_that_says_what_is_on_others(workspace: Workspace) -> None:
    """Turning the page is for the browser test: AppTest has no pagination."""
    app = show("side", exchanges(400))
    (said,) = [one.value for one in app.caption if "on other pages" in one.value]
    last, total, others = map(int, re.findall(r"\d+", said)[1:])
    assert total == 800
    assert last + others == total
    assert "Step 1." in html(app)
    assert html(app).count("Step ") == 2 * html(app).count('class="turn user"')
    assert html(app).count('class="turn ') - 1 == last, "the scene is a bubble as well"


@pytest.mark.parametrize("view", VIEWS)
def test_a_text_beyond_all_measure_is_not_worked_out(workspace: Workspace, view: str) -> None:
    app = show(view, exchanges(1, "x" * LONGEST_TEXT))
    assert "too many to work out" in app.info[0].value


@pytest.mark.parametrize("view", ["tokens", "side"])
def test_hostile_text_reaches_the_page_escaped(workspace: Workspace, view: str) -> None:
    plain = html(show(view)).count("&lt;")
    shown = html(show(view, BRAWL.replace("## Sarah", f"## {PAYLOAD}") + f"\n<DM>{PAYLOAD}</DM>\n"))
    assert "<img" not in shown
    assert shown.count("&lt;") > plain


def test_a_rerun_without_a_change_renders_nothing_again(workspace: Workspace, smollm2: BaseModel) -> None:
    said = [Message("user", "Hi"), Message("assistant", "Ho")]
    once = render(smollm2, said)
    assert render(smollm2, list(said)) is once
    assert render(smollm2, [*said, Message("user", "Ha")]) is not once


def test_what_is_kept_depends_on_base_model_roles_and_borders(smollm2: BaseModel, tiny_llama: BaseModel) -> None:
    talks = [
        [Message("user", "a"), Message("assistant", "b")],
        [Message("user", "a"), Message("user", "b")],
        [Message("user", "a assistant 1 b")],
        [Message("user", "ab")],
    ]
    keys = {conversation_key(base, talk) for base in (smollm2, tiny_llama) for talk in talks}
    assert len(keys) == 2 * len(talks)


def test_the_style_sheet_of_the_views_is_where_they_load_it_from() -> None:
    assert (Path(PROJECT_ROOT) / "pages" / "parts" / "views.css").is_file()


@pytest.mark.parametrize("view", VIEWS)
def test_a_scenario_with_choices_says_which_words_are_shown(workspace: Workspace, view: str) -> None:
    said = "You {walk|run} on."
    assert any("first option" in one.value for one in show(view, exchanges(1, said)).caption)
    assert not any("first option" in one.value for one in show(view, exchanges(1)).caption)
