"""From an adapter to a GGUF file: merge, quantize, fit a size, inspect and validate.

The names below are looked up when they are first used: a worker process of this part (`python -m studio.conversion.X`)
starts in a third of the time when it loads its own module alone.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from studio.conversion.converter import GGUFConverter
    from studio.conversion.fitting import largest_fitting
    from studio.conversion.held_out import held_out_rows
    from studio.conversion.imatrix_making import ImatrixReport, make_imatrix
    from studio.conversion.imatrix_service import ensure_imatrix, known_imatrix, start_imatrix
    from studio.conversion.lora_gguf import LoraReport, lora_to_gguf
    from studio.conversion.merge import MergeReport
    from studio.conversion.optimization import Limits, fit_file, optimize_file, reference_of
    from studio.conversion.places import merged_path, quantized_path
    from studio.conversion.playable import (
        PlayableModel,
        adapter_folders,
        adapter_name,
        locate_playable,
        make_overlay,
        resolve_playable,
    )
    from studio.conversion.quality import QualityMeter
    from studio.conversion.quality_records import FileQuality, HeldOutRow
    from studio.conversion.quality_service import start_optimization, start_quality
    from studio.conversion.quantization_types import TYPES, quantization_type
    from studio.conversion.quantize import QuantizeReport, quantize_file
    from studio.conversion.search import OptimizeReport, quality_words
    from studio.conversion.service import ModelFile, find_model, list_models, start_conversion, write_lora
    from studio.conversion.sizes import SizeEstimate, estimate_size, estimate_sizes
    from studio.conversion.validation import GGUFReport, inspect_gguf

_MODULES = (
    "converter", "fitting", "held_out", "imatrix_making", "imatrix_service", "lora_gguf", "merge", "optimization",
    "places", "playable", "quality", "quality_records", "quality_service", "quantization_types", "quantize",
    "search", "service", "sizes", "validation",
)  # fmt: skip

__all__ = [
    "TYPES",
    "FileQuality",
    "GGUFConverter",
    "GGUFReport",
    "HeldOutRow",
    "ImatrixReport",
    "Limits",
    "LoraReport",
    "MergeReport",
    "ModelFile",
    "OptimizeReport",
    "PlayableModel",
    "QualityMeter",
    "QuantizeReport",
    "SizeEstimate",
    "adapter_folders",
    "adapter_name",
    "ensure_imatrix",
    "estimate_size",
    "estimate_sizes",
    "find_model",
    "fit_file",
    "held_out_rows",
    "inspect_gguf",
    "known_imatrix",
    "largest_fitting",
    "list_models",
    "locate_playable",
    "lora_to_gguf",
    "make_imatrix",
    "make_overlay",
    "merged_path",
    "optimize_file",
    "quality_words",
    "quantization_type",
    "quantize_file",
    "quantized_path",
    "reference_of",
    "resolve_playable",
    "start_conversion",
    "start_imatrix",
    "start_optimization",
    "start_quality",
    "write_lora",
]


def __getattr__(name: str) -> Any:
    """PEP 562: the object of that name in the first of `_MODULES` that has it."""
    if name in __all__:
        for module in _MODULES:
            found = vars(importlib.import_module(f"{__name__}.{module}"))
            if name in found:
                globals()[name] = found[name]
                return found[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
