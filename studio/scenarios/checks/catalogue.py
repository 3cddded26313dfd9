"""All diagnostic codes in one place, and the documentation page that is written from them."""

from __future__ import annotations

from types import ModuleType

from studio.scenarios.checks import game_codes, schema_codes, tool_call_codes, writing_codes
from studio.scenarios.checks.rule import Rule

_GROUPS: tuple[tuple[str, ModuleType], ...] = (
    ("S: the file as a scenario", schema_codes),
    ("T: requests, answers and outcomes", tool_call_codes),
    ("R: rules of the game", game_codes),
    ("W: writing", writing_codes),
)
_SHOWN = 700


def _rules(module: ModuleType) -> tuple[Rule, ...]:
    found = (value for value in vars(module).values() if isinstance(value, Rule))
    return tuple(sorted(found, key=lambda rule: rule.code))


RULES: dict[str, Rule] = {rule.code: rule for _, module in _GROUPS for rule in _rules(module)}
"""Code -> rule, in the order of the documentation."""


def diagnostics_page() -> str:
    """docs/diagnostics.md, in markdown."""
    return _HEAD + "".join(_group(title, module) for title, module in _GROUPS)


def _group(title: str, module: ModuleType) -> str:
    return f"\n## {title}\n" + "".join(_entry(rule) for rule in _rules(module))


def _entry(rule: Rule) -> str:
    return (
        f"\n### {rule.code}: {rule.title}\n\nSeverity: {rule.severity}. {rule.why}\n\n"
        f"{_fence('Reported', rule.example)}\n{_fence('Fine', rule.cure)}"
    )


def _fence(label: str, text: str) -> str:
    shown = text if len(text) <= _SHOWN else text[:_SHOWN] + " ..."
    visible = "".join(letter if letter == "\n" or letter.isprintable() else f"\\x{ord(letter):02x}" for letter in shown)
    return f"{label}:\n\n````markdown\n{visible.strip()}\n````\n"


_HEAD = """# Diagnostics

This page is written by `studio.scenarios.checks.diagnostics_page()`; a test fails when it drifts from the code.

A diagnostic has a code that never changes its meaning, a severity, a place in the file, a sentence, a reason and, where
it can, a fix that one click (or `python -m studio validate --fix`) applies. Only errors make a scenario invalid.
Severities can be changed for all scenarios in config/diagnostics.yaml, or for one in its front matter:

```yaml
diagnostics: {W003: off, R004: warning}
```

This work includes material from the System Reference Document 5.2.1 ("SRD 5.2.1") by Wizards of the Coast LLC,
available at https://www.dndbeyond.com/srd. The SRD 5.2.1 is licensed under the Creative Commons Attribution 4.0
International License, available at https://creativecommons.org/licenses/by/4.0/legalcode. The studio looks up spells,
classes, items, conditions and experience in it, by way of the package dndwright (MIT), and writes names in lower case.
Homebrew is legal: what the document does not know is at most information.
"""
