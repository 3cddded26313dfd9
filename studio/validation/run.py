"""A whole evaluation: every model of a request, one after the other, into one report card."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from studio.metrics import TurnCase, scenario_cases
from studio.play import ModelHost
from studio.scenarios import MarkdownParser, TrainingScenario, Vocabulary, load_vocabulary
from studio.validation.card import ModelResult, ModelStamp, ReportCard, model_result, report_card
from studio.validation.evaluation import Generator, by_scenario, host_options
from studio.validation.request import EvaluationRequest, EvaluationSettings, ModelFile
from studio.validation.rows import RowStore
from studio.validation.stress import Kind, stress_cases
from studio.workspace import Workspace

OnTurn = Callable[[int, int], None]
"""Called with the turns done and the turns in all, over all models."""


@dataclass(frozen=True)
class TestSet:
    """What the models are asked: DM turns with an author's answer, and stress turns without."""

    cases: tuple[TurnCase, ...]
    stress: tuple[tuple[Kind, TurnCase], ...]
    vocabulary: Vocabulary

    __test__ = False  # not a test class of pytest

    @property
    def size(self) -> int:
        """Turns that a model is asked for."""
        return len(self.cases) + len(self.stress)


def read_scenarios(paths: Sequence[Path], vocabulary: Vocabulary) -> list[TrainingScenario]:
    """The scenarios of files. Raises `WorkspaceError`."""
    parser = MarkdownParser(vocabulary)
    return [parser.parse_scenario(path) for path in paths]


def prepare_tests(
    scenarios: Sequence[TrainingScenario], settings: EvaluationSettings, vocabulary: Vocabulary
) -> TestSet:
    """The turns of scenarios that a model is to be asked for, `max_turns` of each at most."""
    cases = scenario_cases(scenarios, vocabulary)
    limited = tuple(_limited(cases, settings.max_turns)) if settings.max_turns else tuple(cases)
    return TestSet(limited, tuple(stress_cases(cases)) if settings.stress else (), vocabulary)


def evaluate_model(
    model: ModelFile,
    tests: TestSet,
    settings: EvaluationSettings,
    store: RowStore,
    on_turn: Callable[[int], None] = lambda done: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> ModelResult:
    """One model on the test set. What is in the store already is not generated again.

    Raises:
        PlayError: the file cannot be loaded.
        EvaluationStoppedError: `should_stop` said so.
    """
    with ModelHost(model.path, host_options(settings, model.adapter)) as host:
        stamp = ModelStamp.of(model, host.info())
        loaded = model.model_copy(update={"sha256": stamp.sha256})  # what was loaded counts, not what was asked for
        generator = Generator(loaded, host, tests.vocabulary, settings, store)
        rows = generator.generate(by_scenario(tests.cases), on_turn, should_stop)
        stressed = [case for _, case in tests.stress]
        hard = generator.generate([stressed] * bool(stressed), lambda done: on_turn(len(rows) + done), should_stop)
    return model_result(stamp, tests.cases, rows, tests.stress, hard, tests.vocabulary, settings.seed)


def run_evaluation(
    request: EvaluationRequest,
    created: float,
    on_turn: OnTurn = lambda done, total: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> ReportCard:
    """The report card of a request. What the models wrote is kept in the workspace, also when this ends early.

    Raises:
        StudioError: a scenario or a model cannot be read.
        EvaluationStoppedError: `should_stop` said so.
    """
    workspace = Workspace.find(request.workspace)
    vocabulary = load_vocabulary(workspace.config_file("tools.yaml"))
    tests = prepare_tests(read_scenarios(request.scenarios, vocabulary), request.settings, vocabulary)
    total = tests.size * len(request.models)

    def evaluate(number: int, model: ModelFile) -> ModelResult:
        before = number * tests.size
        store = RowStore.of(workspace, model.sha256)
        return evaluate_model(
            model, tests, request.settings, store, lambda done: on_turn(before + done, total), should_stop
        )

    results = [evaluate(number, model) for number, model in enumerate(request.models)]
    return report_card(tests.cases, results, request.settings, created)


def _limited(cases: Sequence[TurnCase], most: int) -> Iterator[TurnCase]:
    for _, group in groupby(cases, key=lambda case: case.scenario):
        yield from list(group)[:most]
