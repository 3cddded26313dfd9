"""The documentation is true: generated pages are as generated, links lead somewhere, commands and options exist."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from studio.cli import parsers
from studio.scenarios import MarkdownParser, Vocabulary, find_directives, load_vocabulary, parse_result_line
from studio.scenarios.sheet import known_keys
from studio.workspace import PROJECT_ROOT as ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SCENARIOS = ROOT / "docs" / "scenarios.md"
COMMAND = re.compile(r"python -m studio(?!\.)([^\n`]*)")
FENCE = re.compile(r"^(`{3,})[^\n]*\n.*?^\1`*[ \t]*$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")


def _generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_docs", ROOT / "scripts" / "generate_docs.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATOR = _generator()


@pytest.mark.parametrize("path", [path.relative_to(ROOT).as_posix() for path in GENERATOR.pages()])
def test_a_generated_page_is_as_generated(path: str) -> None:
    assert (ROOT / path).read_text(encoding="utf-8") == GENERATOR.pages()[ROOT / path], "run `make docs`"


def test_the_help_is_the_same_on_every_terminal() -> None:
    program = "import runpy; print(runpy.run_path('scripts/generate_docs.py')['commands_page']())"
    for columns in ("40", "200"):
        command = [sys.executable, "-c", program]
        environment = {**os.environ, "COLUMNS": columns, "LINES": "10"}
        made = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
        assert made.stdout == GENERATOR.commands_page() + "\n"


def test_every_command_has_its_section() -> None:
    headings = re.findall(r"^## (.*)$", GENERATOR.commands_page(), re.MULTILINE)
    assert headings == [name for name in parsers() if name]


def test_a_page_that_lost_its_marks_is_not_written_silently() -> None:
    with pytest.raises(SystemExit, match="marks of 'tools'"):
        GENERATOR.with_tables("# A page without marks\n", {"tools": "| a |"})


def links() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        text = FENCE.sub("", page.read_text(encoding="utf-8"))
        for link in sorted(set(LINK.findall(re.sub(r"`[^`\n]*`", "", text)))):
            if "://" not in link and not link.startswith("mailto:"):
                yield page.relative_to(ROOT).as_posix(), link


def anchors(page: Path) -> set[str]:
    """The names that headings of a page have as link targets."""
    titles = re.findall(r"^#{1,6} (.*)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize(("page", "link"), list(links()))
def test_a_relative_link_leads_somewhere(page: str, link: str) -> None:
    path, _, anchor = link.partition("#")
    target = (ROOT / page).parent / path if path else ROOT / page
    assert target.exists()
    assert not anchor or anchor in anchors(target)


def command_lines() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        if page.name != "commands.md":  # made from the parser itself
            for match in COMMAND.finditer(page.read_text(encoding="utf-8")):
                yield page.relative_to(ROOT).as_posix(), re.split(r"\s{2,}| #", match[1].strip())[0]


@pytest.mark.parametrize(("page", "line"), sorted(set(command_lines())))
def test_a_command_line_names_a_command_and_options_that_exist(page: str, line: str) -> None:
    words = [word.strip("[]().,;:") for word in line.split()]
    known = parsers()
    command = next((word for word in words if word in known or word == "COMMAND"), None)
    if command is None:
        assert words == [] or words[0].startswith("-"), f"{words[0]} is no command"
    parser = known.get(command or "", known[""])
    options = {word.partition("=")[0] for word in words if word.startswith("--")}
    assert options <= set(parser._option_string_actions) | set(known[""]._option_string_actions)


def test_the_make_targets_that_the_pages_name_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        name
        for page in PAGES
        for name in re.findall(r"(?:`|^ {4}|\d )make ([a-z-]+)", page.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert {"run", "test"} <= named <= targets


@pytest.fixture(scope="module")
def page() -> str:
    return SCENARIOS.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return load_vocabulary()


def test_the_example_of_the_language_has_nothing_wrong_with_it(page: str) -> None:
    (example,) = re.findall(r"^````markdown\n(.*?)^````$", page, re.MULTILINE | re.DOTALL)
    scenario = MarkdownParser().parse_text(example)
    assert scenario.diagnostics == []
    assert (scenario.scenario_type, len(scenario.system_context.party)) == ("exploration", 2)
    assert [turn.speaker for turn in scenario.conversation] == ["User", "DM", "TOOLCALL", "DM"] * 2


def test_every_request_that_the_page_shows_is_understood(page: str, vocabulary: Vocabulary) -> None:
    shown = re.findall(r"`(\[[^`\]]+\])`", page)
    placeholders = [one for one in shown if re.search(r"\b[A-Z]{4,}\b", one)]
    requests = [one for one in shown if one not in placeholders]
    assert len(requests) > len(vocabulary.tools) / 2
    for written in requests:
        (directive,) = find_directives(written, vocabulary)
        assert directive.valid, written
        assert directive.canonical == written


def test_every_answer_that_the_page_shows_adds_up(page: str, vocabulary: Vocabulary) -> None:
    lines = [
        line.strip() for line in page.splitlines() if line.startswith("    ") and "= *" in line and "LINE" not in line
    ]
    assert len(lines) == 4
    for line in lines:
        read = parse_result_line(line, vocabulary)
        assert (read.problems, read.canonical) == ((), line)


def test_every_request_and_argument_of_the_vocabulary_is_on_the_page(page: str, vocabulary: Vocabulary) -> None:
    for tool in vocabulary.tools:
        assert f"[roll: {tool.name}]" in page or f"`[{tool.spoken}" in page
    for name in vocabulary.arguments:
        assert f"| `{name}` |" in page


def test_every_key_of_a_sheet_is_on_the_page(page: str) -> None:
    table = page.split("## The SYSTEM block")[1].split("## Requests")[0].casefold()
    spoken_for = {"Type", "Class", "Lvl", "Ability scores"}  # read, but not the way to write them
    missing = [key for key in known_keys() if key not in spoken_for and f"`{key.casefold()}`" not in table]
    assert missing == []
