"""Write the generated pages of docs/: commands.md, diagnostics.md, and the tables of tools in scenarios.md.

`make docs` runs it. tests/test_docs.py fails when a page is not what this writes.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from studio.cli import parsers  # noqa: E402 - the project's folder must be on the path first
from studio.scenarios import Argument, Tool, Vocabulary, diagnostics_page, load_vocabulary  # noqa: E402
from studio.workspace import atomic_write  # noqa: E402

DOCS = ROOT / "docs"
WIDTH = 100
"""Columns of the help texts, whatever terminal they are made in."""
KIND_TITLES = {
    "skill": "Skill checks",
    "ability": "Ability checks",
    "save": "Saving throws",
    "initiative": "Initiative",
    "attack": "Attacks",
    "damage": "Damage",
    "marker": "Combat begins and ends",
    "state": "What changes",
}
_VALUES = {
    "text": "text",
    "number": "a whole number",
    "signed": "a number with + or -",
    "dice": "dice",
    "flag": "the word alone",
    "character": "a name of the party",
    "slot": "1st to 9th",
}
_OPEN, _CLOSE = "<!-- {name}: written by scripts/generate_docs.py -->", "<!-- end of {name} -->"
_COMMANDS_HEAD = """# Commands

This page is written by `make docs`; a test fails when it drifts from the code.

Results go to standard output: text, or one JSON document with `--json`. Progress, notes and errors go to standard
error. `--workspace DIR` (or the environment variable `STUDIO_WORKSPACE`) points config, data and models at another
folder; it and `--json` may stand before or after the command.

| exit status | meaning |
| --- | --- |
| 0 | done |
| 1 | findings, a failed gate, or something that went wrong and is told in a sentence |
| 2 | wrong usage, or a setting that cannot be used |
| 130 | interrupted with Ctrl+C |

"""


def main() -> int:
    """Write every page that differs from what it should be."""
    for path, content in pages().items():
        if not path.exists() or path.read_text(encoding="utf-8") != content:
            atomic_write(path, content)
            print(f"wrote {path.relative_to(ROOT)}")
    return 0


def pages() -> dict[Path, str]:
    """Every generated page with its content."""
    scenarios = DOCS / "scenarios.md"
    vocabulary = load_vocabulary()
    tables = {"tools": tools_tables(vocabulary), "arguments": arguments_table(vocabulary)}
    return {
        DOCS / "commands.md": commands_page(),
        DOCS / "diagnostics.md": diagnostics_page(),
        scenarios: with_tables(scenarios.read_text(encoding="utf-8"), tables),
    }


def commands_page() -> str:
    """The help of the whole command line and of each command."""
    found = parsers()
    overview = _help(found.pop(""))
    return "\n".join([_COMMANDS_HEAD + overview, *(f"## {name}\n\n{_help(one)}" for name, one in found.items())])


def _help(parser: argparse.ArgumentParser) -> str:
    parser.formatter_class = partial(argparse.HelpFormatter, width=WIDTH)
    return f"```text\n{parser.format_help().rstrip()}\n```\n"


def with_tables(page: str, tables: dict[str, str]) -> str:
    """`page` with the text between the marks of each table replaced."""
    for name, table in tables.items():
        opening, closing = _OPEN.format(name=name), _CLOSE.format(name=name)
        written = f"{opening}\n\n{table}\n\n{closing}"
        marks = f"{re.escape(opening)}.*?{re.escape(closing)}"
        page, count = re.subn(marks, lambda _, written=written: written, page, flags=re.DOTALL)
        if count != 1:
            raise SystemExit(f"docs/scenarios.md needs the marks of {name!r} once, it has them {count} times.")
    return page


def tools_tables(vocabulary: Vocabulary) -> str:
    """One table per kind of request."""
    kinds = dict.fromkeys(tool.kind for tool in vocabulary.tools)
    return "\n\n".join(_kind(kind, [tool for tool in vocabulary.tools if tool.kind == kind]) for kind in kinds)


def _kind(kind: str, tools: Sequence[Tool]) -> str:
    rows = [(f"`{_example(tool)}`", _codes(tool.aliases), tool.help) for tool in tools]
    return f"### {KIND_TITLES[kind]}\n\n{_facts(tools)}\n\n{_table(('request', 'also read', 'what for'), rows)}"


def _facts(tools: Sequence[Tool]) -> str:
    first = tools[0]
    answer = "A TOOLCALL turn must answer it" if first.needs_answer else "No answer is needed"
    outcome = ", and the DM turn after that begins with the outcome" if first.has_outcome else ""
    named = [name for name in first.arguments if name not in {value for tool in tools for value in tool.value}]
    return f"{answer}{outcome}. Arguments: {_codes(named) or 'none'}."


def _example(tool: Tool) -> str:
    if tool.rolls:
        return f"[roll: {tool.name}]"
    return f"[{tool.spoken}{': ' if tool.value else ''}{' '.join(name.upper() for name in tool.value)}]"


def arguments_table(vocabulary: Vocabulary) -> str:
    """Every argument, with an example of how it is written."""
    rows = [
        (f"`{name}`", _value(one), f"`{name}{f'={one.example}' if one.example else ''}`", one.help)
        for name, one in vocabulary.arguments.items()
    ]
    return _table(("argument", "value", "written", "meaning"), rows)


def _value(argument: Argument) -> str:
    return " or ".join(f"`{choice}`" for choice in argument.choices) or _VALUES[argument.type]


def _codes(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
