"""The settings of a run as fields of a form: what each is called, what may be written into it, and what is wrong.

Everything is read from `TrainingConfig` itself: a new field of it appears by itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from studio.config import TrainingConfig
from studio.ui.setting_words import ELSEWHERE, GROUPS, MORE

Kind = Literal["switch", "choice", "choices", "text"]
MOST_ALPHA = 4096
_EXACT = 1e15
"""Beyond, a whole float would be written with digits that it does not have."""
_SPLIT = re.compile(r"[,\s]+")
_Schema = Mapping[str, Any]


@dataclass(frozen=True)
class Setting:
    """One field.

    Args:
        name: the field of `TrainingConfig`.
        kind: a switch, one of `options`, several of them, or text.
        allowed: what may be written, to complete `Write ...`.
        listed: the text is a list of names, separated by commas.
        words: texts that stand for themselves in such a list, such as `all-linear`.
        optional: it may be left empty.
    """

    name: str
    label: str
    hint: str
    group: str
    kind: Kind
    allowed: str
    options: tuple[Any, ...] = ()
    listed: bool = False
    words: tuple[str, ...] = ()
    optional: bool = False


@dataclass(frozen=True)
class Fault:
    """What is wrong: with the setting of that name, or with how several go together (an empty name)."""

    name: str
    label: str
    text: str


@dataclass(frozen=True)
class Checked:
    """What was typed, checked.

    Args:
        config: everything that can be used; the rest is as it was before somebody typed.
    """

    config: TrainingConfig
    faults: tuple[Fault, ...] = ()

    def of(self, name: str) -> str:
        """What is wrong with one setting; empty when nothing is."""
        return " ".join(one.text for one in self.faults if one.name == name)


@cache
def training_settings() -> tuple[Setting, ...]:
    """All settings of the form, group by group."""
    schema = TrainingConfig.model_json_schema()
    known = {name: group for group, fields in GROUPS.items() for name in fields}
    order = [name for name in known if name in schema["properties"]]
    order += [name for name in schema["properties"] if name not in known and name not in ELSEWHERE]
    return tuple(_setting(name, known.get(name, MORE), schema["properties"][name]) for name in order)


def groups() -> dict[str, list[Setting]]:
    """The settings by group, in order; a group without any is left out."""
    found: dict[str, list[Setting]] = {}
    for one in training_settings():
        found.setdefault(one.group, []).append(one)
    return found


def shown(setting: Setting, value: Any) -> Any:
    """A value of a configuration as its widget takes it: text, but for switches and choices."""
    if setting.kind in ("switch", "choice"):
        return value
    if setting.kind == "choices":
        return list(value)
    return in_words(value)


def in_words(value: object) -> str:
    """A value as text: `0.0005`, `q_proj, v_proj`."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        return str(int(value))
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(str, value))
    return str(value)


def checked(config: TrainingConfig, typed: Mapping[str, Any]) -> Checked:
    """`config` with what was typed instead; a rank that is typed takes alpha along, unless that is typed too."""
    known = {one.name: one for one in training_settings()}
    values = {name: _read(known[name], raw) for name, raw in typed.items() if name in known}
    values |= {name: raw for name, raw in typed.items() if name in ELSEWHERE}
    try:
        return Checked(_with(config, values))
    except ValidationError as error:
        faults = faults_of(error, typed)
    wrong = {one.name for one in faults}
    try:
        return Checked(
            _with(config, {name: value for name, value in values.items() if name not in wrong}), tuple(faults)
        )
    except ValidationError as error:  # what is left does not go together
        return Checked(config, (*faults, *(one for one in faults_of(error, typed) if one.name not in wrong)))


def changed(config: TrainingConfig, now: TrainingConfig) -> list[tuple[Setting, str, str]]:
    """The settings that differ, with both values as text."""
    pairs = [(one, getattr(config, one.name), getattr(now, one.name)) for one in training_settings()]
    return [(one, _said(before), _said(after)) for one, before, after in pairs if before != after]


def faults_of(error: ValidationError, typed: Mapping[str, Any] | None = None) -> list[Fault]:
    """What pydantic found, in plain words; one fault per setting."""
    known = {one.name: one for one in training_settings()}
    found: dict[str, Fault] = {}
    for one in error.errors(include_url=False, include_context=False):
        name = str(one["loc"][0]) if one["loc"] else ""
        written = (typed or {}).get(name, one["input"])
        setting = known.get(name)
        own = one["type"] in ("value_error", "assertion_error")  # a validator of ours speaks plainly
        text = _said_by(one) if own or setting is None else _complaint(setting, written)
        found.setdefault(name, Fault(name, setting.label if setting else name, text))
    return list(found.values())


def _with(config: TrainingConfig, values: Mapping[str, Any]) -> TrainingConfig:
    return TrainingConfig.model_validate({**config.model_dump(), **_alpha(config, values), **values})


def _alpha(config: TrainingConfig, values: Mapping[str, Any]) -> dict[str, Any]:
    try:
        rank = int(values["lora_rank"])
    except (KeyError, ValueError):
        return {}
    return {"lora_alpha": max(1, min(MOST_ALPHA, round(config.lora_alpha * rank / config.lora_rank)))}


def _said_by(error: ErrorDetails) -> str:
    """Pydantic's own words, after the place inside the setting."""
    inside = ".".join(map(str, error["loc"][1:]))
    return (f"{inside}: " if inside else "") + error["msg"].removeprefix("Value error, ").rstrip(".") + "."


def _read(setting: Setting, raw: Any) -> Any:
    """What was typed as `TrainingConfig` takes it. It need not be valid."""
    if not isinstance(raw, str):
        return raw
    text = raw.strip()
    if not text and setting.optional:
        return None
    if setting.listed and text not in setting.words:
        return [one for one in _SPLIT.split(text) if one] or (None if setting.words else [])
    return text


def _complaint(setting: Setting, written: Any) -> str:
    if in_words(written).strip() == "":
        return f"Nothing is written here. Write {setting.allowed}."
    if isinstance(written, str) and re.fullmatch(r"\s*-?\d+,\d+\s*", written):
        right = written.replace(",", ".").strip()
        return f"{written.strip()} cannot be used: write the decimal point as a point, as in {right}."
    return f"{in_words(written)[:40]} cannot be used. Write {setting.allowed}."


def _said(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return in_words(value) or "none"


def _setting(name: str, group: str, schema: _Schema) -> Setting:
    label, hint = GROUPS.get(group, {}).get(name, (name.replace("_", " ").capitalize(), schema.get("description", "")))
    kinds = schema.get("anyOf", [schema])
    plain = [one for one in kinds if one.get("type") != "null"]
    first = plain[0] if plain else {}
    options = _options(first) if len(plain) == 1 else ()
    words = tuple(str(one["const"]) for one in plain if "const" in one)
    listed = any(one.get("type") == "array" for one in plain)
    kind: Kind = "text"
    if first.get("type") == "boolean" and len(plain) == 1:
        kind = "switch"
    elif options:
        kind = "choices" if listed else "choice"
    optional = len(plain) < len(kinds)
    if optional and kind == "choice":
        options = (None, *options)
    return Setting(name, label, hint, group, kind, _allowed(plain, words), options, listed, words, optional)


def _options(schema: _Schema) -> tuple[Any, ...]:
    """The values of a choice; empty where anything may be written."""
    values = schema.get("items", {}) if schema.get("type") == "array" else schema
    return tuple(values.get("enum", [values["const"]] if "const" in values else []))


def _allowed(kinds: Sequence[_Schema], words: Sequence[str]) -> str:
    ways = list(words)
    for one in kinds:
        if one.get("type") == "integer":
            ways.append(f"a whole number {_whole_reach(one)}".strip())
        elif one.get("type") == "number":
            ways.append(f"a number {_reach(one)}".strip())
        elif one.get("type") == "array":
            ways.append("names separated by commas")
        elif "enum" in one:
            ways.append(f"one of {', '.join(map(json.dumps, one['enum']))}")
        elif "const" not in one:
            ways.append("a text")
    return ", or ".join(ways)


def _whole_reach(schema: _Schema) -> str:
    low = schema.get("minimum", schema.get("exclusiveMinimum", -1) + 1 if "exclusiveMinimum" in schema else None)
    high = schema.get("maximum", schema["exclusiveMaximum"] - 1 if "exclusiveMaximum" in schema else None)
    return _between(low, high)


def _reach(schema: _Schema) -> str:
    if "exclusiveMinimum" in schema:
        above = f"above {_figure(schema['exclusiveMinimum'])}"
        return f"{above}, at most {_figure(schema['maximum'])}" if "maximum" in schema else above
    if "exclusiveMaximum" in schema:
        return f"from {_figure(schema.get('minimum', 0))} to below {_figure(schema['exclusiveMaximum'])}"
    return _between(schema.get("minimum"), schema.get("maximum"))


def _between(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return f"of at least {_figure(low)}" if low is not None else f"of at most {_figure(high)}" if high else ""
    return f"from {_figure(low)} to {_figure(high)}"


def _figure(value: float) -> str:
    return f"{int(value):,}" if value == int(value) else str(value)
