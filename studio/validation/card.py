"""The report card: every figure of every model on the same turns, compared with the first, and the turns themselves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from studio.conversion.formats.gguf_header import read_header
from studio.conversion.quantization.types import file_type_name
from studio.errors import EvaluationError
from studio.metrics import Comparison, Summary, TurnCase, TurnVerdict, compare, judge_turn, summarize
from studio.play import HostInfo
from studio.scenarios import Vocabulary
from studio.validation.request import EvaluationSettings, ModelFile
from studio.validation.rows import GeneratedTurn
from studio.validation.stress import Kind, StressVerdict, judge_stress

REPORT_FILE = "report.json"
FORMAT = 2
"""Counts how often the meaning of figures changed; figures of different formats are not set against each other."""
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
    adapter: str = Field("", description="The adapter laid over the file; `sha256` then stands for both.")
    architecture: str = ""
    threads: int = 0
    context_tokens: int = 0
    parents: dict[str, str] = Field(default_factory=dict)
    quantization: str = Field("", description="Type of the file by its header, such as Q8_0; empty when unknown.")
    made: float = Field(0.0, description="When the file or the adapter over it was written, Unix seconds; 0: unknown.")

    @classmethod
    def of(cls, model: ModelFile, info: HostInfo) -> ModelStamp:
        """The stamp of a loaded file."""
        return cls(
            label=model.label,
            file=model.path.name,
            sha256=info.played_sha256,
            size_bytes=info.size_bytes + (info.adapter.size_bytes if info.adapter else 0),
            adapter=info.adapter.name if info.adapter else "",
            name=info.name,
            architecture=info.architecture,
            threads=info.threads,
            context_tokens=info.context_tokens,
            parents=info.parents,
            quantization=file_type_name(read_header(model.path)),
            made=(model.adapter or model.path).stat().st_mtime,
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
    by_type: dict[str, tuple[Comparison, ...]] = Field(
        default_factory=dict, description="Against the baseline, on the turns of each scenario type alone."
    )

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
        judge_turn(case, row.text, vocabulary, finished=row.finished, likelihood=row.likelihood)
        for case, row in zip(cases, rows, strict=True)
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
        models=(*results[:1], *(compared(results[0], one) for one in results[1:])),
    )


def compared(baseline: ModelResult, one: ModelResult) -> ModelResult:
    """A model with its comparisons: on all turns, and on those of each scenario type."""
    kinds = sorted({verdict.scenario_type for verdict in baseline.verdicts})
    by_type = {kind: tuple(compare(_of(baseline, kind), _of(one, kind))) for kind in kinds}
    overall = tuple(compare(baseline.verdicts, one.verdicts))
    return one.model_copy(update={"comparisons": overall, "by_type": by_type})


def _of(model: ModelResult, kind: str) -> list[TurnVerdict]:
    return [one for one in model.verdicts if one.scenario_type == kind]


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
