"""Being told that a run has ended: a notification and a sound, made by a real browser in the background."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from studio.jobs.state import load_state, save_state
from studio.training import Run
from studio.workspace import Workspace
from tests.e2e.driver import StudioServer, browsing, visit
from tests.pages.conftest import write_run

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
LISTEN = """() => {
  const made = (window.made = { notifications: [], tones: 0 });
  window.Notification = class extends Notification {
    constructor(title, options) { super(title, options); made.notifications.push([title, options.body]); }
  };
  const start = OscillatorNode.prototype.start;
  OscillatorNode.prototype.start = function (...when) { made.tones += 1; return start.apply(this, when); };
}"""
"""The browser makes what it is asked for; this only writes down what that was."""


@pytest.fixture
def context(browser: Browser, server: StudioServer) -> Iterator[BrowserContext]:
    with browsing(browser, server.address) as context:
        context.add_init_script(f"({LISTEN})()")
        yield context


def watch(context: BrowserContext, workspace: Workspace, name: str) -> tuple[Page, Run]:
    """A run at work, its page, and the box ticked; then the tab goes into the background."""
    run = write_run(workspace, name, "running", steps=4, alive=True)
    page = context.new_page()
    visit(page, f"/train?run={name}")
    page.get_by_label("Tell me when it ends").check()
    expect(page.get_by_text("You will", exact=False)).to_be_visible()
    context.new_page().bring_to_front()
    return page, run


def end(run: Run) -> None:
    state = load_state(run.directory)
    save_state(run.directory, state.model_copy(update={"status": "done"}))


def made(page: Page) -> dict[str, object]:
    return dict(page.evaluate("() => window.made"))


def test_the_end_of_a_run_is_told_by_notification_and_sound_once(context: BrowserContext, campaign: Workspace) -> None:
    context.grant_permissions(["notifications"])
    page, run = watch(context, campaign, "told")
    expect(page.get_by_text("see a notification and hear a sound", exact=False)).to_be_visible()
    tones = made(page)["tones"]
    assert tones == 2, "ticking the box lets one hear it"
    end(run)
    expect(page.get_by_text("told: finished. A notification was sent.")).to_be_visible()
    assert made(page) == {"notifications": [["told: finished", "4 of 10 steps."]], "tones": 4}
    page.get_by_text("The same from the command line").click()  # the page is drawn again, and nothing is told again
    visit(page, "/train?run=told")
    assert made(page) == {"notifications": [], "tones": 0}


def test_a_browser_that_forbids_notifications_says_so_and_sounds(context: BrowserContext, campaign: Workspace) -> None:
    page, run = watch(context, campaign, "heard")  # nobody has allowed it: Chromium without a window denies it
    expect(page.get_by_text("You will hear a sound only", exact=False)).to_contain_text("does not allow the studio")
    end(run)
    expect(page.get_by_text("heard: finished. A sound was played", exact=False)).to_be_visible()
    assert made(page) == {"notifications": [], "tones": 4}
