"""New scenarios from templates: the markdown files of config/templates/, the project's and the workspace's own.

A template is a scenario that works as it stands. Its first comment says what it is for and is left out of the new
scenario; the words in «guillemets» are for the author to replace, and `placeholders` finds those that are left.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from studio.scenarios.library.document import ScenarioDocument
from studio.scenarios.library.entries import read_title
from studio.scenarios.library.errors import ScenarioLibraryError, ScenarioMissingError
from studio.scenarios.library.front_matter import read_scenario_type, set_scenario_type, set_title
from studio.scenarios.library.library import ScenarioLibrary
from studio.scenarios.models import Span
from studio.scenarios.positions import LineIndex
from studio.scenarios.tree import parse_tree
from studio.workspace import PROJECT_ROOT, Workspace

_PLACEHOLDER = re.compile(r"«[^«»\n]{1,300}»")


@dataclass(frozen=True, slots=True)
class Template:
    """A start for a new scenario. `title` and `summary` are for the page, `text` is what the author gets."""

    name: str
    title: str
    summary: str
    scenario_type: str
    text: str

    @property
    def working_title(self) -> str:
        """What a new scenario is called until its author has a better idea."""
        return read_title(self.text) or self.title


def templates(workspace: Workspace) -> list[Template]:
    """All templates by name, `blank` last; a workspace's file replaces the project's of the same name.

    Raises:
        ScenarioLibraryError: a template file cannot be read as text.
    """
    folders = (PROJECT_ROOT / "config" / "templates", workspace.config_dir / "templates")
    paths = {path.stem: path for folder in folders for path in sorted(folder.glob("*.md")) if path.name[0] != "."}
    return sorted(map(_read, paths.values()), key=lambda one: (one.name == "blank", one.name))


def create_from_template(
    library: ScenarioLibrary, template: str, name: str, *, scenario_type: str | None = None, title: str = ""
) -> ScenarioDocument:
    """Make a new scenario from the template of that name; the title defaults to the name.

    Raises:
        ScenarioMissingError: there is no such template.
        ScenarioNameError: the name cannot be used or is taken.
    """
    chosen = next((one for one in templates(library.workspace) if one.name == template), None)
    if chosen is None:
        raise ScenarioMissingError(f"There is no template {template!r}.", next_step="Choose one from the list.")
    kind = scenario_type or chosen.scenario_type
    return library.create(kind, name, fill(chosen, title=title or name.strip(), scenario_type=kind))


def fill(template: Template, *, title: str, scenario_type: str) -> str:
    """The text of a new scenario: the template with its title and type, every other byte as it is."""
    return set_scenario_type(set_title(template.text, title), scenario_type)


def placeholders(text: str) -> list[Span]:
    """What is still to be replaced by the author: every «...», in order."""
    lines = LineIndex(text)
    return [lines.span(match.start(), match.end()) for match in _PLACEHOLDER.finditer(text)]


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _read(path: Path) -> Template:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioLibraryError("The template cannot be read.", why=str(error), where=path.name) from error
    tree = parse_tree(text)
    comment = next((node for node in tree.nodes if node.kind == "comment"), None)
    words = " ".join(tree.body(comment).split()) if comment else ""
    title, colon, summary = words.partition(": ")
    kept = text if comment is None else text[: comment.start] + text[comment.end :].lstrip("\r\n")
    return Template(
        name=path.stem,
        title=title if colon else path.stem.replace("-", " ").capitalize(),
        summary=_capital(summary if colon else words),
        scenario_type=read_scenario_type(text) or "mixed",
        text=kept,
    )
