"""Which files could be made of a model: every type, and types in which single parts get finer or coarser blocks.

Each has its exact size and an expected loss, by which the search tries the most promising first. The expectation is a
rough one, the quality of what is kept is always measured: the rounding noise of each tensor type, times how much the
answers of SmolLM2 suffer from noise in that part of the model. Parts and steps: the embedding and the output layer up
to two steps either way, attn_v one step finer, ffn_down one step either way, ffn_gate one step coarser.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from gguf.constants import GGML_QUANT_SIZES
from gguf.constants import GGMLQuantizationType as Kind

from studio.conversion.families import GGUF_EMBEDDING, GGUF_OUTPUT
from studio.conversion.formats.gguf_header import DEFAULT_ALIGNMENT, GGUFHeader, TensorInfo, aligned
from studio.conversion.quantization.sizes import SizeEstimate, estimate_size
from studio.conversion.quantization.types import quantization_type, tensor_kinds
from studio.conversion.search.fitting import choosable

NOISE = {
    Kind.Q8_0: 2.81e-5, Kind.Q6_K: 3.10e-4, Kind.Q5_K: 1.30e-3, Kind.Q5_1: 4.6e-3, Kind.Q5_0: 1.81e-3,
    Kind.Q4_K: 5.00e-3, Kind.IQ4_NL: 5.79e-3, Kind.IQ4_XS: 5.89e-3, Kind.Q4_1: 1.7e-2, Kind.Q4_0: 7.34e-3,
    Kind.Q3_K: 2.28e-2, Kind.IQ3_S: 2.72e-2, Kind.IQ3_XXS: 3.33e-2, Kind.IQ2_S: 6.12e-2, Kind.Q2_K: 8.54e-2,
    Kind.IQ2_XS: 8.90e-2, Kind.IQ2_XXS: 0.118, Kind.IQ1_M: 0.204, Kind.IQ1_S: 0.236,
    Kind.TQ2_0: 0.647, Kind.TQ1_0: 0.647,
}  # fmt: skip
"""Mean squared error of normally distributed weights of variance 1, as llama.cpp rounds them without a matrix
(16,384 weights through ggml_quantize_chunk of llama-cpp-python 0.3.36). Q5_1 and Q4_1 stand with what they cost SmolLM2
when played, about three times their rounding (0.00143 and 0.00601): llama.cpp needs sums of activations for them and
keeps these in float16, which is the likely reason."""

LADDER = (
    Kind.Q2_K, Kind.Q3_K, Kind.IQ4_XS, Kind.IQ4_NL, Kind.Q4_K, Kind.Q5_0, Kind.Q5_K, Kind.Q5_1, Kind.Q6_K, Kind.Q8_0,
)  # fmt: skip
"""Tensor types for single parts, coarse to fine."""

COST = {
    "token_embd": 13.1, "output": 13.1, "ffn_down": 12.0, "attn_v": 10.8, "ffn_up": 7.6, "ffn_gate": 3.4,
    "attn_output": 2.2, "attn_q": 1.7, "attn_k": 1.3,
}  # fmt: skip
"""KL divergence (nats) per noise in a part, measured: SmolLM2 in Q8_0 with that part alone in Q4_0, less the 0.0038 of
plain Q8_0, over the noise of Q4_0 (docs/conversion.md). Its embedding is its output layer; both are taken as equals."""

LOOKED_UP = 1.3
"""The same for an embedding that is not the output layer, by guess: a tenth."""

_STEPS = {
    "token_embd": (-2, -1, 1, 2), "output": (-2, -1, 1, 2), "attn_v": (1,), "ffn_down": (-1, 1), "ffn_gate": (-1,),
}  # fmt: skip
_OTHERS = ""


@dataclass(frozen=True)
class Candidate:
    """A file that could be made.

    Attributes:
        type: type of the file.
        overrides: part of the model -> tensor type, as `quantize_file` takes them; empty for a plain file.
        size: bytes.
        expected_loss: KL divergence to be expected, in nats, were this SmolLM2; a rough one.
    """

    type: str
    overrides: Mapping[str, str]
    size: int
    expected_loss: float

    @property
    def label(self) -> str:
        """For example 'Q5_0' or 'Q5_0 with attn_v in Q8_0'."""
        parts = " and ".join(f"{part} in {kind}" for part, kind in self.overrides.items())
        return f"{self.type} with {parts}" if parts else self.type

    @property
    def file_word(self) -> str:
        """What stands for the type in a file name."""
        return f"{self.type}-mixed-{round(self.size / 1e6)}MB" if self.overrides else self.type


def candidates(header: GGUFHeader, *, imatrix: bool = False) -> list[Candidate]:
    """Everything that the search may choose, most promising first.

    Args:
        header: of the unquantized file.
        imatrix: with an importance matrix; types that need one are among them then.

    Raises:
        ConversionError: the file cannot be read.
    """
    found: dict[tuple[tuple[str, Kind], ...], Candidate] = {}
    for plain in choosable(header, imatrix=imatrix):
        for one, kinds in _of_type(header, plain, imatrix):
            known = found.get(kinds)
            if known is None or len(one.overrides) < len(known.overrides):
                found[kinds] = one  # another name for the same file says nothing new
    return sorted(found.values(), key=lambda one: (one.expected_loss, one.size, len(one.overrides)))


def exact_size(header: GGUFHeader, one: Candidate, *, imatrix: bool = False) -> int:
    """The size of a candidate's file in bytes, computed tensor by tensor."""
    return estimate_size(header, one.type, imatrix=imatrix, overrides=one.overrides or None).size


def _of_type(
    header: GGUFHeader, plain: SizeEstimate, imatrix: bool
) -> Iterator[tuple[Candidate, tuple[tuple[str, Kind], ...]]]:
    """A type as it is and with every choice of overrides, each with what all its tensors become."""
    kinds = tensor_kinds(header, quantization_type(plain.type), imatrix=imatrix)
    parts = _parts(header)
    options = [[None, *_other_kinds(parts[part], kinds, steps)] for part, steps in _STEPS.items() if part in parts]
    names = [part for part in _STEPS if part in parts]
    for chosen in product(*options):
        overrides = {part: kind for part, kind in zip(names, chosen, strict=True) if kind is not None}
        changed = {tensor.name: kind for part, kind in overrides.items() for tensor in parts[part]}
        every = {**kinds, **changed}
        size = plain.size + sum(
            _bytes(tensor, kind) - _bytes(tensor, kinds[tensor.name])
            for part, kind in overrides.items()
            for tensor in parts[part]
        )
        named = {part: kind.name for part, kind in overrides.items()}
        yield Candidate(plain.type, named, size, _expected_loss(parts, every)), tuple(sorted(every.items()))


def _parts(header: GGUFHeader) -> dict[str, list[TensorInfo]]:
    """The weight matrices by part; those of no part of their own under the empty name."""
    parts: dict[str, list[TensorInfo]] = {}
    for tensor in header.tensors:
        if any(size > 1 for size in tensor.shape[1:]):
            parts.setdefault(_part_of(tensor.name), []).append(tensor)
    return parts


def _part_of(name: str) -> str:
    if name in (GGUF_EMBEDDING, GGUF_OUTPUT):
        return name.removesuffix(".weight")
    return next((part for part in COST if name.endswith(f".{part}.weight")), _OTHERS)


def _other_kinds(tensors: Iterable[TensorInfo], kinds: Mapping[str, Kind], steps: Iterable[int]) -> list[Kind]:
    """The types that a part can have a step or two away from the one that most of its tensors have."""
    every = list(tensors)
    usual = [kinds[tensor.name] for tensor in every]
    most = max(set(usual), key=lambda kind: (usual.count(kind), kind))
    ladder = [kind for kind in LADDER if all(tensor.shape[0] % GGML_QUANT_SIZES[kind][0] == 0 for tensor in every)]
    ladder = _only_better(ladder)
    finer = [kind for kind in ladder if NOISE[kind] < NOISE.get(most, 0.0)]
    coarser = [kind for kind in reversed(ladder) if NOISE[kind] > NOISE.get(most, 0.0)]
    found = [side[abs(step) - 1] for step in steps if len(side := finer if step > 0 else coarser) >= abs(step)]
    return [kind for kind in found if set(usual) != {kind}]


def _only_better(ladder: Iterable[Kind]) -> list[Kind]:
    """Without types that are no smaller and no better than another one."""
    every = list(ladder)
    return [
        one
        for one in every
        if not any(_bits(other) <= _bits(one) and NOISE[other] < NOISE[one] for other in every if other != one)
    ]


def _bits(kind: Kind) -> float:
    block, block_bytes = GGML_QUANT_SIZES[kind]
    return float(8 * block_bytes / block)


def _expected_loss(parts: Mapping[str, Sequence[TensorInfo]], kinds: Mapping[str, Kind]) -> float:
    """The noise of every part, as its mean over the weights, times what noise costs there. Noise adds up."""
    costs = {**COST, **({"token_embd": LOOKED_UP} if "output" in parts else {})}
    return sum(costs.get(part, min(COST.values())) * _mean_noise(tensors, kinds) for part, tensors in parts.items())


def _mean_noise(tensors: Sequence[TensorInfo], kinds: Mapping[str, Kind]) -> float:
    weights = sum(tensor.elements for tensor in tensors)
    return sum(tensor.elements * NOISE.get(kinds[tensor.name], 0.0) for tensor in tensors) / weights


def _bytes(tensor: TensorInfo, kind: Kind) -> int:
    block, block_bytes = GGML_QUANT_SIZES[kind]
    return aligned(tensor.elements // block * block_bytes, DEFAULT_ALIGNMENT)
