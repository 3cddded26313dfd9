"""The scenario editor in a browser: fixes, undo, tools, completion, jumping, two tabs, a killed app, hostile text."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from studio.scenarios.library import ScenarioLibrary
from studio.workspace import Workspace
from tests.e2e.driver import StudioServer, editor_of, editor_text, keyed, looked_at, press, type_at_end, visit

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
SCENE = """<SYSTEM>
# Role
You are the Dungeon Master.

# World
An old forest.

# Location
A clearing at dusk.

# Party

## Ada
- Player Character
- Level 1
- Health: 9/9
- Skills: Perception +5
</SYSTEM>

<User>I listen.</User>

<DM>Hush. Something moves.

[roll: perception]</DM>
"""
ROLLED = re.compile(r"<TOOLCALL>perception: (\d+) \+ 5\(skill\) = \*(\d+)\*</TOOLCALL>")
HOSTILE = (
    "<script>window.pwned='script'</script>",
    "<img src=x onerror=\"window.pwned='img'\">",
    "<svg onload=\"window.pwned='svg'\"></svg>",
    "[click](javascript:window.pwned='link')",
    "![x](javascript:window.pwned='image')",
    "<a href=\"javascript:window.pwned='a'\">a</a>",
    "<iframe srcdoc=\"<script>parent.pwned='frame'</script>\"></iframe>",
    "`</code></pre><script>window.pwned='code'</script>`",
    "$\\href{javascript:window.pwned='tex'}{x}$",
)


@pytest.fixture
def library(campaign: Workspace) -> ScenarioLibrary:
    return ScenarioLibrary(campaign)


@pytest.fixture
def scene(library: ScenarioLibrary, request: pytest.FixtureRequest) -> str:
    """A scenario of its own for each test; its id."""
    return library.create("combat", library.suggest_name("combat", request.node.name), SCENE).id


def opened(page: Page, scenario_id: str) -> None:
    visit(page, f"/scenarios?file={scenario_id}")
    editor_of(page)


def problems(page: Page) -> list[str]:
    return [str(one) for one in page.evaluate("() => window.studioDesk.problems.map((one) => one.code)")]


def cursor_row(page: Page) -> int:
    return int(page.evaluate("() => window.studioDesk.editor.getCursorPosition().row"))


def holds(page: Page, text: str) -> None:
    """Wait until the editor that stays holds a text; while one makes room for the next, there are two."""
    page.wait_for_function("(text) => studioDesk.ready && studioDesk.editor.getValue().includes(text)", arg=text)


def test_a_fix_is_taken_back_by_ctrl_z_and_the_cursor_can_jump_to_a_problem(page: Page, scene: str) -> None:
    opened(page, scene)
    type_at_end(page, "\n<User>Again.</User>\n\n<DM>Look.\n\n[roll: steelth]</DM>\n")
    assert problems(page)[0] == "T001"
    row = page.locator(".problem[data-code=T003]")
    row.get_by_role("button", name=re.compile("^line")).click()
    assert editor_text(page).split("\n")[cursor_row(page)] == "[roll: steelth]</DM>"
    row.locator(".fix").click()
    looked_at(page)
    assert "[roll: stealth]" in editor_text(page)
    page.keyboard.press("Control+z")
    looked_at(page)
    assert "[roll: steelth]" in editor_text(page)
    page.keyboard.press("Control+.")
    looked_at(page)
    assert "[roll: stealth]" in editor_text(page), "the fix of the line has a key, too"


def test_one_click_fixes_every_slip_of_form(page: Page, scene: str) -> None:
    opened(page, scene)
    type_at_end(page, "\n<user>Again.</user>\n\n<dm>Look.</dm>\n")
    page.get_by_role("button", name=re.compile("Fix .* at once")).click()
    page.wait_for_function("() => window.studioDesk.editor.getValue().includes('<DM>Look.')")
    looked_at(page)
    assert "<User>Again.</User>" in editor_text(page)
    assert "<DM>Look.</DM>" in editor_text(page)
    page.keyboard.press("Control+z")
    looked_at(page)
    assert "<user>Again.</user>" in editor_text(page), "all of it is one step back"


def test_the_tools_write_a_whole_exchange(page: Page, scene: str, library: ScenarioLibrary) -> None:
    opened(page, scene)
    type_at_end(page, "")
    page.get_by_role("button", name="Roll the answer").click()
    expect(editor_of(page).locator(".ace_content").first).to_contain_text("<TOOLCALL>perception:")
    looked_at(page)
    page.get_by_role("button", name="DM", exact=True).click()
    page.wait_for_function("() => window.studioDesk.editor.getValue().includes('<DM></DM>')")
    page.keyboard.insert_text("*SUCCESS* An owl.")
    looked_at(page)
    page.get_by_role("button", name="Ask for a roll").click()
    page.get_by_placeholder("Search requests").fill("sneak")
    page.keyboard.press("Enter")
    page.wait_for_function("() => window.studioDesk.editor.getValue().includes('[roll: stealth]')")
    looked_at(page)
    text = editor_text(page)
    rolled = ROLLED.search(text)
    assert rolled
    assert int(rolled[1]) + 5 == int(rolled[2])
    assert text.endswith("<DM>*SUCCESS* An owl.\n[roll: stealth]</DM>\n")
    page.keyboard.press("Control+s")
    expect(page.get_by_text("Not saved yet")).to_be_hidden()
    assert library.read(scene).text == text


def test_a_bracket_offers_the_requests_and_a_comma_their_arguments(page: Page, scene: str) -> None:
    opened(page, scene)
    type_at_end(page, "\n<User>On.</User>\n\n<DM>Go on.\n")
    page.keyboard.type("[roll: ste", delay=30)
    popup = editor_of(page).locator(".ace_autocomplete")
    expect(popup).to_be_visible()
    page.keyboard.press("Enter")
    expect(popup).to_be_hidden()
    assert editor_text(page).endswith("\n[roll: stealth]"), "the bracket that Ace closed by itself is not doubled"
    page.keyboard.type(", adv", delay=30)
    expect(popup).to_be_visible()
    page.keyboard.press("Enter")
    page.wait_for_function("() => window.studioDesk.editor.getValue().endsWith('[roll: stealth, advantage]')")


def test_choices_are_wrapped_and_the_other_outcome_gets_its_turn(page: Page, scene: str) -> None:
    opened(page, scene)
    rolled = "\n<TOOLCALL>perception: 9 + 5(skill) = *14*</TOOLCALL>\n\n<DM>*SUCCESS* An owl sits there.</DM>\n"
    type_at_end(page, rolled)
    page.evaluate("() => window.studioDesk.editor.find('owl')")
    page.get_by_role("button", name="Choices").click()
    page.keyboard.insert_text("hawk")
    looked_at(page)
    assert "An {owl|hawk} sits there." in editor_text(page)
    page.get_by_role("button", name="Otherwise").click()
    holds(page, "<!-- otherwise:")
    page.keyboard.insert_text("Nothing is there.")
    looked_at(page)
    assert editor_text(page).endswith("</DM>\n\n<!-- otherwise:\n<DM>*FAILED* Nothing is there.</DM>\n-->\n"), (
        "the cursor stands where the words belong"
    )
    assert not {one for one in problems(page) if one >= "S027"} & {f"S0{number}" for number in range(27, 37)}
    assert page.evaluate(
        "() => studioDesk.frame.contentDocument.querySelectorAll('.studio-slot, .studio-turn-otherwise').length > 1"
    )


def test_the_outline_leads_to_a_turn_and_follows_the_cursor(page: Page, scene: str) -> None:
    opened(page, scene)
    outline = page.locator(".outline")
    expect(outline.locator("button.at")).to_have_count(4)
    outline.get_by_role("button", name="Hush. Something moves.").click()
    assert editor_text(page).split("\n")[cursor_row(page)].startswith("<DM>Hush")
    expect(outline.locator(".here")).to_contain_text("Hush")
    type_at_end(page, "\n<User>A new line of mine.</User>\n")
    expect(outline.get_by_role("button", name="A new line of mine.")).to_be_visible()


def test_what_two_tabs_type_is_never_lost(open_tab: Callable[[], Page], scene: str, library: ScenarioLibrary) -> None:
    mine, theirs = open_tab(), open_tab()
    opened(mine, scene)
    opened(theirs, scene)
    type_at_end(mine, "\n<User>MINE</User>\n")
    theirs.bring_to_front()
    editor_of(theirs).locator(".ace_content").first.click()
    theirs.keyboard.press("Control+Home")
    theirs.keyboard.insert_text("---\ntitle: THEIRS\n---\n")
    looked_at(theirs)
    press(theirs, "save")
    expect(theirs.get_by_text("Not saved yet")).to_be_hidden()
    mine.bring_to_front()
    press(mine, "save")
    expect(keyed(mine, "conflict")).to_contain_text("Somebody else changed the scenario meanwhile")
    press(mine, "conflict_merge")
    expect(keyed(mine, "conflict")).to_be_hidden()
    assert "title: THEIRS" in library.read(scene).text
    assert "<User>MINE</User>" in library.read(scene).text


def test_a_tab_with_nothing_unsaved_sees_what_another_saved(page: Page, scene: str, library: ScenarioLibrary) -> None:
    opened(page, scene)
    stored = library.read(scene)
    library.save(scene, stored.text + "\n<User>FROM ELSEWHERE</User>\n", stored.revision)
    page.get_by_role("radio", name="Story").click()
    holds(page, "FROM ELSEWHERE")
    type_at_end(page, "\n<DM>Both stay.</DM>\n")
    press(page, "save")
    expect(page.get_by_text("Not saved yet")).to_be_hidden()
    assert "FROM ELSEWHERE" in library.read(scene).text
    assert "Both stay." in library.read(scene).text


def test_text_survives_the_end_of_the_app_in_the_middle_of_typing(
    open_tab: Callable[[], Page], server: StudioServer, scene: str, library: ScenarioLibrary
) -> None:
    page = open_tab()
    opened(page, scene)
    type_at_end(page, "\n<User>Do not lose me.</User>\n")
    server.kill()
    server.start()
    page.close()
    again = open_tab()
    opened(again, scene)
    press(again, "take_draft")
    expect(keyed(again, "left_draft")).to_be_hidden()
    holds(again, "Do not lose me.")
    press(again, "save")
    expect(again.get_by_text("Not saved yet")).to_be_hidden()
    assert "Do not lose me." in library.read(scene).text


def test_windows_line_ends_and_the_byte_order_mark_stay_where_nothing_was_typed(
    page: Page, library: ScenarioLibrary
) -> None:
    made = library.create("mixed", "windows", ("\ufeff" + SCENE).replace("\n", "\r\n"))
    opened(page, made.id)
    type_at_end(page, "\n<DM>More.</DM>\n")
    press(page, "save")
    expect(page.get_by_text("Not saved yet")).to_be_hidden()
    assert library.read(made.id).text == made.text + "\r\n<DM>More.</DM>\r\n"


def test_nothing_that_an_author_writes_runs_in_the_page(
    page: Page, library: ScenarioLibrary, campaign: Workspace
) -> None:
    """Title, tags, scene, names, sheet lines, every kind of turn, requests and results, in every view of the editor."""
    bad = " ".join(HOSTILE)
    names = "".join(
        f"\n## {one}\n- Player Character\n- Level 1\n- {one}: {one}\n- Inventory: {one}\n" for one in HOSTILE
    )
    text = (
        f"---\ntitle: {HOSTILE[1]!r}\ntags: [{HOSTILE[0]!r}]\n{HOSTILE[2]!r}: 1\n---\n"
        f"<SYSTEM>\n# Role\n{bad}\n# World\n{bad}\n# Location\n{bad}\n# Party\n{names}</SYSTEM>\n\n"
        f"<User>{HOSTILE[0]}: {bad}</User>\n\n<DM>{bad}\n\n[roll: {HOSTILE[1]}]\n"
        f"[{HOSTILE[0]}: x, dc={HOSTILE[1]}]</DM>\n\n"
        f"<TOOLCALL>{bad}\n{HOSTILE[1]}: 1 + 1({HOSTILE[0]}) = *3*</TOOLCALL>\n\n<DM>*SUCCESS* {bad}</DM>\n{bad}\n"
    )
    made = library.create("mixed", "hostile", text)
    library.save(made.id, text + "\n" + bad, made.revision)
    alerts: list[str] = []
    page.on("dialog", lambda dialog: (alerts.append(dialog.message), dialog.dismiss()))
    opened(page, made.id)
    for view in ("Party", "Story", "Prompt", "Tokens", "Problems"):
        page.get_by_role("radio", name=view).click()
        expect(keyed(page, "scenario_panel")).not_to_be_empty()
        harmless(page)
    press(page, "enter_wide")
    expect(keyed(page, "desk_wide")).to_contain_text("<script>")
    harmless(page)
    press(page, "leave_wide")
    keyed(page, "file_menu").get_by_role("button").first.click()
    page.get_by_role("menuitem", name="History").or_(page.get_by_text("History", exact=True)).first.click()
    expect(page.get_by_role("dialog")).to_be_visible()
    harmless(page)
    for path in ("/scenarios", "/", "/train", "/play"):
        visit(page, path)
        harmless(page)
    assert alerts == []


def harmless(page: Page) -> None:
    """No script ran, no element or link of the author's is in the page, in shadow roots neither."""
    assert page.evaluate("() => window.pwned === undefined")
    found = page.evaluate(
        """() => {
            const bad = [];
            const walk = (root) => {
                for (const one of root.querySelectorAll('*')) {
                    const leads = one.getAttribute('href') || one.getAttribute('src') || '';
                    const handler = one.getAttribute('onerror') || one.getAttribute('onload') || one.srcdoc;
                    if (leads.startsWith('javascript:') || handler) {
                        bad.push(one.outerHTML.slice(0, 200));
                    }
                    if (one.shadowRoot) walk(one.shadowRoot);
                }
            };
            walk(document);
            return bad;
        }"""
    )
    assert found == []


def test_a_narrow_window_keeps_every_part_within_reach(open_tab: Callable[[], Page], scene: str) -> None:
    page = open_tab()
    page.set_viewport_size({"width": 420, "height": 860})
    opened(page, scene)
    overflow = (
        "() => { const m = document.querySelector('[data-testid=stMain]'); return m.scrollWidth - m.clientWidth; }"
    )
    assert page.evaluate(overflow) <= 0
    for view in ("Party", "Story", "Prompt", "Tokens", "Problems"):
        page.get_by_role("radio", name=view).click()
        looked_at(page)
        assert page.evaluate(overflow) <= 0, view
    press(page, "back")
    expect(page.get_by_role("heading", name="Scenarios", exact=True)).to_be_visible()


@pytest.mark.parametrize("address", ["../../../etc/passwd", "combat/..%2F..%2Fsecret", "/etc/passwd"])
def test_an_address_outside_the_workspace_shows_nothing_of_it(page: Page, campaign: Workspace, address: str) -> None:
    secret = campaign.root / "secret.md"
    secret.write_text("TOP SECRET", encoding="utf-8")
    visit(page, f"/scenarios?file={address}")
    expect(page.get_by_text("This scenario cannot be opened.")).to_be_visible()
    assert "TOP SECRET" not in page.content()
    assert "root:" not in page.content()
    Path(secret).unlink()
