"""One browser for all end-to-end tests; the app over a fresh workspace with the shipped scenarios and SmolLM2."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from studio.bases import BaseModel
from studio.workspace import PROJECT_ROOT, Workspace
from tests.conftest import link_into
from tests.e2e.driver import StudioServer, browsing, launch_browser


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One for all tests. A busy machine may take its time to show what is waited for; what that is stays the same."""
    expect.set_options(timeout=60_000)
    with sync_playwright() as playwright:
        browser = launch_browser(playwright)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory, smollm2: BaseModel) -> Workspace:
    """What a fresh clone has after `make run`: the shipped scenarios and the embedded base model."""
    workspace = Workspace(tmp_path_factory.mktemp("campaign"))
    for folder in ("scenarios", "validation"):
        shutil.copytree(PROJECT_ROOT / "data" / folder, workspace.root / "data" / folder)
    link_into(workspace, smollm2)
    return workspace


@pytest.fixture(scope="module")
def server(campaign: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudioServer]:
    server = StudioServer(campaign, tmp_path_factory.mktemp("log") / "app.log")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def open_tab(browser: Browser, server: StudioServer) -> Iterator[Callable[[], Page]]:
    """Opens tabs of one visitor; what the page asks from the network is proven to stay on this computer."""
    asked: set[str] = set()
    with browsing(browser, server.address) as context:
        context.on("request", lambda request: asked.add(request.url))
        yield context.new_page
    elsewhere = {url for url in asked if not url.startswith((server.address, "data:", "blob:"))}
    assert not elsewhere, f"the page asked the network: {elsewhere}"


@pytest.fixture
def page(open_tab: Callable[[], Page]) -> Page:
    return open_tab()


@pytest.fixture
def scenario_file(campaign: Workspace) -> Path:
    return campaign.scenarios_dir / "combat" / "tavern-brawl.md"
