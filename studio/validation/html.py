"""The report card as one HTML file that needs nothing else: no script, no font, no picture, nothing from a network.

Everything that a scenario's author or a model wrote is escaped by the template engine, and the page's own policy
forbids scripts and requests besides. It shows figures; what they mean is docs/validation.md's business.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined, Template

from studio.metrics import Comparison, TurnVerdict
from studio.validation.breakdown import argument_rows, matrix, tool_rows, type_rows
from studio.validation.card import ModelResult, ReportCard
from studio.validation.chart import chart_lines
from studio.validation.wording import CHECKS, FIGURES, NOT_MEASURED, difference_text, figure_text

_TEMPLATE = Path(__file__).with_name("report.html.jinja")


def report_html(card: ReportCard) -> str:
    """The whole page."""
    summaries = [one.summary for one in card.models]
    return _template().render(
        card=card,
        created=datetime.fromtimestamp(card.created, UTC).strftime("%Y-%m-%d %H:%M UTC"),
        chart=chart_lines(summaries),
        figures=_figure_rows(card),
        comparisons=[(one, [_comparison_row(row) for row in one.comparisons]) for one in card.models[1:]],
        types=type_rows(summaries),
        tools=tool_rows(summaries),
        arguments=argument_rows(summaries),
        matrices=[(one.model.label, matrix(one.summary)) for one in card.models],
        turns=_turn_rows(card),
        not_measured=NOT_MEASURED,
    )


@lru_cache(maxsize=1)
def _template() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))


def _figure_rows(card: ReportCard) -> list[dict[str, Any]]:
    """One row per figure: its wording and the cell of every model."""
    return [
        {"wording": wording, "cells": [figure_text(one.summary.figures[name]) for one in card.models]}
        for name, wording in FIGURES.items()
    ]


def _comparison_row(one: Comparison) -> dict[str, Any]:
    return {
        "wording": CHECKS[one.name],
        "first": f"{one.first:.0%}",
        "second": f"{one.second:.0%}",
        "difference": difference_text(one.difference.value, one.difference.interval),
        "p_value": f"{one.test.p_value:.3f}",
        "verdict": one.verdict,
        "gained": one.gained,
        "lost": one.lost,
    }


def _turn_rows(card: ReportCard) -> list[dict[str, Any]]:
    """One entry per turn with every model's text and faults; `right` counts the models that got it right."""
    verdicts = [{verdict.key: verdict for verdict in one.verdicts} for one in card.models]
    return [
        {
            "turn": turn,
            "answers": [_answer(model, found[turn.key]) for model, found in zip(card.models, verdicts, strict=True)],
            "right": sum(found[turn.key].right for found in verdicts),
        }
        for turn in card.turns
    ]


def _answer(model: ModelResult, verdict: TurnVerdict) -> dict[str, Any]:
    return {"label": model.model.label, "text": verdict.text, "right": verdict.right, "faults": turn_faults(verdict)}


def turn_faults(verdict: TurnVerdict) -> list[str]:
    """What is wrong with a turn, in words."""
    calls, outcome, prose = verdict.calls, verdict.outcome, verdict.narrative
    lists = {
        "asks unreadably": calls.malformed,
        "invents": outcome.invented,
        "misspells": prose.misspelled_names,
        "gives what nobody has": prose.foreign_items,
        "wrong hit points": prose.wrong_hit_points,
        "speaks for the player": prose.speaks_for_player,
        "out of role": prose.out_of_role,
    }
    wanted = "" if outcome.demanded in ("none", "either") else f" (the dice say {outcome.demanded})"
    plain = {
        "says nothing": not verdict.text.strip(),
        "asks for dice needlessly": calls.makes_call and not calls.expects_call,
        "does not ask for dice": calls.expects_call and not calls.makes_call,
        "asks for something else": calls.expects_call and calls.makes_call and not calls.exact,
        f"outcome: {outcome.said}{wanted}": not outcome.coherent,
        "copies an earlier turn": prose.copies_earlier_turn,
        "was cut at the length limit": not verdict.finished,
    }
    named = [f"{name}: {', '.join(quoted)}" for name, quoted in lists.items() if quoted]
    return [name for name, seen in plain.items() if seen] + named
