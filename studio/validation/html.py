"""The report card as one HTML file that needs nothing else: no picture, no font, nothing from a network.

Every number leads to the turns behind it by a link inside the file, without a script. The interactive form carries
plotly.js besides and is about 5 MB; the plain one has no script at all and is small enough to mail.

Everything that a scenario's author or a model wrote is escaped by the template engine. The file's own policy forbids
requests, and every script but the two that are named there by their SHA-256. What the figures mean is
docs/validation.md's business.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from studio.metrics import Comparison, Figure, TurnVerdict
from studio.validation.anchors import Anchors
from studio.validation.behind import behind_comparison
from studio.validation.breakdown import (
    Row,
    argument_rows,
    behind_cell,
    behind_count,
    figure_row,
    matrix,
    scenario_types,
    tool_rows,
    type_differences,
    type_rows,
)
from studio.validation.card import ModelResult, ReportCard
from studio.validation.chart import CHARTED, chart_lines
from studio.validation.headline import headlines
from studio.validation.plot import COLORS, share_plot
from studio.validation.reach import reach_sentences
from studio.validation.wording import CHECKS, FIGURES, NOT_MEASURED, Wording, difference_text

_TEMPLATE = Path(__file__).with_name("report.html.jinja")
_STYLE = Path(__file__).with_name("report.css")
_SCRIPT = Path(__file__).with_name("report.js")
_LIBRARY = "package_data/plotly.min.js"
_NO_REQUESTS = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def report_html(card: ReportCard, *, interactive: bool = True) -> str:
    """The whole page. The interactive form carries plotly.js and is about 5 MB, the other one has no script."""
    anchors = Anchors(card.turns)
    body = _content(card, anchors)  # asks for every name, so it comes before the lists are written
    scripts = _scripts() if interactive else ()
    return _template().render(
        **body,
        card=card,
        created=datetime.fromtimestamp(card.created, UTC).strftime("%Y-%m-%d %H:%M UTC"),
        policy=_policy(scripts),
        style=Markup(_STYLE.read_text(encoding="utf-8")),  # noqa: S704 - a file of the studio's own
        scripts=[Markup(one) for one in scripts],  # noqa: S704 - likewise, and plotly's
        views=_as_data(_views(card, anchors)) if interactive else "",
        colors=COLORS,
        places=anchors.places,
        not_measured=NOT_MEASURED,
    )


def _content(card: ReportCard, anchors: Anchors) -> dict[str, Any]:
    models = card.models
    return {
        "headlines": headlines(card),
        "chart": chart_lines([one.summary for one in models]),
        "chart_links": [_figure_links(card, name, anchors) for name in CHARTED],
        "comparisons": [_compared(one, anchors) for one in models[1:]],
        "reach": " ".join(reach_sentences(card)),
        "figures": _linked([figure_row(models, name) for name in FIGURES], card, anchors, list(FIGURES.values())),
        "types": _linked(type_rows(models), card, anchors),
        "tools": _linked(tool_rows(models), card, anchors),
        "arguments": _linked(argument_rows(models), card, anchors),
        "matrices": [_matrix(one, anchors) for one in models],
        "turns": _turn_rows(card),
    }


@lru_cache(maxsize=1)
def _template() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))


# -- scripts


def _scripts() -> tuple[str, ...]:
    """plotly.js as it was installed, and what draws with it; line ends as a browser's parser leaves them."""
    library = files("plotly").joinpath(_LIBRARY).read_text(encoding="utf-8")
    return tuple(one.replace("\r\n", "\n") for one in (library, _SCRIPT.read_text(encoding="utf-8")))


def _policy(scripts: Sequence[str]) -> str:
    """The Content-Security-Policy: no request at all, and no script but these."""
    if not scripts:
        return _NO_REQUESTS
    digests = [base64.b64encode(hashlib.sha256(one.encode("utf-8")).digest()).decode("ascii") for one in scripts]
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    return f"{_NO_REQUESTS}; script-src {allowed}; img-src data:; connect-src 'none'"


def _as_data(value: object) -> Markup:
    """JSON that no text in it can end: a script element ends at `</script` alone, and `<` is written otherwise."""
    return Markup(json.dumps(value).replace("<", "\\u003c"))  # noqa: S704 - see above


def _views(card: ReportCard, anchors: Anchors) -> list[dict[str, Any]]:
    """The chart over all turns, then over those of each scenario type."""
    kinds = scenario_types(card.models)
    return [_view(card, kind, anchors) for kind in (None, *(kinds if len(kinds) > 1 else ()))]


def _view(card: ReportCard, kind: str | None, anchors: Anchors) -> dict[str, Any]:
    def find(model: ModelResult, name: str) -> Figure | None:
        return (model.summary.figures if kind is None else model.summary.by_type.get(kind, {})).get(name)

    def lists(number: int, name: str) -> str:
        return _figure_links(card, name, anchors, kind)[number]

    name = "All scenes" if kind is None else kind or "no type"
    return {"name": name, **share_plot(card.models, CHARTED, find, lists)}


# -- rows


def _figure_links(card: ReportCard, name: str, anchors: Anchors, kind: str | None = None) -> list[str]:
    """Where the figure of each model leads to."""
    row = figure_row(card.models, name, kind)
    return [anchors.of(behind_cell(row, number, one.model.label)) for number, one in enumerate(card.models)]


def _linked(
    rows: Sequence[Row], card: ReportCard, anchors: Anchors, words: Sequence[Wording] = ()
) -> list[dict[str, Any]]:
    """Rows of a table with the links of their cells."""
    labels = [one.model.label for one in card.models]
    return [
        {
            "row": row,
            "meaning": words[place].meaning if words else "",
            "cells": [
                {"cell": cell, "link": anchors.of(behind_cell(row, number, labels[number]))}
                for number, cell in enumerate(row.cells)
            ],
        }
        for place, row in enumerate(rows)
    ]


def _compared(model: ModelResult, anchors: Anchors) -> dict[str, Any]:
    kinds = [{"kind": kind, **_comparison_row(one, model, anchors, kind)} for kind, one in type_differences(model)]
    worst_first = sorted(model.comparisons, key=lambda one: one.verdict != "worse")
    return {"model": model, "rows": [_comparison_row(one, model, anchors) for one in worst_first], "kinds": kinds}


def _comparison_row(one: Comparison, model: ModelResult, anchors: Anchors, kind: str | None = None) -> dict[str, Any]:
    return {
        "wording": CHECKS[one.name],
        "first": f"{one.first:.0%}",
        "second": f"{one.second:.0%}",
        "difference": difference_text(one.difference.value, one.difference.interval),
        "p_value": _p_text(one),
        "verdict": one.verdict,
        "gained": len(one.gained),
        "lost": len(one.lost),
        "link": anchors.of(behind_comparison(one, model, kind)),
    }


def _p_text(one: Comparison) -> str:
    """What the verdict was made from: the corrected value; reports from before the correction have none."""
    value = one.test.p_value if one.test.adjusted_p is None else one.test.adjusted_p
    return f"{value:.3f}" if value >= 0.001 else "<0.001"


def _matrix(model: ModelResult, anchors: Anchors) -> dict[str, Any] | None:
    """The matrix with the links of its cells, and how dark each is: its share of what was wanted in that row."""
    found = matrix(model.summary)
    if found is None:
        return None
    rows = []
    for wanted, counts in found.rows:
        whole = sum(one.value for one in counts) or 1
        cells = [
            {
                "count": one,
                "heat": round(100 * one.value / whole),
                "link": anchors.of(behind_count(wanted, asked, one, model.model.label)),
            }
            for asked, one in zip(found.columns, counts, strict=True)
        ]
        rows.append((wanted, cells))
    return {"label": model.model.label, "columns": found.columns, "rows": rows}


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
        "is not in English": prose.other_language,
        "was cut at the length limit": not verdict.finished,
    }
    named = [f"{name}: {', '.join(quoted)}" for name, quoted in lists.items() if quoted]
    return [name for name, seen in plain.items() if seen] + named
