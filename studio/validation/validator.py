"""`ModelValidator`: the four questions about a model, each in one call; the work is done by the evaluation engine."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from studio.conversion import find_model, locate_playable
from studio.errors import EvaluationError
from studio.metrics import ArgumentScore, CallConfusion, ConfusionMatrix, Figure, ToolScore, TurnVerdict
from studio.scenarios import TrainingScenario, load_vocabulary
from studio.validation.benchmark import (
    BenchmarkReport,
    BenchmarkRequest,
    BenchmarkSettings,
    MeasurementStore,
    run_benchmark,
)
from studio.validation.cactus import CactusReport, check_cactus
from studio.validation.card import ModelResult, ModelStamp
from studio.validation.request import EvaluationSettings, ModelFile, model_files, scenario_files
from studio.validation.rows import RowStore
from studio.validation.run import evaluate_model, prepare_tests, read_scenarios
from studio.validation.stress import StressVerdict
from studio.workspace import Workspace

TOOL_CALL_FIGURES = (
    "call_accuracy",
    "call_precision",
    "call_recall",
    "call_f1",
    "tool_accuracy",
    "argument_accuracy",
    "argument_acceptable",
    "call_exact",
    "malformed",
)
Scenarios = Sequence[str | Path | TrainingScenario]


class _Report(BaseModel):
    model_config = ConfigDict(frozen=True, protected_namespaces=())

    model: ModelStamp
    turns: int
    figures: dict[str, Figure]
    verdicts: tuple[TurnVerdict, ...]


class ToolCallReport(_Report):
    """How a model asks for dice, against the authors of the scenarios."""

    decision: CallConfusion
    tools: tuple[ToolScore, ...]
    arguments: tuple[ArgumentScore, ...] = ()
    confusion: ConfusionMatrix


class ConversationReport(_Report):
    """How a model tells outcomes and how its turns read; `stress` is what it says to turns that try to break it."""

    stress: tuple[StressVerdict, ...]


class ModelValidator:
    """Validates models of one workspace. Models are named as in `chat`: a file, a model, a run or a base model, or an
    adapter (its folder, `RUN/checkpoint-N`), which is then laid over its base.

    What a model wrote is kept in the workspace: a second question about the same turns generates nothing.

    Args:
        workspace: the project's own by default.
        settings: how turns are generated and judged.
        benchmark: what `benchmark_performance` measures.
    """

    __test__ = False  # not a test class of pytest

    def __init__(
        self,
        workspace: Workspace | None = None,
        settings: EvaluationSettings | None = None,
        benchmark: BenchmarkSettings | None = None,
    ) -> None:
        self._workspace = workspace or Workspace.find()
        self._settings = settings or EvaluationSettings()
        self._benchmark = benchmark or BenchmarkSettings()

    def validate_tool_calls(self, model: str | Path, scenarios: Scenarios) -> ToolCallReport:
        """Whether the model asks for the dice that the authors of `scenarios` asked for.

        Args:
            scenarios: parsed scenarios, scenario files or folders of them.

        Raises:
            StudioError: a model or scenario cannot be found or read, or the model cannot be run.
        """
        result = self._evaluate(model, scenarios, stress=False)
        return ToolCallReport(
            model=result.model,
            turns=result.summary.turns,
            figures={name: result.summary.figures[name] for name in TOOL_CALL_FIGURES},
            verdicts=result.verdicts,
            decision=result.summary.decision,
            tools=result.summary.tools,
            arguments=result.summary.arguments,
            confusion=result.summary.confusion,
        )

    def validate_conversation_quality(self, model: str | Path, test_set: Scenarios) -> ConversationReport:
        """Whether the model's turns hold together: outcomes as rolled, true to the sheets, in role, not repetitive.

        Args:
            test_set: parsed scenarios, scenario files or folders of them.

        Raises:
            StudioError: as `validate_tool_calls`.
        """
        result = self._evaluate(model, test_set, stress=self._settings.stress)
        return ConversationReport(
            model=result.model,
            turns=result.summary.turns,
            figures={name: one for name, one in result.summary.figures.items() if name not in TOOL_CALL_FIGURES},
            verdicts=result.verdicts,
            stress=result.stress,
        )

    def benchmark_performance(self, model: str | Path, baseline: str | Path | None = None) -> BenchmarkReport:
        """Speed and memory on this computer; with a baseline both are measured in alternation, and ratios given.

        Lengths, thread counts and devices to imitate are those of the `BenchmarkSettings` of this validator.

        Raises:
            StudioError: a model cannot be found or run.
        """
        models = self._located([baseline, model] if baseline is not None else [model])
        request = BenchmarkRequest.of(self._workspace, models, self._benchmark)
        folder = self._workspace.state_dir / "benchmarks"
        store = MeasurementStore(folder / f"{request.fingerprint}.jsonl")
        report = run_benchmark(request, time.time(), store)
        store.clear()
        if report is None:
            raise EvaluationError("The benchmark was stopped.", next_step="Start it again.")
        return report

    def test_cactus_compatibility(self, gguf_path: str | Path) -> CactusReport:
        """Whether the file suits Cactus, as far as its header tells; see `studio.validation.cactus`.

        Raises:
            StudioError: there is no such file.
        """
        return check_cactus(find_model(self._workspace, str(gguf_path)))

    def _evaluate(self, model: str | Path, scenarios: Scenarios, *, stress: bool) -> ModelResult:
        (file,) = self._files([model])
        vocabulary = load_vocabulary(self._workspace.config_file("tools.yaml"))
        settings = self._settings.model_copy(update={"stress": stress})
        parsed = [one for one in scenarios if isinstance(one, TrainingScenario)]
        named = [one for one in scenarios if not isinstance(one, TrainingScenario)]
        if named:
            parsed += read_scenarios(scenario_files(self._workspace, named), vocabulary)
        if not parsed:
            raise EvaluationError("There is no scenario to validate with.", next_step="Name at least one.")
        tests = prepare_tests(parsed, settings, vocabulary)
        return evaluate_model(file, tests, settings, RowStore.of(self._workspace, file.sha256))

    def _files(self, models: Sequence[str | Path]) -> tuple[ModelFile, ...]:
        return model_files(self._workspace, self._located(models))

    def _located(self, models: Sequence[str | Path]) -> list[Path]:
        return [locate_playable(self._workspace, one).resolve() for one in models]
