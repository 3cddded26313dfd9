"""From an adapter to a GGUF file: merge, quantize, fit a size, inspect and validate."""

from studio.conversion.converter import GGUFConverter
from studio.conversion.fitting import largest_fitting
from studio.conversion.merge import MergeReport
from studio.conversion.places import merged_path, quantized_path
from studio.conversion.quantization_types import TYPES, quantization_type
from studio.conversion.quantize import QuantizeReport, quantize_file
from studio.conversion.service import ModelFile, find_model, list_models, start_conversion
from studio.conversion.sizes import SizeEstimate, estimate_size, estimate_sizes
from studio.conversion.validation import GGUFReport, inspect_gguf

__all__ = [
    "TYPES",
    "GGUFConverter",
    "GGUFReport",
    "MergeReport",
    "ModelFile",
    "QuantizeReport",
    "SizeEstimate",
    "estimate_size",
    "estimate_sizes",
    "find_model",
    "inspect_gguf",
    "largest_fitting",
    "list_models",
    "merged_path",
    "quantization_type",
    "quantize_file",
    "quantized_path",
    "start_conversion",
]
