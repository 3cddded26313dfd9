"""From an adapter to a GGUF file: merge, quantize, fit a size, inspect and validate."""

from studio.conversion.converter import GGUFConverter
from studio.conversion.fitting import largest_fitting
from studio.conversion.lora_gguf import LoraReport, lora_to_gguf
from studio.conversion.merge import MergeReport
from studio.conversion.places import merged_path, quantized_path
from studio.conversion.playable import (
    PlayableModel,
    adapter_folders,
    adapter_name,
    locate_playable,
    make_overlay,
    resolve_playable,
)
from studio.conversion.quantization_types import TYPES, quantization_type
from studio.conversion.quantize import QuantizeReport, quantize_file
from studio.conversion.service import ModelFile, find_model, list_models, start_conversion, write_lora
from studio.conversion.sizes import SizeEstimate, estimate_size, estimate_sizes
from studio.conversion.validation import GGUFReport, inspect_gguf

__all__ = [
    "TYPES",
    "GGUFConverter",
    "GGUFReport",
    "LoraReport",
    "MergeReport",
    "ModelFile",
    "PlayableModel",
    "QuantizeReport",
    "SizeEstimate",
    "adapter_folders",
    "adapter_name",
    "estimate_size",
    "estimate_sizes",
    "find_model",
    "inspect_gguf",
    "largest_fitting",
    "list_models",
    "locate_playable",
    "lora_to_gguf",
    "make_overlay",
    "merged_path",
    "quantization_type",
    "quantize_file",
    "quantized_path",
    "resolve_playable",
    "start_conversion",
    "write_lora",
]
