"""What a model is measured by: pure functions over scenarios and generated text. No model runs here."""

from studio.metrics.arguments import ArgumentMatch, Call, match_arguments, same_value
from studio.metrics.cases import GivenRoll, TurnCase, scenario_cases, turn_cases
from studio.metrics.comparison import CHECKS, Comparison, compare
from studio.metrics.figures import Figure, average, share
from studio.metrics.language import english_share
from studio.metrics.narrative import NarrativeVerdict, distinct_n, judge_narrative, player_speech, repetition, words
from studio.metrics.outcome import OutcomeVerdict, invented_numbers, judge_outcome
from studio.metrics.statistics import (
    Difference,
    Interval,
    McNemar,
    bootstrap_interval,
    mcnemar,
    paired_difference,
    wilson_interval,
)
from studio.metrics.summary import CallConfusion, Summary, summarize
from studio.metrics.tool_calls import NO_CALL, CallPair, CallVerdict, align, judge_calls
from studio.metrics.tools import ArgumentScore, ConfusionMatrix, ToolScore
from studio.metrics.turns import TurnVerdict, judge_turn

__all__ = [
    "CHECKS",
    "NO_CALL",
    "ArgumentMatch",
    "ArgumentScore",
    "Call",
    "CallConfusion",
    "CallPair",
    "CallVerdict",
    "Comparison",
    "ConfusionMatrix",
    "Difference",
    "Figure",
    "GivenRoll",
    "Interval",
    "McNemar",
    "NarrativeVerdict",
    "OutcomeVerdict",
    "Summary",
    "ToolScore",
    "TurnCase",
    "TurnVerdict",
    "align",
    "average",
    "bootstrap_interval",
    "compare",
    "distinct_n",
    "english_share",
    "invented_numbers",
    "judge_calls",
    "judge_narrative",
    "judge_outcome",
    "judge_turn",
    "match_arguments",
    "mcnemar",
    "paired_difference",
    "player_speech",
    "repetition",
    "same_value",
    "scenario_cases",
    "share",
    "summarize",
    "turn_cases",
    "wilson_interval",
    "words",
]
