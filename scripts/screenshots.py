"""The pictures of docs/images/, taken from the running app over the workspace of the reference run, in light and dark.

`make screenshots`; run `make reference` first, so that there is a trained model to show.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from studio.validation.card import REPORT_FILE  # noqa: E402
from studio.validation.jobs import EVALUATION_KIND  # noqa: E402
from studio.workspace import Workspace  # noqa: E402
from tests.e2e.driver import Scheme, StudioServer, browsing, keyed, launch_browser, press, settle, type_at_end, visit  # noqa: E402

WORKSPACE = Workspace(ROOT / ".studio" / "reference")
IMAGES = ROOT / "docs" / "images"
RUN = "reference"
BRAWL = "/scenarios?file=combat/tavern-brawl"
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
REPLY_MS = 300_000
MISTAKE = "\n\n<User>I look once more.</User>\n\n<DM>You look.\n\n[roll: perceptoin]</DM>\n"
LINES = (
    "I look around the taproom for anyone who is watching us.",
    "Sarah: I sneak along the wall to get behind the man at the bar.",
)


def overview(page: Page) -> None:
    visit(page, "/")


def scenarios(page: Page) -> None:
    visit(page, BRAWL)
    type_at_end(page, MISTAKE)
    expect(page.locator(".problem").first).to_contain_text("T003")


def tokens(page: Page) -> None:
    visit(page, BRAWL)
    page.get_by_role("radio", name="Tokens").click()
    expect(page.locator(".tokens .trained").first).to_be_visible()


def party(page: Page) -> None:
    visit(page, BRAWL)
    page.get_by_role("radio", name="Party").click()
    expect(page.get_by_role("button", name="Add character")).to_be_visible()


def side_by_side(page: Page) -> None:
    visit(page, BRAWL)
    press(page, "enter_wide")
    expect(keyed(page, "desk_wide")).to_contain_text("<|im_start|>")


def library(page: Page) -> None:
    visit(page, "/scenarios")


def dataset(page: Page) -> None:
    visit(page, "/dataset")
    expect(keyed(page, "dataset_figures")).to_be_visible()


def dataset_row(page: Page) -> None:
    visit(page, "/dataset?row=train-4")
    expect(page.locator(".tokens .trained").first).to_be_visible()
    page.locator(".tokens .trained").first.scroll_into_view_if_needed()


def coverage(page: Page) -> None:
    visit(page, "/dataset?view=coverage")
    expect(page.locator(".js-plotly-plot").first).to_be_visible()
    keyed(page, "coverage_map").scroll_into_view_if_needed()


def balance(page: Page) -> None:
    visit(page, "/dataset?view=balance")
    expect(keyed(page, "balance_figures")).to_be_visible()


def variations(page: Page) -> None:
    visit(page, "/dataset?view=variations")


def train(page: Page) -> None:
    visit(page, "/train")
    expect(keyed(page, "dataset_figures")).to_be_visible()


def run(page: Page) -> None:
    visit(page, f"/train?run={RUN}")
    expect(page.locator(".js-plotly-plot")).to_be_visible()


def models(page: Page) -> None:
    visit(page, "/models")
    expect(page.locator(".facts").first).to_be_visible()


def measure(page: Page) -> None:
    visit(page, "/measure")
    expect(keyed(page, "measure_form")).to_be_visible()
    expect(page.locator("[class*=st-key-row_evaluate-]").first).to_be_visible()


def report(page: Page) -> None:
    visit(page, f"/measure?report={_newest_report()}")
    expect(keyed(page, "report_chart").locator(".js-plotly-plot")).to_be_visible()


def figures(page: Page) -> None:
    report(page)
    keyed(page, "report_chart").evaluate("one => one.scrollIntoView({block: 'start'})")


def _newest_report() -> str:
    found = sorted(WORKSPACE.jobs_dir.glob(f"{EVALUATION_KIND}-*/{REPORT_FILE}"), key=lambda one: one.stat().st_mtime)
    if not found:
        sys.exit("There is no report card to show. Make it with `make reference ONLY=report`, then go on.")
    return found[-1].parent.name


def play(page: Page) -> None:
    visit(page, f"/play?model=gguf/{RUN}/{RUN}.Q8_0.gguf")
    keyed(page, "play_scene").get_by_role("combobox").click()
    page.get_by_role("option", name=re.compile("Tavern Brawl")).click()
    settle(page)
    press(page, "play_start")
    box = page.get_by_placeholder("What do you do?")
    for number, line in enumerate(LINES, start=1):
        box.fill(line)
        box.press("Enter")
        expect(page.locator(".turn.user")).to_have_count(number, timeout=REPLY_MS)
        expect(page.get_by_text(re.compile("tokens/s")).first).to_be_visible(timeout=REPLY_MS)
        page.wait_for_timeout(500)
        settle(page)


def compare(page: Page) -> None:
    visit(page, "/play?view=compare")
    press(page, "compare_start")
    box = page.get_by_placeholder("What do you do?")
    box.fill(LINES[1])
    box.press("Enter")
    expect(page.get_by_text(re.compile("tokens/s")).nth(1)).to_be_visible(timeout=REPLY_MS)
    settle(page)


def checks(page: Page) -> None:
    visit(page, "/play?view=checks")
    settle(page)


def setup(page: Page) -> None:
    visit(page, "/setup")


def leave_no_draft(page: Page) -> None:
    """The next picture would offer the text that this one typed."""
    if keyed(page, "discard").count():
        press(page, "discard")
        settle(page)


PICTURES: dict[str, Callable[[Page], None]] = {
    one.__name__: one
    for one in (
        overview, scenarios, party, tokens, side_by_side, library, dataset, dataset_row, coverage, balance, variations,
        train, run, models, measure, report, figures, play, compare, checks,
        setup,
    )
}  # fmt: skip


def main() -> None:
    if not (WORKSPACE.gguf_dir / RUN).is_dir():
        sys.exit("There is no reference run to show. Make it with `make reference` (a quarter of an hour), then go on.")
    wanted = sys.argv[1:] or list(PICTURES)
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = StudioServer(WORKSPACE, Path(folder) / "app.log")
        server.start()
        browser = launch_browser(playwright)
        try:
            for scheme in SCHEMES:
                for name in wanted:
                    with browsing(browser, server.address, scheme=scheme) as context:
                        page = context.new_page()
                        PICTURES[name](page)
                        page.wait_for_timeout(1200)  # charts and toasts come to rest
                        page.screenshot(path=IMAGES / f"{name}-{scheme}.png")
                        leave_no_draft(page)
                        print(f"{name}-{scheme}.png", flush=True)
        finally:
            browser.close()
            server.stop()


if __name__ == "__main__":
    main()
