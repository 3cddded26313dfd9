"""`GGUFConverter`: the conversion part in four calls, for use from Python without jobs."""

from __future__ import annotations

from pathlib import Path

from studio.conversion.fitting import largest_fitting
from studio.conversion.merge import MergeReport, merge_to_gguf
from studio.conversion.places import merged_path, quantized_path
from studio.conversion.quantization_types import quantization_type
from studio.conversion.quantize import QuantizeReport, quantize_file
from studio.conversion.sources import find_source
from studio.conversion.validation import GGUFReport, inspect_gguf
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

    def quantize_model(self, model_path: Path | str, quantization_type: str) -> QuantizeReport:
        """Quantize a model and put the file beside it.

        Args:
            model_path: an unquantized GGUF file, or what `convert_to_gguf` takes.
            quantization_type: a name such as 'Q8_0' or 'Q4_K_M', in any case.

        Raises:
            ConversionError: there is no such type, it needs an importance matrix, or the source is quantized already.
        """
        chosen = _type_name(quantization_type)
        source = self._unquantized(Path(model_path))
        return quantize_file(source, quantized_path(self._workspace, source, chosen), chosen)

    def optimize_for_mobile(self, model_path: Path | str, size_limit_gb: float) -> QuantizeReport:
        """Quantize to the largest type whose exact size is within the limit.

        Args:
            model_path: as for `quantize_model`.
            size_limit_gb: GB of 10^9 bytes, for the whole file.

        Raises:
            ConversionError: nothing fits; the message names the smallest possible size.
        """
        source = self._unquantized(Path(model_path))
        chosen = largest_fitting(source, size_limit_gb).type
        return quantize_file(source, quantized_path(self._workspace, source, chosen), chosen)

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
