"""From an adapter to a GGUF file: merge, quantize, fit a size, inspect and validate.

The names below are looked up when they are first used (`studio.exports`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from studio.exports import lazily

if TYPE_CHECKING:
    from studio.conversion.converter import GGUFConverter
    from studio.conversion.imatrix.making import ImatrixReport, make_imatrix
    from studio.conversion.imatrix.service import ensure_imatrix, known_imatrix, start_imatrix
    from studio.conversion.inspection.validation import GGUFReport, inspect_gguf
    from studio.conversion.merging.lora_gguf import LoraReport, lora_to_gguf
    from studio.conversion.merging.merge import MergeReport
    from studio.conversion.places import merged_path, quantized_path
    from studio.conversion.playable import (
        PlayableModel,
        adapter_folders,
        adapter_name,
        locate_playable,
        make_overlay,
        resolve_playable,
    )
    from studio.conversion.quality.held_out import held_out_rows
    from studio.conversion.quality.meter import QualityMeter
    from studio.conversion.quality.records import FileQuality, HeldOutRow
    from studio.conversion.quality.service import start_optimization, start_quality
    from studio.conversion.quantization.quantize import QuantizeReport, quantize_file
    from studio.conversion.quantization.sizes import SizeEstimate, estimate_size, estimate_sizes
    from studio.conversion.quantization.types import TYPES, quantization_type
    from studio.conversion.search.fitting import largest_fitting
    from studio.conversion.search.optimization import Limits, fit_file, optimize_file, reference_of
    from studio.conversion.search.search import OptimizeReport, quality_words
    from studio.conversion.service import ModelFile, find_model, list_models, start_conversion, write_lora

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

if not TYPE_CHECKING:  # a module with __getattr__ has any name for a type checker
    __getattr__ = lazily(
        globals(),
        (
            "converter",
            "imatrix.making",
            "imatrix.service",
            "inspection.validation",
            "merging.lora_gguf",
            "merging.merge",
            "places",
            "playable",
            "quality.held_out",
            "quality.meter",
            "quality.records",
            "quality.service",
            "quantization.quantize",
            "quantization.sizes",
            "quantization.types",
            "search.fitting",
            "search.optimization",
            "search.search",
            "service",
        ),
    )
