"""Every quantization type of a run in one table: its exact size, and what was measured of the file once it is made.

Quality comes from `conversion.quality`, the share of right requests for dice from report cards, the speed from
benchmarks: each is shown only if it was measured of this very file (its SHA-256).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from studio.bases import find_base
from studio.conversion.formats.gguf_header import GGUFHeader, read_header
from studio.conversion.places import NO_MODELS, gguf_folder, merged_path
from studio.conversion.quality.records import FileQuality, file_digest, known_qualities
from studio.conversion.quantization.sizes import SizeEstimate, estimate_sizes
from studio.conversion.quantization.types import file_type_name
from studio.conversion.sources import find_source, run_adapter
from studio.errors import ConversionError, EvaluationError, JobError
from studio.jobs import Job
from studio.validation import load_benchmark
from studio.validation.benchmark import BENCHMARK_FILE, BenchmarkReport
from studio.validation.reports import read_reports
from studio.workspace import Workspace

_TOLERANCE = 0.001
"""How much the header of a file may differ from the computed one and still be that of its type."""


@dataclass(frozen=True)
class TypeRow:
    """A type, and what is known of the file that was made in it. None stands for not measured.

    Attributes:
        type: llama.cpp's name; files with tensors of other types than usual are rows of their own, `Q5_0, mixed`.
        size: bytes, exact for a file that is there.
        path: the file; None while it is not made.
        needs_imatrix: it can only be made with an importance matrix.
        sha256: of the file, where something was measured of it; else empty.
        perplexity: on held-out rows.
        kl: mean KL divergence from the unquantized file, in nats.
        kl_p99: its 99th percentile.
        same_top: share of positions with the same likeliest token.
        tool_accuracy: share of turns with exactly the author's decision about dice, by the newest report card.
        tokens_per_second: writing, most threads and shortest prompt of the newest benchmark.
    """

    type: str
    size: int
    bits_per_weight: float
    path: Path | None = None
    needs_imatrix: bool = False
    sha256: str = ""
    perplexity: float | None = None
    kl: float | None = None
    kl_p99: float | None = None
    same_top: float | None = None
    tool_accuracy: float | None = None
    tokens_per_second: float | None = None

    @property
    def is_measured(self) -> bool:
        """Whether its quality is known."""
        return self.kl is not None


def type_rows(workspace: Workspace, run: str) -> list[TypeRow]:
    """A row per type that llama.cpp offers, largest first, and one per mixed file of the run.

    Before the run is merged, sizes are those of its base model's file, which has the same tensors.

    Raises:
        ConversionError: there is no such run, or no file to compute sizes from.
    """
    header = shapes_of(workspace, run)
    known = _Known.of(workspace)
    files = made_files(workspace, run)
    with_matrix = {one.type: one.size for one in estimate_sizes(header, imatrix=True)}
    rows = []
    for one in estimate_sizes(header):
        computed = (one.size, with_matrix[one.type])
        path = next((path for path, name, size in files if name == one.type and _is_any(size, computed)), None)
        rows.append(_row(one, path, known))
    plain = {row.path for row in rows}
    mixed = [(path, name, size) for path, name, size in files if path not in plain]
    weights = sum(tensor.elements for tensor in header.tensors)
    rows += [
        known.filled(TypeRow(f"{name or 'unknown'}, mixed", size, 8 * size / max(weights, 1), path))
        for path, name, size in mixed
    ]
    return sorted(rows, key=lambda row: -row.size)


def shapes_of(workspace: Workspace, run: str) -> GGUFHeader:
    """The header that sizes are computed from: the merged file's, else that of the run's base model.

    Raises:
        ConversionError: there is no such run, or its base came without a GGUF file and nothing was merged yet.
        BaseModelError: the base is not imported.
    """
    merged = merged_path(workspace, run)
    if merged.is_file():
        return read_header(merged)
    source = find_source(workspace, run_adapter(workspace, run).parent)
    base = find_base(workspace, source.base.name)
    if base is None or base.gguf is None:
        raise ConversionError(
            "The sizes cannot be computed yet.",
            why="The base model of this run came without a GGUF file.",
            next_step="Make the unquantized file first.",
        )
    return read_header(base.gguf)


def made_files(workspace: Workspace, run: str) -> list[tuple[Path, str, int]]:
    """The run's files as path, type by its header, and bytes; unreadable ones are left out."""
    found = []
    for path in sorted(gguf_folder(workspace, run).glob("*.gguf")):
        if path.name.startswith(".") or path.name.endswith(NO_MODELS):
            continue
        try:
            found.append((path, file_type_name(read_header(path)), path.stat().st_size))
        except (ConversionError, OSError):
            continue
    return found


@dataclass(frozen=True)
class _Known:
    """Everything that was measured, by the SHA-256 of the file, and the sizes of the files it was measured of."""

    qualities: dict[str, FileQuality]
    accuracies: dict[str, float]
    speeds: dict[str, float]
    sizes: frozenset[int]

    @classmethod
    def of(cls, workspace: Workspace) -> _Known:
        records = known_qualities(workspace)
        # Figures compare only on the same rows: for every unquantized file those that it was measured on last.
        newest: dict[str, str] = {}
        for one in records:
            newest.setdefault(one.reference_sha256, one.rows_sha256)
        current = [one for one in records if newest[one.reference_sha256] == one.rows_sha256]
        accuracies, sizes = _accuracies(workspace)
        speeds, speed_sizes = _speeds(workspace)
        return cls(
            qualities={one.sha256: one for one in reversed(current)},
            accuracies=accuracies,
            speeds=speeds,
            sizes=frozenset({one.size for one in current} | sizes | speed_sizes),
        )

    def filled(self, row: TypeRow) -> TypeRow:
        """The row with what was measured of its file. Only files of a size that was measured are hashed."""
        if row.path is None or row.size not in self.sizes:
            return row
        try:
            digest = file_digest(row.path)
        except OSError:  # deleted meanwhile
            return row
        quality = self.qualities.get(digest)
        return TypeRow(
            row.type, row.size, row.bits_per_weight, row.path, row.needs_imatrix, digest,
            perplexity=quality.perplexity if quality else None,
            kl=quality.kl if quality else None,
            kl_p99=quality.kl_p99 if quality else None,
            same_top=quality.same_top if quality else None,
            tool_accuracy=self.accuracies.get(digest),
            tokens_per_second=self.speeds.get(digest),
        )  # fmt: skip


def _row(one: SizeEstimate, path: Path | None, known: _Known) -> TypeRow:
    size = path.stat().st_size if path and path.is_file() else one.size
    return known.filled(TypeRow(one.type, size, one.bits_per_weight, path, one.needs_imatrix))


def _is_any(size: int, computed: Sequence[int]) -> bool:
    return any(abs(size - one) <= _TOLERANCE * one for one in computed)


def _accuracies(workspace: Workspace) -> tuple[dict[str, float], set[int]]:
    """The newest share of turns with the right decision about dice, by file, and the files' sizes."""
    found: dict[str, float] = {}
    sizes: set[int] = set()
    for _, report in sorted(read_reports(workspace), key=lambda one: one[1].created):
        for model in report.models:
            figure = model.figures.get("call_accuracy")
            if figure and figure.value is not None:
                found[model.sha256] = figure.value
                sizes.add(model.size_bytes)
    return found, sizes


def _speeds(workspace: Workspace) -> tuple[dict[str, float], set[int]]:
    """The newest writing speed in tokens per second, by file, and the files' sizes."""
    found: dict[str, float] = {}
    sizes: set[int] = set()
    reports = [one for path in workspace.jobs_dir.glob(f"*/{BENCHMARK_FILE}") if (one := _benchmark(path.parent))]
    for report, hashes in sorted(reports, key=lambda one: one[0].created):
        for label, digest in hashes.items():
            rows = [one for one in report.rows if one.model == label and one.decode_per_second]
            if rows:
                fastest = max(rows, key=lambda one: (one.threads, -one.prompt_tokens))
                found[digest] = fastest.decode_per_second or 0.0
                sizes.add(report.file_bytes.get(label, 0))
    return found, sizes


def _benchmark(folder: Path) -> tuple[BenchmarkReport, dict[str, str]] | None:
    """A benchmark and the SHA-256 of its files by label, as its job was asked."""
    try:
        models = Job(folder).state().arguments.get("models")
        report = load_benchmark(folder)
    except (JobError, EvaluationError):
        return None
    listed = models if isinstance(models, list) else []
    hashes = {str(one["label"]): str(one["sha256"]) for one in listed if isinstance(one, dict) and "sha256" in one}
    return report, hashes
