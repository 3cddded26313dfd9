"""The report card: every figure of every model on the same turns, compared with the first, and the turns themselves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from studio.errors import EvaluationError
from studio.metrics import Comparison, Summary, TurnCase, TurnVerdict, compare, judge_turn, summarize
from studio.play import HostInfo
from studio.scenarios import Vocabulary
from studio.validation.request import EvaluationSettings, ModelFile
from studio.validation.rows import GeneratedTurn
from studio.validation.stress import Kind, StressVerdict, judge_stress

REPORT_FILE = "report.json"
FORMAT = 1
_CONTEXT_SHOWN = 3


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, protected_namespaces=())


class ShownMessage(_Part):
    """One message before a turn."""

    role: str
    content: str


class TurnShown(_Part):
    """A turn of the test set as the report shows it: what stood just before it, and what its author wrote."""

    key: str
    scenario: str
    scenario_type: str
    line: int
    before: tuple[ShownMessage, ...]
    authored: str
    expected: tuple[str, ...]

    @classmethod
    def of(cls, case: TurnCase) -> TurnShown:
        """The last messages before the turn, the system text left out."""
        before = [one for one in case.context if one.role != "system"][-_CONTEXT_SHOWN:]
        return cls(
            key=case.key,
            scenario=case.scenario,
            scenario_type=case.scenario_type,
            line=case.line,
            before=tuple(ShownMessage(role=one.role, content=one.content) for one in before),
            authored=case.authored,
            expected=tuple(one.canonical for one in case.expected),
        )


class ModelStamp(_Part):
    """Which file was measured, by content."""

    label: str
    file: str
    sha256: str
    size_bytes: int
    name: str = ""
    architecture: str = ""
    threads: int = 0
    context_tokens: int = 0
    parents: dict[str, str] = Field(default_factory=dict)

    @classmethod
    def of(cls, model: ModelFile, info: HostInfo) -> ModelStamp:
        """The stamp of a loaded file."""
        return cls(
            label=model.label,
            file=model.path.name,
            sha256=info.sha256,
            size_bytes=info.size_bytes,
            name=info.name,
            architecture=info.architecture,
            threads=info.threads,
            context_tokens=info.context_tokens,
            parents=info.parents,
        )


class Work(_Part):
    """What the evaluation cost; not a benchmark (see `benchmark`). Seconds are the model host's own."""

    prompt_tokens: int
    reused_tokens: int
    generated_tokens: int
    prefill_seconds: float
    decode_seconds: float
    peak_memory_bytes: int

    @classmethod
    def of(cls, rows: Sequence[GeneratedTurn]) -> Work:
        """The sum of all rows."""
        return cls(
            prompt_tokens=sum(row.n_prompt for row in rows),
            reused_tokens=sum(row.n_reused for row in rows),
            generated_tokens=sum(row.n_generated for row in rows),
            prefill_seconds=sum(row.prefill_seconds for row in rows),
            decode_seconds=sum(row.decode_seconds for row in rows),
            peak_memory_bytes=max((row.peak_memory_bytes for row in rows), default=0),
        )


class ModelResult(_Part):
    """Everything about one model."""

    model: ModelStamp
    summary: Summary
    verdicts: tuple[TurnVerdict, ...]
    stress: tuple[StressVerdict, ...] = ()
    work: Work
    comparisons: tuple[Comparison, ...] = Field((), description="Against the baseline; empty for the baseline itself.")

    @property
    def regressions(self) -> tuple[Comparison, ...]:
        """What is worse than the baseline, beyond what chance would do."""
        return tuple(one for one in self.comparisons if one.verdict == "worse")


class ReportCard(_Part):
    """A whole report. Two evaluations with the same settings differ in `created` and `work` alone."""

    format: int = FORMAT
    created: float = Field(0.0, description="Unix time in seconds.")
    settings: EvaluationSettings
    turns: tuple[TurnShown, ...]
    models: tuple[ModelResult, ...]

    @property
    def baseline(self) -> ModelResult | None:
        """The model that the others are compared with: the first."""
        return next(iter(self.models), None)

    @property
    def regressed(self) -> tuple[ModelResult, ...]:
        """The models that are worse than the baseline in something: a gate fails for these."""
        return tuple(one for one in self.models if one.regressions)

    def model(self, label: str) -> ModelResult | None:
        """The result of a model by its label."""
        return next((one for one in self.models if one.model.label == label), None)


def judge_rows(cases: Sequence[TurnCase], rows: Sequence[GeneratedTurn], vocabulary: Vocabulary) -> list[TurnVerdict]:
    """The verdicts of generated turns. `rows` answer `cases` one by one."""
    return [
        judge_turn(case, row.text, vocabulary, finished=row.finished) for case, row in zip(cases, rows, strict=True)
    ]


def model_result(
    stamp: ModelStamp,
    cases: Sequence[TurnCase],
    rows: Sequence[GeneratedTurn],
    stress: Sequence[tuple[Kind, TurnCase]],
    stress_rows: Sequence[GeneratedTurn],
    vocabulary: Vocabulary,
    seed: int,
) -> ModelResult:
    """Judge what one model generated, stress turns included."""
    verdicts = judge_rows(cases, rows, vocabulary)
    hard = judge_rows([case for _, case in stress], stress_rows, vocabulary)
    return ModelResult(
        model=stamp,
        summary=summarize(verdicts, seed),
        verdicts=tuple(verdicts),
        stress=tuple(
            judge_stress(kind, case, verdict, row.reason)
            for (kind, case), verdict, row in zip(stress, hard, stress_rows, strict=True)
        ),
        work=Work.of([*rows, *stress_rows]),
    )


def report_card(
    cases: Sequence[TurnCase], results: Sequence[ModelResult], settings: EvaluationSettings, created: float
) -> ReportCard:
    """The report, every model compared with the first."""
    return ReportCard(
        created=created,
        settings=settings,
        turns=tuple(TurnShown.of(case) for case in cases),
        models=tuple(
            one.model_copy(update={"comparisons": tuple(compare(results[0].verdicts, one.verdicts, settings.seed))})
            if number
            else one
            for number, one in enumerate(results)
        ),
    )


def load_report(path: Path) -> ReportCard:
    """The report of an evaluation, by its job folder or by its JSON file.

    Raises:
        EvaluationError: there is none, or it cannot be read.
    """
    file = path / REPORT_FILE if path.is_dir() else path
    try:
        return ReportCard.model_validate_json(file.read_bytes())
    except FileNotFoundError as error:
        raise EvaluationError(
            "There is no report yet.", next_step="Wait for the evaluation to end, or start it again.", where=file.name
        ) from error
    except (OSError, ValidationError) as error:
        raise EvaluationError(
            "The report cannot be read.",
            why=str(error).splitlines()[0],
            next_step="Start the evaluation again: what was generated is kept.",
            where=file.name,
        ) from error
