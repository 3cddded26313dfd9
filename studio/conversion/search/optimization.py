"""The best file within some limits, and which file others are compared with. The search is `search.search`.

`studio.conversion.quality.service` does the same as jobs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from studio.config import OptimizationProfile, QualityFloor
from studio.conversion.formats.gguf_header import GGUFHeader, read_header
from studio.conversion.formats.gguf_stream import ProgressCallback, StopCallback
from studio.conversion.metadata import ADAPTER, BASE_SHA256
from studio.conversion.places import quantized_path
from studio.conversion.quality.held_out import held_out_rows
from studio.conversion.quality.meter import QualityMeter
from studio.conversion.quantization.quantize import quantize_file
from studio.conversion.search.fitting import GIGABYTE, bytes_of, largest_within, size_within_memory
from studio.conversion.search.search import OptimizeReport, Search, Tell, fitting
from studio.errors import ConversionError
from studio.machine import GIB
from studio.workspace import Workspace


@dataclass(frozen=True)
class Limits:
    """What a file must keep to. None for no limit; bytes.

    Attributes:
        memory: that weights, KV cache and working buffer may take together.
        context_length: tokens of the window that the memory is counted for.
    """

    size: int | None = None
    memory: int | None = None
    context_length: int = 2048
    floor: QualityFloor = field(default_factory=QualityFloor)

    @classmethod
    def of(cls, profile: OptimizationProfile) -> Limits:
        """Those of a device."""
        settings = profile.quantization_settings
        return cls(
            size=bytes_of(settings.size_limit_gb) if settings.size_limit_gb else None,
            memory=bytes_of(profile.memory_limit_gb, GIB),
            context_length=settings.context_length,
            floor=profile.quality_floor,
        )

    @classmethod
    def given(
        cls, size_gb: float | None = None, memory_gb: float | None = None, profile: OptimizationProfile | None = None
    ) -> Limits:
        """Limits in GB (10^9 bytes); those of a profile hold besides, and its window and floor are meant.

        Raises:
            ConversionError: there is no limit at all, or one is not above zero.
        """
        usual = cls.of(profile) if profile else cls()
        sizes = [usual.size, None if size_gb is None else bytes_of(size_gb, GIGABYTE)]
        memories = [usual.memory, None if memory_gb is None else bytes_of(memory_gb, GIGABYTE)]
        size, memory = (min((one for one in each if one is not None), default=None) for each in (sizes, memories))
        if size is None and memory is None:
            raise ConversionError("There is no limit to keep to.", next_step="Give a size, a memory, or a profile.")
        return cls(size, memory, usual.context_length, usual.floor)

    def file_size(self, header: GGUFHeader) -> int:
        """How many bytes a file of this model may have; without a limit as many as the file of `header`.

        Raises:
            ConversionError: the window alone takes more memory than there is.
        """
        sizes = [] if self.size is None else [self.size]
        if self.memory is not None:
            sizes.append(size_within_memory(header, self.memory, self.context_length))
        return min(sizes, default=header.file_size)


def optimize_file(
    workspace: Workspace,
    source: Path,
    limits: Limits,
    *,
    target: Path | None = None,
    imatrix: Path | None = None,
    tell: Tell = lambda _: None,
    progress: ProgressCallback | None = None,
    stop: StopCallback | None = None,
) -> OptimizeReport:
    """Make the file of the best measured quality within some limits, beside the unquantized file.

    Args:
        source: the unquantized file.
        target: file to write; named by its type and beside the source by default.
        imatrix: importance matrix to quantize with (`known_imatrix`); types that need one are tried only then.

    Raises:
        ConversionError: nothing fits, what fits is below the floor, or a file cannot be made or measured.
        ConversionStopped: `stop` said yes; the files that were tried are gone.
    """
    header = read_header(source)
    limit = limits.file_size(header)
    fitting(header, limit, imatrix=imatrix is not None)  # said before anything is read or made
    return Search(
        meter=QualityMeter(workspace, source, held_out_rows(workspace, header)),
        size_limit=limit,
        floor=limits.floor,
        target=(lambda _: target) if target else partial(quantized_path, workspace, source),
        imatrix=imatrix,
        tell=tell,
        progress=progress,
        stop=stop,
    ).run()


def fit_file(
    workspace: Workspace,
    source: Path,
    limits: Limits,
    *,
    target: Path | None = None,
    progress: ProgressCallback | None = None,
    stop: StopCallback | None = None,
) -> OptimizeReport:
    """Make the largest type within the limits, at once and without measuring anything.

    Raises:
        ConversionError: nothing fits, or the file cannot be made.
        ConversionStopped: `stop` said yes.
    """
    header = read_header(source)
    limit = limits.file_size(header)
    chosen = largest_within(header, limit).type
    place = target or quantized_path(workspace, source, chosen)
    made = quantize_file(source, place, chosen, progress=progress, stop=stop)
    return OptimizeReport(**made.model_dump(), size_limit=limit)


def reference_of(workspace: Workspace, gguf: Path) -> Path:
    """The unquantized file that a file is to be compared with: of the same adapter and base, in the same folder.

    Raises:
        ConversionError: there is none.
    """
    header = read_header(gguf)
    for path in sorted(gguf.resolve().parent.glob("*.gguf")):
        if not path.name.startswith(".") and _is_reference(path, header):
            return path
    raise ConversionError(
        "There is no unquantized file to compare this one with.",
        why="It would lie in the same folder and end in .f16.gguf.",
        next_step="Make it with `convert RUN`, or name it with --reference.",
        where=workspace.relative(gguf.resolve()),
    )


def _is_reference(path: Path, header: GGUFHeader) -> bool:
    """Whether a file is the unquantized form of the model in `header`."""
    try:
        found = read_header(path)
    except ConversionError:
        return False
    floats = {tensor.type_name for tensor in found.tensors} <= {"F32", "F16", "BF16"}
    return floats and all(found.text(key) == header.text(key) for key in (ADAPTER, BASE_SHA256))
