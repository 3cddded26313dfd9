"""Every quantization type that llama.cpp makes by name, and what each tensor of a model gets from it.

A type's name says little about the file: tensors whose rows do not divide into blocks of 256 get another type,
embeddings and some layers get more bits (see `quantization.mixture`), and single tensors what was asked for them.
Q1_0 and Q2_0, for models that were trained in one or two bits, and MXFP4_MOE, for mixtures of experts, are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from gguf.constants import GGMLQuantizationType as Kind

from studio.conversion.families import GGUF_EMBEDDING, GGUF_OUTPUT
from studio.conversion.formats.gguf_header import GGUFHeader, TensorInfo
from studio.conversion.quantization.mixture import FLOATS, Mixture, fallback
from studio.conversion.quantization.overrides import Overrides, override_kinds
from studio.errors import ConversionError


@dataclass(frozen=True)
class QuantizationType:
    """One type of file.

    Attributes:
        name: as llama.cpp's quantize tool spells it.
        file_type: its number (`llama_ftype`, and `general.file_type` in the file).
        kind: what most tensors become.
    """

    name: str
    file_type: int
    kind: Kind


def _types(*rows: tuple[str, int, Kind]) -> dict[str, QuantizationType]:
    return {name: QuantizationType(name, number, kind) for name, number, kind in rows}


# Falling bits per weight, which is also falling quality as far as a name can tell.
TYPES = _types(
    ("F32", 0, Kind.F32), ("F16", 1, Kind.F16), ("BF16", 32, Kind.BF16),
    ("Q8_0", 7, Kind.Q8_0), ("Q6_K", 18, Kind.Q6_K), ("Q5_1", 9, Kind.Q5_1),
    ("Q5_K_M", 17, Kind.Q5_K), ("Q5_K_S", 16, Kind.Q5_K), ("Q5_0", 8, Kind.Q5_0),
    ("Q4_1", 3, Kind.Q4_1), ("Q4_K_M", 15, Kind.Q4_K), ("Q4_K_S", 14, Kind.Q4_K),
    ("IQ4_NL", 25, Kind.IQ4_NL), ("Q4_0", 2, Kind.Q4_0), ("IQ4_XS", 30, Kind.IQ4_XS),
    ("Q3_K_L", 13, Kind.Q3_K), ("Q3_K_M", 12, Kind.Q3_K), ("IQ3_M", 27, Kind.IQ3_S),
    ("IQ3_S", 26, Kind.IQ3_S), ("Q3_K_S", 11, Kind.Q3_K), ("IQ3_XS", 22, Kind.IQ3_S),
    ("IQ3_XXS", 23, Kind.IQ3_XXS), ("Q2_K", 10, Kind.Q2_K), ("IQ2_M", 29, Kind.IQ2_S),
    ("Q2_K_S", 21, Kind.Q2_K), ("IQ2_S", 28, Kind.IQ2_XS), ("IQ2_XS", 20, Kind.IQ2_XS),
    ("TQ2_0", 37, Kind.TQ2_0), ("IQ2_XXS", 19, Kind.IQ2_XXS), ("IQ1_M", 31, Kind.IQ1_M),
    ("TQ1_0", 36, Kind.TQ1_0), ("IQ1_S", 24, Kind.IQ1_S),
)  # fmt: skip

_NEEDS_IMATRIX = (Kind.IQ3_XXS, Kind.IQ2_XXS, Kind.IQ2_XS, Kind.IQ2_S, Kind.IQ1_M, Kind.IQ1_S)
_BLOCK = re.compile(r"blk\.(\d+)\.")


def quantization_type(name: str) -> QuantizationType:
    """The type of that name, in any case. Raises `ConversionError` with the names there are."""
    found = TYPES.get(name.strip().upper())
    if found is None:
        raise ConversionError(
            f"There is no quantization type {name!r}.", next_step=f"Use one of {', '.join(TYPES)}.", where="type"
        )
    return found


def file_type_name(header: GGUFHeader) -> str:
    """The type that a file says it is of (`general.file_type`); empty when it says none that is known here."""
    number = header.integer("general.file_type")
    return next((one.name for one in TYPES.values() if one.file_type == number), "")


def tensor_kinds(
    header: GGUFHeader, chosen: QuantizationType, *, imatrix: bool = False, overrides: Overrides | None = None
) -> dict[str, Kind]:
    """What llama.cpp makes of every tensor, by name.

    Args:
        imatrix: whether an importance matrix is given, which changes a few choices.
        overrides: other types for single tensors (see `quantization.overrides`). Those whose rows do not divide
            into the blocks of such a type get the one that llama.cpp puts in its place, as ever.

    Raises:
        ConversionError: a tensor has a type that is unknown here, or an override fits no tensor or not this file.
    """
    if unknown := next((tensor for tensor in header.tensors if not tensor.is_known), None):
        raise ConversionError(
            f"The tensor {unknown.name[:80]!r} has the unknown {unknown.type_name}.",
            next_step="Start from a file that this version of the studio made.",
            where=header.path.name,
        )
    wanted = overridden_kinds(header, chosen.name, overrides)
    mixture = Mixture.of(header, chosen.name, imatrix)

    def kind(tensor: TensorInfo) -> Kind:
        if not _is_quantized(tensor):
            return Kind(tensor.kind)
        if tensor.name in wanted:  # which llama.cpp leaves out when it counts the layers
            return fallback(wanted[tensor.name], tensor.shape[0])
        return mixture.kind(tensor, chosen.kind)

    return {tensor.name: kind(tensor) for tensor in in_loading_order(header.tensors)}


def overridden_kinds(header: GGUFHeader, type_name: str, overrides: Overrides | None) -> dict[str, Kind]:
    """The tensors that get another type than a file of `type_name` gives them, and which, before any fallback.

    Raises:
        ConversionError: an override fits no tensor, or the type is a float's, for which llama.cpp knows none.
    """
    if not overrides:
        return {}
    if quantization_type(type_name).kind in FLOATS:
        raise ConversionError(
            f"Single tensors of a {type_name} file cannot have another type.",
            why="llama.cpp looks at such wishes only when it quantizes.",
            next_step="Choose a quantized type, such as Q8_0, for the rest of the model.",
            where="override",
        )
    return override_kinds((tensor.name for tensor in header.tensors if _is_quantized(tensor)), overrides)


def needs_imatrix(kinds: dict[str, Kind], chosen: QuantizationType) -> bool:
    """Whether llama.cpp refuses to make this file without an importance matrix."""
    inner = (kind for name, kind in kinds.items() if name not in (GGUF_EMBEDDING, GGUF_OUTPUT))
    return any(kind in _NEEDS_IMATRIX or (kind == Kind.Q2_K and chosen.name == "Q2_K_S") for kind in inner)


def uses_imatrix(kinds: dict[str, Kind]) -> bool:
    """Whether an importance matrix can change what these tensors hold; floats and Q8_0 round every weight alike."""
    return any(kind not in (*FLOATS, Kind.Q8_0) for kind in kinds.values())


def in_loading_order(tensors: Iterable[TensorInfo]) -> list[TensorInfo]:
    """By block, then by name: the order in which llama.cpp counts layers of a sort."""
    return sorted(tensors, key=lambda tensor: (_block_number(tensor.name), tensor.name))


def _block_number(name: str) -> int:
    match = _BLOCK.match(name)
    return int(match[1]) if match else -1


def _is_quantized(tensor: TensorInfo) -> bool:
    matrix = any(size > 1 for size in tensor.shape[1:])
    return matrix and tensor.name.endswith("weight") and "_norm.weight" not in tensor.name
