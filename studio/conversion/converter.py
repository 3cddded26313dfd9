"""`GGUFConverter`: the conversion part in four calls, for use from Python without jobs."""

from __future__ import annotations

from pathlib import Path

from studio.conversion.imatrix.service import ensure_imatrix
from studio.conversion.inspection.validation import GGUFReport, inspect_gguf
from studio.conversion.merging.merge import MergeReport, merge_to_gguf
from studio.conversion.places import merged_path, quantized_path
from studio.conversion.quantization.overrides import Overrides
from studio.conversion.quantization.quantize import QuantizeReport, quantize_file
from studio.conversion.quantization.types import quantization_type
from studio.conversion.search.matrix import helpful_imatrix
from studio.conversion.search.optimization import Limits, fit_file, optimize_file
from studio.conversion.search.search import OptimizeReport, Tell
from studio.conversion.service import profile_named
from studio.conversion.sources import find_source
from studio.workspace import Workspace


class GGUFConverter:
    """Makes and checks GGUF files; every call returns when it is done. Pages start a job instead (`start_conversion`).

    Args:
        workspace: where base models are looked up and files are put; the project's own by default.
    """

    def __init__(self, workspace: Workspace | None = None) -> None:
        self._workspace = workspace or Workspace.find()

    def convert_to_gguf(self, model_path: Path | str, output_path: Path | str) -> MergeReport:
        """Write an unquantized (float16) GGUF file.

        Args:
            model_path: folder of a training run, of an adapter (its base is found through its provenance), or of an
                imported base model.

        Raises:
            ConversionError: it cannot be converted exactly, or there is no space; `output_path` stays as it was.
            BaseModelError: the adapter's base is not imported.
        """
        source = find_source(self._workspace, Path(model_path))
        return merge_to_gguf(source.base, source.adapter, Path(output_path))

    def quantize_model(
        self,
        model_path: Path | str,
        quantization_type: str,
        *,
        imatrix: Path | str | None = None,
        overrides: Overrides | None = None,
    ) -> QuantizeReport:
        """Quantize a model and put the file beside it.

        Args:
            model_path: an unquantized GGUF file, or what `convert_to_gguf` takes.
            quantization_type: a name such as 'Q8_0' or 'Q4_K_M', in any case.
            imatrix: importance matrix of this model; 'auto' takes the one of the run's texts, or else of the
                workspace's scenarios, and makes it if it is missing.
            overrides: other types for single tensors, such as {'attn_v': 'Q6_K', 'token_embd': 'Q8_0'}; the name of the
                file then ends in '-mixed'.

        Raises:
            ConversionError: there is no such type, it needs an importance matrix and none is given, or the source is
                quantized already.
        """
        chosen = _type_name(quantization_type)
        source = self._unquantized(Path(model_path))
        target = quantized_path(self._workspace, source, chosen, mixed=bool(overrides))
        matrix = ensure_imatrix(self._workspace, source).path if imatrix == "auto" else imatrix
        return quantize_file(source, target, chosen, imatrix=Path(matrix) if matrix else None, overrides=overrides)

    def optimize_for_mobile(
        self,
        model_path: Path | str,
        size_limit_gb: float | None = None,
        *,
        memory_limit_gb: float | None = None,
        profile: str = "",
        fast: bool = False,
        tell: Tell = lambda _: None,
    ) -> OptimizeReport:
        """Make the file of the best measured quality within a limit, beside the unquantized one.

        A few candidates (types, and types with single parts finer or coarser) are made and measured on held-out
        scenarios; the best is kept (`studio.conversion.search.search`). An importance matrix beside the file is used.

        Args:
            model_path: as for `quantize_model`.
            size_limit_gb: GB of 10^9 bytes, for the whole file.
            memory_limit_gb: GB of 10^9 bytes, for weights, KV cache and working buffer at the profile's window.
            profile: device whose limits hold besides, and whose window and quality floor are meant.
            fast: take the largest type that fits instead; nothing is measured.
            tell: takes a sentence about every step.

        Raises:
            ConversionError: no limit is given, nothing fits (the message says by how many bytes), or what fits loses
                more than the floor allows.
            ConfigError: there is no such profile.
        """
        device = profile_named(self._workspace, profile) if profile else None
        limits = Limits.given(size_limit_gb, memory_limit_gb, device)
        source = self._unquantized(Path(model_path))
        if fast:
            return fit_file(self._workspace, source, limits)
        matrix = helpful_imatrix(self._workspace, source, limits, tell=tell)
        return optimize_file(self._workspace, source, limits, imatrix=matrix, tell=tell)

    def validate_gguf(self, gguf_path: Path | str) -> GGUFReport:
        """Check a file's structure, metadata and chat template, and let llama.cpp run it.

        A bad file gives a report that says so; nothing is raised.
        """
        return inspect_gguf(Path(gguf_path))

    def _unquantized(self, model: Path) -> Path:
        if not model.is_dir():
            return model
        source = find_source(self._workspace, model)
        return merge_to_gguf(source.base, source.adapter, merged_path(self._workspace, source.name)).path


def _type_name(name: str) -> str:
    return quantization_type(name).name
