"""From the verdicts of many turns to the figures of a model: call decision, tools, arguments, outcomes, narrative."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field, field_validator

from studio.metrics.figures import Figure, average, f1, share
from studio.metrics.likelihood import bits_per_character, perplexity
from studio.metrics.narrative import distinct_n
from studio.metrics.tools import (
    ArgumentScore,
    ConfusionMatrix,
    ToolScore,
    argument_scores,
    confusion_matrix,
    tool_scores,
)
from studio.metrics.turns import TurnVerdict

_Frozen = ConfigDict(frozen=True)


class CallConfusion(BaseModel):
    """Turns by whether a call was expected and whether one was made; keys of the turns in each cell."""

    model_config = _Frozen

    called_rightly: tuple[str, ...] = ()
    called_needlessly: tuple[str, ...] = ()
    missed: tuple[str, ...] = ()
    silent_rightly: tuple[str, ...] = ()


class Summary(BaseModel):
    """Every figure of one model on one set of turns."""

    model_config = _Frozen

    turns: int
    figures: dict[str, Figure]
    by_type: dict[str, dict[str, Figure]] = Field(default_factory=dict)
    decision: CallConfusion
    tools: tuple[ToolScore, ...] = ()
    arguments: tuple[ArgumentScore, ...] = ()
    confusion: ConfusionMatrix

    @field_validator("figures")
    @classmethod
    def _complete(cls, found: dict[str, Figure]) -> dict[str, Figure]:
        """Reports that were written before a figure was measured have nothing to count there."""
        return {name: found.get(name, nothing) for name, nothing in figures([], 0).items()} | found


def summarize(verdicts: Sequence[TurnVerdict], seed: int) -> Summary:
    """The figures of one model. The same verdicts and seed give the same figures, intervals included."""
    types = sorted({one.scenario_type for one in verdicts})
    return Summary(
        turns=len(verdicts),
        figures=figures(verdicts, seed),
        by_type={kind: figures([one for one in verdicts if one.scenario_type == kind], seed) for kind in types},
        decision=call_confusion(verdicts),
        tools=tool_scores(verdicts),
        arguments=argument_scores(verdicts),
        confusion=confusion_matrix(verdicts),
    )


def figures(verdicts: Sequence[TurnVerdict], seed: int) -> dict[str, Figure]:
    """All figures by name, in the order in which reports show them."""
    found = [*_decision(verdicts), *_calls(verdicts), *_outcomes(verdicts), *_narrative(verdicts, seed)]
    found += _likelihood(verdicts, seed)
    return {one.name: one for one in found}


def call_confusion(verdicts: Sequence[TurnVerdict]) -> CallConfusion:
    """Call or no call, expected against made."""

    def keys(expects: bool, makes: bool) -> tuple[str, ...]:
        return tuple(one.key for one in verdicts if one.calls.expects_call == expects and one.calls.makes_call == makes)

    return CallConfusion(
        called_rightly=keys(True, True),
        called_needlessly=keys(False, True),
        missed=keys(True, False),
        silent_rightly=keys(False, False),
    )


def _decision(verdicts: Sequence[TurnVerdict]) -> list[Figure]:
    expects = [(one.key, one.calls.makes_call) for one in verdicts if one.calls.expects_call]
    makes = [(one.key, one.calls.expects_call) for one in verdicts if one.calls.makes_call]
    either = [(one.key, one.calls) for one in verdicts if one.calls.expects_call or one.calls.makes_call]
    return [
        share("turn_right", [(one.key, one.right) for one in verdicts]),
        share("call_accuracy", [(one.key, one.calls.decides_right) for one in verdicts]),
        share("call_precision", makes),
        share("call_recall", expects),
        f1("call_f1", [(key, calls.expects_call and calls.makes_call) for key, calls in either]),
    ]


def _calls(verdicts: Sequence[TurnVerdict]) -> list[Figure]:
    pairs = [(one.key, pair) for one in verdicts for pair in one.calls.pairs]
    answered = [(key, pair) for key, pair in pairs if pair.expected and pair.generated]
    same = [(key, pair.arguments) for key, pair in answered if pair.arguments]
    written = [(one.key, False) for one in verdicts for pair in one.calls.pairs if pair.generated]
    written += [(one.key, True) for one in verdicts for _ in one.calls.malformed]
    return [
        share("tool_accuracy", [(key, pair.arguments is not None) for key, pair in answered]),
        share("argument_accuracy", [(key, match.exact) for key, match in same]),
        share("argument_acceptable", [(key, match.acceptable) for key, match in same]),
        share("call_exact", [(key, pair.exact) for key, pair in pairs if pair.expected]),
        share("malformed", written, "lower"),
    ]


def _outcomes(verdicts: Sequence[TurnVerdict]) -> list[Figure]:
    told = [(one.key, one.outcome) for one in verdicts]
    demanding = [(key, one) for key, one in told if one.demanded != "none"]
    decided = [(key, one) for key, one in demanding if one.demanded != "either"]
    left_open = [(key, one) for key, one in demanding if one.demanded == "either" and one.authored != "none"]
    return [
        share("outcome_told", [(key, one.said != "none") for key, one in demanding]),
        share("outcome_by_dice", [(key, one.coherent) for key, one in decided]),
        share("outcome_as_author", [(key, one.said == one.authored) for key, one in left_open]),
        share("outcome_unasked", [(key, one.said != "none") for key, one in told if one.demanded == "none"], "lower"),
        share("invented_numbers", [(key, bool(one.invented)) for key, one in told], "lower"),
    ]


def _narrative(verdicts: Sequence[TurnVerdict], seed: int) -> list[Figure]:
    prose = [(one.key, one.narrative) for one in verdicts]
    spoken = [(key, one) for key, one in prose if one.words]
    english = [(key, one.english) for key, one in prose if one.english is not None]
    return [
        share("finished", [(one.key, one.finished) for one in verdicts]),
        share("empty", [(one.key, not one.text.strip()) for one in verdicts], "lower"),
        share("faithful", [(key, one.faithful) for key, one in spoken]),
        share("misspelled_names", [(key, bool(one.misspelled_names)) for key, one in spoken], "lower"),
        share("foreign_items", [(key, bool(one.foreign_items)) for key, one in spoken], "lower"),
        share("wrong_hit_points", [(key, bool(one.wrong_hit_points)) for key, one in spoken], "lower"),
        share("speaks_for_player", [(key, bool(one.speaks_for_player)) for key, one in spoken], "lower"),
        share("out_of_role", [(key, bool(one.out_of_role)) for key, one in spoken], "lower"),
        share("copies_earlier_turn", [(key, one.copies_earlier_turn) for key, one in spoken], "lower"),
        share("second_person", [(key, one.second_person) for key, one in spoken], "none"),
        average("english", english, seed, "higher", is_share=True),
        average("repetition", [(key, one.repetition) for key, one in spoken], seed, "lower", is_share=True),
        average("words", [(key, float(one.words)) for key, one in prose], seed),
        average("length_ratio", [(key, one.length_ratio) for key, one in prose if one.length_ratio], seed),
        *(_distinct(verdicts, size) for size in (1, 2)),
    ]


def _likelihood(verdicts: Sequence[TurnVerdict], seed: int) -> list[Figure]:
    measured = [(one.key, one.likelihood) for one in verdicts if one.likelihood]
    return [perplexity(measured, seed), bits_per_character(measured, seed)]


def _distinct(verdicts: Sequence[TurnVerdict], size: int) -> Figure:
    """Without an interval: resampling turns repeats them, which lowers the figure itself."""
    spoken = [one for one in verdicts if one.narrative.words >= size]
    return Figure(
        name=f"distinct_{size}",
        value=distinct_n([one.text for one in spoken], size) if spoken else None,
        better="none",
        total=len(spoken),
        turns=tuple(one.key for one in spoken),
    )
