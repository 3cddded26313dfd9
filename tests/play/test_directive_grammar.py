"""What a model may write after a bracket: only requests, all of them, and the model still speaks freely before."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.errors import PlayError
from studio.play import ModelHost, Sampling
from studio.play.turns.directive_grammar import OPENS, directive_grammar, directive_pattern
from studio.scenarios import MarkdownParser, find_directives, load_vocabulary, scenario_files
from studio.workspace import PROJECT_ROOT

VOCABULARY = load_vocabulary()
NAMES = ["Bram", 'Odra "the Elder" \\ Stone']
SHOWN = (
    "The player sneaks. [roll: stealth, dc=12]\nThe player lies. [roll: deception]\nThe player is hurt. "
    "[hit points: -4, who=Bram]\nThe player strikes. [roll: attack, target=goblin]\nThe player sits down and looks at"
)


@given(st.from_regex(directive_pattern(VOCABULARY, ["Bram", "Odra"]), fullmatch=True))
def test_whatever_the_grammar_allows_is_a_valid_request(written: str) -> None:
    (found,) = find_directives(written, VOCABULARY)
    assert found.valid, (written, found.problems)
    assert found.written == written


def test_the_grammar_has_every_request_of_the_shipped_scenarios() -> None:
    parser, pattern, seen = MarkdownParser(VOCABULARY), directive_pattern(VOCABULARY), set()
    for path in scenario_files([PROJECT_ROOT / "data"]):
        for turn in parser.parse_scenario(path).conversation:
            found = find_directives(turn.content, VOCABULARY) if turn.speaker == "DM" else []
            seen |= {one.canonical for one in found if one.valid}
    assert len(seen) > 40
    assert [one for one in seen if not pattern.fullmatch(one)] == []


def test_every_tool_is_in_both_notations_and_only_the_party_is_named() -> None:
    grammar = directive_grammar(VOCABULARY, NAMES)
    assert all(f"tool-{tool.name.replace('_', '-')} ::= " in grammar for tool in VOCABULARY.tools)
    pattern = directive_pattern(VOCABULARY, NAMES)
    assert pattern.fullmatch("[roll: stealth, who=Bram]")
    assert not pattern.fullmatch("[roll: stealth, who=Strahd]")
    assert not pattern.fullmatch("[roll: stealth, advantage, disadvantage]")
    assert not pattern.fullmatch("[stealth]")


@pytest.mark.slow
def test_the_real_model_writes_only_valid_requests_and_free_text_before_them(host: ModelHost) -> None:
    grammar, valid, free = directive_grammar(VOCABULARY, NAMES), 0, 0
    for seed in range(6):
        sampling = Sampling(temperature=1.4, top_k=200, top_p=1.0, seed=seed, max_tokens=40)
        *_, done = (said := list(host.generate(SHOWN, sampling, grammar=grammar, grammar_from=OPENS)))
        text = "".join(one.text for one in said if hasattr(one, "text"))
        assert done.n_generated > 0
        whole = text[: text.rfind("]") + 1] if "]" in text else ""
        free += bool(text.partition(OPENS)[0].strip())
        found = find_directives(whole, VOCABULARY)
        assert whole.count("[") == len(found)
        assert all(one.valid for one in found), text
        valid += len(found)
    assert valid >= 3
    assert free >= 3


def test_a_grammar_that_is_none_is_told(host: ModelHost) -> None:
    with pytest.raises(PlayError, match="not valid GBNF"):
        list(host.generate(SHOWN, grammar="root ::= (", grammar_from=OPENS))
    assert list(host.generate(SHOWN, Sampling(max_tokens=2)))
