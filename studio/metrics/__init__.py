"""What a model is measured by: pure functions over scenarios and generated text. No model runs here."""

from studio.metrics.arguments import ArgumentMatch, Call, match_arguments, same_value
from studio.metrics.cases import GivenRoll, TurnCase, scenario_cases, scenario_of, turn_cases
from studio.metrics.clusters import FEWEST_SCENARIOS, design_effect
from studio.metrics.comparison import ALPHA, CHECKS, PRIMARY, Comparison, compare, holm_factors
from studio.metrics.figures import Figure, average, share
from studio.metrics.language import english_share
from studio.metrics.likelihood import Likelihood
from studio.metrics.narrative import NarrativeVerdict, distinct_n, judge_narrative, player_speech, repetition, words
from studio.metrics.outcome import OutcomeVerdict, invented_numbers, judge_outcome
from studio.metrics.paired import McNemar, PairedCounts, mcnemar, paired_counts
from studio.metrics.power import least_discordant, turns_needed
from studio.metrics.statistics import (
    Difference,
    Interval,
    bootstrap_interval,
    f1_interval,
    wilson_interval,
)
from studio.metrics.summary import CallConfusion, Summary, summarize
from studio.metrics.tool_calls import NO_CALL, CallPair, CallVerdict, align, judge_calls
from studio.metrics.tools import ArgumentScore, ConfusionMatrix, ToolScore
from studio.metrics.turns import TurnVerdict, judge_turn

__all__ = [
    "ALPHA",
    "CHECKS",
    "FEWEST_SCENARIOS",
    "NO_CALL",
    "PRIMARY",
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
    "Likelihood",
    "McNemar",
    "NarrativeVerdict",
    "OutcomeVerdict",
    "PairedCounts",
    "Summary",
    "ToolScore",
    "TurnCase",
    "TurnVerdict",
    "align",
    "average",
    "bootstrap_interval",
    "compare",
    "design_effect",
    "distinct_n",
    "english_share",
    "f1_interval",
    "holm_factors",
    "invented_numbers",
    "judge_calls",
    "judge_narrative",
    "judge_outcome",
    "judge_turn",
    "least_discordant",
    "match_arguments",
    "mcnemar",
    "paired_counts",
    "player_speech",
    "repetition",
    "same_value",
    "scenario_cases",
    "scenario_of",
    "share",
    "summarize",
    "turn_cases",
    "turns_needed",
    "wilson_interval",
    "words",
]
