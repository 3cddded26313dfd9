"""A visit to one page of the real app, without a browser: what it shows as words, and clicks by key.

Streamlit's AppTest runs app.py as a session would. What it cannot reach is what only a browser has: the Ace editor's
own typing, the style sheet, timers that refresh a fragment.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from streamlit.testing.v1 import AppTest

APP = Path(__file__).parents[2] / "app.py"
SECONDS = 120.0
_SPOKEN = ("title", "subheader", "markdown", "caption", "html", "error", "warning", "info", "success", "code")
_ESCAPE = re.compile(r"\\([^A-Za-z0-9\s])")


class Visit:
    """One session on one page. `app` is the AppTest for whatever this class has no word for."""

    def __init__(self, page: str, **address: str) -> None:
        self.app = AppTest.from_file(APP, default_timeout=SECONDS)
        self.app.query_params.update(address)
        self.app.switch_page(f"pages/{page}.py")
        self._opener: Callable[[], object] | None = None
        self.run()

    def run(self) -> Self:
        """Draw the page again. A Python exception on it fails the test.

        In a browser, what happens in a dialog redraws the dialog alone. AppTest always draws the whole page, so the
        button that opened it is pressed along, until the dialog has closed itself.
        """
        if self._opener:
            self._opener()
        self.app.run()
        assert not self.app.exception, [one.value for one in self.app.exception]
        if not self.app.get("dialog"):
            self._opener = None
        return self

    def click(self, key: str) -> Self:
        """Press the button of that key."""
        return self._act(lambda: self.app.button(key=key).click())

    def menu(self, entry: str) -> Self:
        """Choose an entry of the scenario's file menu."""
        return self._act(lambda: self.app.menu_button(key="file_menu").click(entry))

    def choose(self, kind: str, key: str, value: Any) -> Self:
        """Give the widget of that kind and key a value: `choose("selectbox", "play_model", ...)`."""
        getattr(self.app, kind)(key=key).set_value(value)
        return self.run()

    def _act(self, action: Callable[[], object]) -> Self:
        before = bool(self.app.get("dialog"))
        action()
        self.run()
        if not before and self.app.get("dialog"):
            self._opener = action
        return self

    def has(self, key: str) -> bool:
        """Whether a button of that key is on the page."""
        return key in self.keys

    @property
    def keys(self) -> list[str]:
        """Keys of the buttons, in order."""
        return [one.key for one in self.app.button if one.key]

    @property
    def address(self) -> dict[str, Any]:
        """The query of the address."""
        return dict(self.app.query_params)

    @property
    def title(self) -> str:
        """The title as a reader sees it."""
        return _plain(self.app.title[0].value)

    @property
    def errors(self) -> list[str]:
        """The error boxes."""
        return [_plain(one.value) for one in self.app.error]

    @property
    def words(self) -> str:
        """All text of the page, without the style sheet."""
        shown = [str(one.value) for kind in _SPOKEN for one in self.app.get(kind)]
        shown += [f"{one.label} {one.value}" for one in self.app.metric]
        shown += [str(one.label) for one in self.app.button]
        return _plain("\n".join(one for one in shown if not one.startswith("<style>")))

    @property
    def figures(self) -> dict[str, str]:
        """The metrics by their labels."""
        return {one.label: one.value for one in self.app.metric}

    def told(self, component: str) -> dict[str, Any]:
        """What the browser's part of that name was given: `told("studio_desk_editor")`."""
        found = [one.proto for one in self.app.get("bidi_component") if one.proto.component_name == component]
        return dict(json.loads(found[-1].json)) if found else {}

    @property
    def problems(self) -> list[dict[str, Any]]:
        """The rows of the editor's list of problems."""
        return list(self.told("studio_desk_editor").get("problems", []))

    @property
    def toasts(self) -> list[str]:
        """The messages that fade."""
        return [_plain(one.value) for one in self.app.toast]


def _plain(text: str) -> str:
    return _ESCAPE.sub(r"\1", text)
