"""The loop as steps: what is ready, and which step is next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from studio.ui.wording import count
from studio.validation.digest import ReportDigest

State = Literal["done", "next", "later"]


@dataclass(frozen=True)
class Facts:
    """What there is in the workspace."""

    bases: int
    scenarios: int
    finished_runs: int  # those that left an adapter, which is what can be made into a file
    running: int
    models: int
    chats: int
    measured: str = ""  # what the newest report says of a model of one's own


@dataclass(frozen=True)
class Step:
    """One step of the loop as the overview shows it."""

    title: str
    status: str
    page: str
    action: str
    icon: str
    state: State


def steps(facts: Facts) -> list[Step]:
    """The steps in order; the first that is not done is `next`, and the last is once all are.

    A dataset is made of the scenarios by itself, so its step asks for nothing but a look.
    """
    rows = [
        ("Get a base model", _bases(facts), "pages/setup.py", "Import a base model", "download", facts.bases > 0),
        (
            "Write scenarios",
            _scenarios(facts),
            "pages/scenarios.py",
            "Write a scenario",
            "edit_note",
            facts.scenarios > 0,
        ),
        (
            "Look at the dataset",
            _dataset(facts),
            "pages/dataset.py",
            "Open the dataset",
            "dataset",
            facts.scenarios > 0,
        ),
        ("Train", _runs(facts), "pages/train.py", _train_action(facts), "model_training", facts.finished_runs > 0),
        ("Make a model file", _models(facts), "pages/models.py", "Convert the run", "inventory_2", facts.models > 0),
        ("Measure", _measured(facts), "pages/measure.py", "Measure your model", "monitoring", bool(facts.measured)),
        ("Play", _chats(facts), "pages/play.py", "Play with your model", "casino", False),
    ]
    first = next((index for index, row in enumerate(rows) if not row[-1]), len(rows) - 1)
    return [
        Step(title, status, page, action, icon, "next" if index == first else "done" if done else "later")
        for index, (title, status, page, action, icon, done) in enumerate(rows)
    ]


def _bases(facts: Facts) -> str:
    return f"{count(facts.bases, 'base model')} ready" if facts.bases else "None yet: the model that yours grows from"


def _scenarios(facts: Facts) -> str:
    return count(facts.scenarios, "scenario") if facts.scenarios else "None yet: the play it learns from"


def _dataset(facts: Facts) -> str:
    return "Made of your scenarios, row by row" if facts.scenarios else "Comes with the first scenario"


def _runs(facts: Facts) -> str:
    if facts.running:
        return f"{count(facts.running, 'run')} in progress"
    return count(facts.finished_runs, "finished run") if facts.finished_runs else "No finished run yet"


def _train_action(facts: Facts) -> str:
    return "Watch the run" if facts.running else "Start a training run"


def _models(facts: Facts) -> str:
    return f"{count(facts.models, 'GGUF file')} ready to play" if facts.models else "No GGUF file yet"


def _measured(facts: Facts) -> str:
    return facts.measured or "Not yet: is it better than its base?"


def measured_words(report: ReportDigest) -> str:
    """`first: 39% of turns right, base 4%`, of the last model of a report; empty when all are base models."""
    own = next((one for one in reversed(report.models) if not one.is_base), None)
    value = own and own.figures["turn_right"].value
    if own is None or value is None:
        return ""
    first = report.models[0]
    before = first.figures["turn_right"].value
    against = "" if first is own or before is None else f", {'base' if first.is_base else first.label} {before:.0%}"
    return f"{own.run or own.label}: {value:.0%} of turns right{against}"


def _chats(facts: Facts) -> str:
    return count(facts.chats, "session") if facts.chats else "Sit down at the table"
