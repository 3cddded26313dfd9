"""Keystroke to updated diagnostics in a real browser: from the key that makes a mistake to its mark in the gutter."""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from studio.workspace import PROJECT_ROOT, Workspace
from tests.e2e.driver import StudioServer, browsing, launch_browser, visit

LINES = (300, 2000)
ROUNDS = 15
_WATCH = """
() => {
  const inside = document.querySelector('iframe[title^="streamlit_ace"]').contentDocument;
  const gutter = inside.querySelector('.ace_gutter');
  const marks = () => inside.querySelectorAll('.ace_gutter-cell.ace_error').length;
  window.studioWatch = { pressed: 0, seen: null };
  inside.addEventListener('keydown', () => {
    window.studioWatch = { pressed: performance.now(), seen: null, before: marks() };
  }, true);
  new MutationObserver(() => {
    const watch = window.studioWatch;
    if (watch.pressed && watch.seen === null && marks() !== watch.before) watch.seen = performance.now();
  }).observe(gutter, { childList: true, subtree: true, attributes: true, attributeFilter: ['class'] });
}
"""


def main() -> list[str]:
    """One line per length of file."""
    return [f"keystroke to marks in the gutter, file of {lines} lines: {_figures(lines)}" for lines in LINES]


def scenario_of(lines: int) -> str:
    """A scenario of about so many lines: a shipped one, its turns repeated."""
    text = (PROJECT_ROOT / "data" / "scenarios" / "combat" / "tavern-brawl.md").read_text(encoding="utf-8")
    head, tag, turns = text.partition("</SYSTEM>")
    times = max(1, (lines - head.count("\n")) // turns.count("\n"))
    return head + tag + turns * times


def _figures(lines: int) -> str:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        workspace = Workspace(Path(folder) / "campaign")
        file = workspace.scenarios_dir / "combat" / "long.md"
        file.parent.mkdir(parents=True)
        file.write_text(scenario_of(lines), encoding="utf-8")
        server = StudioServer(workspace, Path(folder) / "app.log")
        server.start()
        try:
            browser = launch_browser(playwright)
            with browsing(browser, server.address) as context:
                times = measure(context.new_page(), ROUNDS)
            browser.close()
        finally:
            server.stop()
    return f"median {statistics.median(times):.0f} ms ({min(times):.0f} to {max(times):.0f}, {len(times)} keystrokes)"


def measure(page: Page, rounds: int) -> list[float]:
    """Milliseconds of each keystroke: a directive's letter that makes it unknown, and the one that mends it."""
    visit(page, "/scenarios?file=combat/long")
    editor = page.frame_locator("iframe[title^='streamlit_ace']")
    expect(editor.locator(".ace_gutter-cell").first).to_be_visible()
    editor.locator(".ace_content").click()
    page.keyboard.press("Control+End")
    page.keyboard.insert_text("\n\n<User>I look.</User>\n\n<DM>You look.\n\n[roll: perception]</DM>")
    page.wait_for_timeout(2500)
    for _ in range(len("]</DM>")):
        page.keyboard.press("ArrowLeft")
    page.evaluate(_WATCH)
    times = []
    for number in range(rounds + 1):
        page.keyboard.press("x" if number % 2 == 0 else "Backspace")
        page.wait_for_function("() => window.studioWatch.seen !== null", timeout=30_000)
        if number:
            times.append(page.evaluate("() => window.studioWatch.seen - window.studioWatch.pressed"))
        page.wait_for_timeout(900)
    return times


if __name__ == "__main__":
    sys.stdout.write("\n".join(main()) + "\n")
