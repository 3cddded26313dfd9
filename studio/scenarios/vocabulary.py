"""The vocabulary of the scenario language, read from config/tools.yaml: what a DM turn may ask of the engine.

It says which names, aliases and arguments exist; it does not look at scenario text (`directives.py`, `results.py`).
"""

from __future__ import annotations

import re
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from studio.config import load_yaml, parse_settings
from studio.errors import ConfigError
from studio.workspace import PROJECT_ROOT

ABILITIES = ("strength", "dexterity", "constitution", "intelligence", "wisdom", "charisma")
ToolKind = Literal["skill", "ability", "save", "initiative", "attack", "damage", "marker", "state"]
ArgumentType = Literal["text", "number", "signed", "dice", "flag", "choice", "character", "slot"]
ResultShape = Literal["roll", "change", "done"]
"""How an answer is written: dice and bonus, a number before and after, or the word `done`."""
_SEPARATORS = re.compile(r"[\s_\-]+")


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Argument(_Entry):
    """One argument that tools may take."""

    name: str
    type: ArgumentType = "text"
    choices: tuple[str, ...] = ()
    also: dict[str, str] = Field(default_factory=dict, description="Other word -> the choice that it means.")
    aliases: tuple[str, ...] = Field((), description="Other spellings of the argument's name.")
    excludes: str = Field("", description="Argument that may not stand beside this one.")
    help: str = ""
    example: str = ""


class Tool(_Entry):
    """One request of the vocabulary with everything its kind says about it."""

    name: str = Field(description="Canonical name, snake_case.")
    kind: ToolKind
    form: Literal["roll", "plain"]
    label: str = Field("", description="Word in brackets after the bonus of a result line.")
    dice: str = Field("", description="What is rolled; empty when an argument or the sheet says it.")
    ability: str = ""
    aliases: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    value: tuple[str, ...] = Field((), description="Arguments that the value of a plain form stands for.")
    result: ResultShape = "roll"
    needs_answer: bool = False
    has_outcome: bool = False
    help: str = ""

    @property
    def rolls(self) -> bool:
        """Whether dice are thrown for it."""
        return self.form == "roll"

    @property
    def spoken(self) -> str:
        """The name with spaces, as in `sleight of hand`."""
        return self.name.replace("_", " ")


class Vocabulary(_Entry):
    """All tools and arguments, with lookup by any spelling."""

    tools: tuple[Tool, ...]
    arguments: dict[str, Argument]

    @cached_property
    def by_name(self) -> dict[str, Tool]:
        """Canonical name -> tool."""
        return {tool.name: tool for tool in self.tools}

    @cached_property
    def by_spelling(self) -> dict[str, Tool]:
        """Every normalized name and alias -> tool; names win over aliases."""
        found = {normalize(alias): tool for tool in self.tools for alias in tool.aliases}
        return found | {normalize(tool.name): tool for tool in self.tools}

    @cached_property
    def argument_spellings(self) -> dict[str, str]:
        """Every normalized name and alias of an argument -> its name; names win over aliases."""
        found = {normalize(alias): name for name, one in self.arguments.items() for alias in one.aliases}
        return found | {normalize(name): name for name in self.arguments}

    @cached_property
    def reversed_spellings(self) -> dict[str, tuple[Tool, str]]:
        """`long rest` -> the tool `rest` and its value `long`: choices that people put in front of the name."""
        return {
            f"{choice}_{normalize(spelling)}": (tool, choice)
            for spelling, tool in self.by_spelling.items()
            if len(tool.value) == 1
            for choice in self.arguments[tool.value[0]].choices
        }

    @cached_property
    def plain_spellings(self) -> frozenset[str]:
        """Normalized spellings of the tools that are asked for without `roll:`."""
        return frozenset(spelling for spelling, tool in self.by_spelling.items() if tool.form == "plain")

    @cached_property
    def roll_spellings(self) -> frozenset[str]:
        """Normalized spellings of the tools that are asked for with `roll:`."""
        return frozenset(self.by_spelling) - self.plain_spellings

    def find(self, written: str) -> Tool | None:
        """The tool that a spelling means (case, `_`, `-` and spaces do not matter), or None."""
        return self.by_spelling.get(written) or self.by_spelling.get(normalize(written))

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        for tool in self.tools:
            unknown = [name for name in (*tool.arguments, *tool.value) if name not in self.arguments]
            if unknown:
                raise ValueError(f"{tool.name} uses arguments that are not declared: {', '.join(unknown)}")
        for one in self.arguments.values():
            if lost := sorted(set(one.also.values()) - set(one.choices)):
                raise ValueError(f"{one.name} has other words for choices that do not exist: {', '.join(lost)}")
        return self


class _Kind(_Entry):
    form: Literal["roll", "plain"]
    label: str = ""
    dice: str = ""
    answer: Literal["required", "optional"]
    outcome: bool
    result: ResultShape = "roll"
    arguments: tuple[str, ...] = ()


class _ToolEntry(_Entry):
    kind: ToolKind
    ability: str = ""
    aliases: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    value: tuple[str, ...] = ()
    result: ResultShape | None = None
    help: str = ""


class _ArgumentEntry(_Entry):
    type: ArgumentType
    choices: tuple[str, ...] = ()
    also: dict[str, str] = Field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    excludes: str = ""
    help: str = ""
    example: str = ""


class _File(_Entry):
    arguments: dict[str, _ArgumentEntry]
    kinds: dict[ToolKind, _Kind]
    tools: dict[str, _ToolEntry]

    @model_validator(mode="after")
    def _kinds_exist(self) -> Self:
        missing = sorted({entry.kind for entry in self.tools.values()} - set(self.kinds))
        if missing:
            raise ValueError(f"kinds are used but not declared: {', '.join(missing)}")
        return self


def normalize(written: str) -> str:
    """A spelling reduced to what matters: lower case, one underscore for every run of spaces, `_` and `-`."""
    folded = written.strip().lower()
    return folded if folded.isalpha() else _SEPARATORS.sub("_", folded)


def load_vocabulary(path: Path | None = None) -> Vocabulary:
    """The vocabulary of a tools.yaml; the project's own when no path is given (then read once).

    Raises:
        ConfigError: the file is missing, not YAML, or names something that it does not declare.
    """
    return _shipped_vocabulary() if path is None else _read(path)


@lru_cache(maxsize=1)
def _shipped_vocabulary() -> Vocabulary:
    return _read(PROJECT_ROOT / "config" / "tools.yaml")


def _read(path: Path) -> Vocabulary:
    content = parse_settings(_File, load_yaml(path) or {}, str(path))
    tools = tuple(_tool(name, entry, content.kinds[entry.kind]) for name, entry in content.tools.items())
    arguments = {name: Argument(name=name, **entry.model_dump()) for name, entry in content.arguments.items()}
    _refuse_double_spellings(tools, path)
    return parse_settings(Vocabulary, {"tools": tools, "arguments": arguments}, str(path))


def _tool(name: str, entry: _ToolEntry, kind: _Kind) -> Tool:
    return Tool(
        name=name,
        kind=entry.kind,
        form=kind.form,
        label=kind.label,
        dice=kind.dice,
        ability=entry.ability,
        aliases=entry.aliases,
        arguments=tuple(dict.fromkeys((*entry.value, *entry.arguments, *kind.arguments))),
        value=entry.value,
        result=entry.result or kind.result,
        needs_answer=kind.answer == "required",
        has_outcome=kind.outcome,
        help=entry.help,
    )


def _refuse_double_spellings(tools: tuple[Tool, ...], path: Path) -> None:
    owners: dict[str, str] = {}
    for tool in tools:
        for spelling in (tool.name, *tool.aliases):
            owner = owners.setdefault(normalize(spelling), tool.name)
            if owner != tool.name:
                raise ConfigError(f"{spelling!r} names both {owner} and {tool.name}.", where=str(path))
