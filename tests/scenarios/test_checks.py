"""Every code shows itself on its example and goes away with the cure; the seed example has no error."""

from pathlib import Path

import pytest

from studio.scenarios import MarkdownParser, Severity
from studio.scenarios.checks import RULES, diagnostics_page
from studio.scenarios.checks.rule import Rule

DOCS = Path(__file__).parents[2] / "docs" / "diagnostics.md"
SEED = Path(__file__).with_name("seed_example.md")


def codes_of(text: str) -> set[str]:
    return {one.code for one in MarkdownParser().validate_format(text).diagnostics}


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_each_example_is_reported_and_each_cure_is_not(rule: Rule) -> None:
    assert rule.code in codes_of(rule.example_file)
    assert rule.code not in codes_of(rule.cure_file)


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_each_cure_is_a_valid_scenario(rule: Rule) -> None:
    assert MarkdownParser().validate_format(rule.cure_file).errors == []


def test_the_seed_example_has_no_error() -> None:
    result = MarkdownParser().validate_format(SEED.read_text())
    assert result.valid
    assert {one.code for one in result.diagnostics if one.severity is Severity.WARNING} == {"R002"}


def test_the_documentation_of_the_codes_is_the_generated_one() -> None:
    assert DOCS.read_text(encoding="utf-8") == diagnostics_page()
