"""The real app in a real browser: start it on a free port over a workspace, and open pages of it in Chromium.

Used by the end-to-end tests and by scripts/screenshots.py. Needs Chromium or Chrome: STUDIO_CHROMIUM, or on the PATH.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, BrowserContext, FrameLocator, Locator, Page, Playwright, expect

from studio.workspace import PROJECT_ROOT, Workspace

START_SECONDS = 60.0
PATIENCE_MS = 180_000  # a busy machine may take its time; what is waited for is the same
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Root in a container has no sandbox; the rest keeps the browser from calling home.
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--force-color-profile=srgb",
]  # fmt: skip
Scheme = Literal["light", "dark"]


class StudioServer:
    """`streamlit run app.py` over one workspace; it can be stopped and started again on the same port."""

    def __init__(self, workspace: Workspace, log: Path, script: Path = PROJECT_ROOT / "app.py") -> None:
        self.workspace = workspace
        self._script = script
        self.port = free_port()
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        environment = {**os.environ, "STUDIO_WORKSPACE": str(self.workspace.root), "PYTHONPATH": str(PROJECT_ROOT)}
        command = [sys.executable, "-m", "streamlit", "run", str(self._script), "--server.port", str(self.port)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, cwd=PROJECT_ROOT, env=environment, stdout=log, stderr=log)
        deadline = time.monotonic() + START_SECONDS
        while not self._healthy():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"The app did not start:\n{self.log_text()}")
            time.sleep(0.1)

    def stop(self) -> None:
        if self._process:
            self._process.terminate()
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def kill(self) -> None:
        """End the app at once, as a crash would."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def log_text(self) -> str:
        return self._log.read_text(errors="replace")

    def _healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.address}/_stcore/health", timeout=2) as answer:  # noqa: S310 - loopback
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def launch_browser(playwright: Playwright) -> Browser:
    program = os.environ.get("STUDIO_CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        raise RuntimeError("Neither Chromium nor Chrome was found; `make test-env` installs one.")
    return playwright.chromium.launch(executable_path=program, args=ARGUMENTS)


@contextmanager
def browsing(
    browser: Browser, address: str, *, width: int = 1360, height: int = 900, scheme: Scheme = "light"
) -> Iterator[BrowserContext]:
    """A browser context of its own; `page.goto("/train")` is relative to the app."""
    context = browser.new_context(
        base_url=address, viewport={"width": width, "height": height}, color_scheme=scheme, accept_downloads=True
    )
    context.set_default_timeout(PATIENCE_MS)
    try:
        yield context
    finally:
        context.close()


def visit(page: Page, path: str) -> None:
    """Open a page and wait until it is drawn."""
    page.goto(path)
    # By its role: a page with a chat input may name its main part otherwise than stMain.
    expect(page.get_by_role("main").get_by_role("heading", level=1)).to_be_visible(timeout=PATIENCE_MS)
    settle(page)


def settle(page: Page) -> None:
    """Wait until the script of the page has run and nothing on it is stale."""
    page.wait_for_function(
        """() => {
            const app = document.querySelector('[data-testid="stApp"]');
            const idle = app && app.getAttribute('data-test-script-state') === 'notRunning';
            return idle && !document.querySelector('[data-stale="true"], [data-testid="stSkeleton"]');
        }"""
    )


def keyed(page: Page | Locator, key: str) -> Locator:
    """The element of a Streamlit key."""
    return page.locator(f".st-key-{key}")


def press(page: Page, key: str) -> None:
    """Click the button of a Streamlit key."""
    keyed(page, key).get_by_role("button").first.click()


def editor_of(page: Page) -> FrameLocator:
    """The frame of the scenario editor, when its text is there and the desk has joined it."""
    frames = page.locator("iframe[title^='streamlit_ace']")
    expect(frames).to_have_count(1, timeout=PATIENCE_MS)  # two while one editor makes room for the next
    frame = frames.content_frame
    expect(frame.locator(".ace_gutter-cell").first).to_be_visible(timeout=PATIENCE_MS)
    page.wait_for_function("() => window.studioDesk?.ready")
    return frame


def type_at_end(page: Page, text: str) -> None:
    """Type behind the last letter of the scenario, and wait until the engine has looked at it."""
    editor_of(page).locator(".ace_content").first.click()
    page.keyboard.press("Control+End")
    page.keyboard.insert_text(text)
    looked_at(page)


def looked_at(page: Page) -> None:
    """Wait until what the page shows is about the text that is in the editor."""
    page.wait_for_function("() => window.studioDesk.fresh")


def editor_text(page: Page) -> str:
    """The text in the editor."""
    return str(page.evaluate("() => window.studioDesk.editor.getValue()"))
