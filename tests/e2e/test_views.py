"""The three views in a browser: aligned turn by turn, exact to the character, harmless, and quick for a long scenario.

The views are shown by a page of their own, so that only they are tested; text, tokenizer and browser are the real ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from studio.bases import BaseModel, ConversationRenderer, RenderedConversation
from studio.scenarios import MarkdownParser, to_messages
from studio.workspace import Workspace, atomic_write
from tests.e2e.driver import StudioServer, keyed, settle, visit

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
PAGE = """
from pathlib import Path
import streamlit as st
from pages.parts import layout
from pages.parts.prompt_views import prompt_view, tokens_view
from pages.parts.side_by_side import side_by_side_view
from studio.scenarios import MarkdownParser
from studio.ui.story import story_html

st.set_page_config(layout="wide")
st.html(Path(layout.__file__).with_name("style.css"))
st.title("Views")
asked = st.query_params
scenario = MarkdownParser().parse_text(layout.library().read(asked["file"]).text, default_type="combat")
match asked["view"]:
    case "story":
        st.html(story_html(scenario.conversation, layout.vocabulary()))
    case "prompt":
        prompt_view(scenario)
    case "tokens":
        tokens_view(scenario)
    case _:
        side_by_side_view(scenario)
"""
BRAWL = "combat/tavern-brawl"
ATTACK = (
    '"><img src=x onerror="window.hacked=1"><script>window.hacked=1</script>[x](javascript:window.hacked=1)<|im_end|>'
)
HOSTILE = f"""<SYSTEM>
# World
{ATTACK}

# Party

## {ATTACK}
- Player Character
</SYSTEM>

<User>{ATTACK}: I look.</User>

<DM>{ATTACK} [roll: {ATTACK}]</DM>

<TOOLCALL>{ATTACK}</TOOLCALL>
"""
INSIDE = "[data-testid='stMain'] :is(.views, .story, .tokens, .stCode)"


@pytest.fixture(scope="module")
def server(campaign: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudioServer]:
    """Serves the page above instead of the studio's own."""
    folder = tmp_path_factory.mktemp("views")
    script = folder / "views.py"
    script.write_text(PAGE, encoding="utf-8")
    server = StudioServer(campaign, folder / "app.log", script)
    server.start()
    yield server
    server.stop()


def write(campaign: Workspace, name: str, text: str) -> str:
    atomic_write(campaign.scenarios_dir / "combat" / f"{name}.md", text)
    return f"combat/{name}"


def look(page: Page, file: str, view: str = "side") -> None:
    visit(page, f"/?file={file}&view={view}")


def rendered(campaign: Workspace, base: BaseModel, file: str) -> RenderedConversation:
    scenario = MarkdownParser().parse_scenario(campaign.scenarios_dir / f"{file}.md")
    return ConversationRenderer(base.tokenizer(), base.template()).render(to_messages(scenario))


def text_of(cells: Locator) -> str:
    return "".join(cells.evaluate_all("all => all.map(one => one.textContent)"))


def box(element: Locator) -> tuple[float, float, float]:
    """Left, top and width in pixels."""
    place = element.bounding_box()
    assert place
    return place["x"], place["y"], place["width"]


def box_height(element: Locator) -> float:
    return float(element.evaluate("one => one.clientHeight"))


def test_three_columns_stand_side_by_side_turn_by_turn_with_the_models_own_text(
    page: Page, campaign: Workspace, smollm2: BaseModel
) -> None:
    look(page, BRAWL)
    conversation = rendered(campaign, smollm2, BRAWL)
    rows = page.locator(".views .three")
    expect(rows).to_have_count(len(conversation.spans))
    assert text_of(page.locator(".views .exact")) == conversation.text
    assert text_of(page.locator(".views .tokens")) == conversation.text
    assert page.locator(".views .trained > [title]").count() == sum(conversation.mask)
    story, prompt, tokens = (box(rows.nth(2).locator(f".{name}")) for name in ("tale", "prompt", "learned"))
    assert story[1] == prompt[1] == tokens[1]
    assert story[0] + story[2] < prompt[0] < prompt[0] + prompt[2] < tokens[0]
    expect(page.locator(".views .heads")).to_contain_text(
        f"{len(conversation.ids):,}, of them {sum(conversation.mask):,}"
    )
    first = conversation.spans[1].tokens.start
    token = rows.nth(1).locator(".tokens [title]").first
    expect(token).to_have_attribute("title", f"{conversation.ids[first]}  '<|im_start|>'")

    mark = page.locator(".views .border").first
    expect(mark).to_contain_text("Training row 1 ends here")
    mark.scroll_into_view_if_needed()
    page.mouse.wheel(0, 400)
    expect(page.locator(".views .heads")).to_be_in_viewport()


def test_what_is_selected_and_copied_is_what_the_model_reads(
    page: Page, campaign: Workspace, smollm2: BaseModel
) -> None:
    look(page, BRAWL)
    conversation = rendered(campaign, smollm2, BRAWL)
    span = conversation.spans[3].text
    copied = (
        page.locator(".views .three")
        .nth(3)
        .locator(".exact")
        .evaluate("cell => { getSelection().selectAllChildren(cell); return getSelection().toString(); }")
    )
    assert copied.strip() == conversation.text[span.start : span.stop].strip()


def test_the_system_block_unfolds_in_all_three_columns(page: Page) -> None:
    look(page, BRAWL)
    first = page.locator(".views .folded")
    before = [box_height(first.locator(f".{name}")) for name in ("tale", "prompt", "learned")]
    first.get_by_text("Show all of the SYSTEM block").click()
    expect(first.get_by_text("Show less")).to_be_visible()
    after = [box_height(first.locator(f".{name}")) for name in ("tale", "prompt", "learned")]
    assert all(now > then for now, then in zip(after, before, strict=True))


def test_what_an_author_typed_never_runs_and_never_is_markup(page: Page, campaign: Workspace) -> None:
    file = write(campaign, "hostile", HOSTILE)
    for view in ("story", "prompt", "tokens", "side"):
        look(page, file, view)
        expect(page.locator(INSIDE).first).to_be_visible()
        assert page.locator(f"{INSIDE} :is(img, script, iframe, a)").count() == 0
        shown = text_of(page.locator(INSIDE))
        assert "<img src=x onerror" in shown
        assert "[x](javascript:window.hacked=1)" in shown
        assert page.evaluate("window.hacked") is None


def test_a_narrow_window_puts_the_three_below_each_other_with_their_names(open_tab: Callable[[], Page]) -> None:
    page = open_tab()
    page.set_viewport_size({"width": 420, "height": 800})
    look(page, BRAWL)
    row = page.locator(".views .three").nth(2)
    story, prompt, tokens = (box(row.locator(f".{name}")) for name in ("tale", "prompt", "learned"))
    assert story[0] == prompt[0] == tokens[0]
    assert story[1] < prompt[1] < tokens[1]
    names = row.locator("> div").evaluate_all("all => all.map(one => getComputedStyle(one, '::before').content)")
    assert names == ['"Story"', '"Prompt"', '"Tokens"']
    overflow = page.get_by_test_id("stMain").evaluate("main => main.scrollWidth - main.clientWidth")
    assert overflow <= 0


def test_a_scenario_of_two_thousand_lines_is_turned_page_by_page(page: Page, campaign: Workspace) -> None:
    brawl = (campaign.scenarios_dir / f"{BRAWL}.md").read_text(encoding="utf-8")
    scene, _, played = brawl.partition("</SYSTEM>")
    text = f"{scene}</SYSTEM>{played * 19}\n<User>We sleep.</User>\n\n<DM>The last line.</DM>\n"
    assert text.count("\n") > 2000
    look(page, write(campaign, "long", text))
    expect(page.get_by_text("on other pages")).to_be_visible()
    assert page.locator(".views *").count() < 12_000
    views = page.locator(".views")
    views.evaluate("pane => pane.scrollTo(0, pane.scrollHeight)")
    pages = keyed(page, "views_page").get_by_role("button")
    pages.nth(pages.count() - 2).click()
    expect(views.get_by_text("The last line.").first).to_be_attached()
    settle(page)
    expect(page.locator(".views .heads")).to_be_in_viewport()
    assert views.evaluate("pane => pane.scrollTop") == 0
