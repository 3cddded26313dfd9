"""Which type each weight matrix gets in a file of some quantization type: the mixtures of llama.cpp.

The rules are those of llama.cpp's src/llama-quant.cpp (as in llama-cpp-python 0.3.36) for dense text models. Mixtures
of experts, Falcon and 80-layer Llamas, which it treats apart, are not covered.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from gguf.constants import GGML_QUANT_SIZES
from gguf.constants import GGMLQuantizationType as Kind

from studio.conversion.families import GGUF_EMBEDDING, GGUF_OUTPUT
from studio.conversion.formats.gguf_header import GGUFHeader, TensorInfo

FLOATS = (Kind.F32, Kind.F16, Kind.BF16)
_LOWEST = ("IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ2_M", "IQ1_S", "IQ1_M")
_FALLBACKS = {
    **dict.fromkeys((Kind.IQ1_S, Kind.IQ1_M, Kind.IQ2_XXS, Kind.IQ2_XS, Kind.IQ2_S), Kind.IQ4_NL),
    **dict.fromkeys((Kind.IQ3_XXS, Kind.IQ3_S, Kind.IQ4_XS), Kind.IQ4_NL),
    **dict.fromkeys((Kind.Q2_K, Kind.Q3_K, Kind.TQ1_0, Kind.TQ2_0), Kind.Q4_0),
    Kind.Q4_K: Kind.Q5_0,
    Kind.Q5_K: Kind.Q5_1,
    Kind.Q6_K: Kind.Q8_0,
}


@dataclass
class Mixture:
    """llama.cpp's choice of types, with its counters of the layers it has seen."""

    name: str
    tied: bool
    grouped: bool
    layers: int
    values_total: int
    imatrix: bool
    values_seen: int = 0
    seen: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, header: GGUFHeader, name: str, imatrix: bool) -> Mixture:
        """The mixture of the file type `name` for a model, with no layer seen yet."""
        names = [tensor.name for tensor in header.tensors]
        heads = header.hyperparameter("attention.head_count") or 1
        kv_heads = header.hyperparameter("attention.head_count_kv") or heads
        values = sum("attn_v.weight" in tensor for tensor in names)
        layers = header.hyperparameter("block_count") or 0
        return cls(name, GGUF_OUTPUT not in names, heads // max(kv_heads, 1) >= 4, layers, values, imatrix)

    def kind(self, tensor: TensorInfo, default: Kind) -> Kind:
        """What the next weight matrix becomes; call it in llama.cpp's order of loading, for each of them once."""
        if default in FLOATS:
            return default
        return fallback(self._wanted(tensor, default), tensor.shape[0])

    def _wanted(self, tensor: TensorInfo, default: Kind) -> Kind:
        if tensor.name == GGUF_OUTPUT or (self.tied and tensor.name == GGUF_EMBEDDING):
            return self._output(tensor.shape[0], default)
        if tensor.name == GGUF_EMBEDDING:
            return self._embedding(default)
        part = next((part for part in _PARTS if f"{part}.weight" in tensor.name), "")
        choose = _CHOICES.get(part)
        number = self.seen.get(part, 0)
        self.seen[part] = number + 1
        if self.name in _LOWEST:
            return self._lowest(part, number, default)
        return choose(self, number, default) if choose else default

    def _output(self, width: int, default: Kind) -> Kind:
        if width % _block_size(default):
            return Kind.Q8_0
        if self.name in (*_LOWEST, "IQ3_XXS"):
            return Kind.Q5_K
        return default if default == Kind.Q8_0 else Kind.Q6_K

    def _embedding(self, default: Kind) -> Kind:
        if self.name in ("IQ2_XXS", "IQ2_XS", "IQ1_S", "IQ1_M"):
            return Kind.Q2_K
        if self.name in ("IQ2_S", "IQ2_M", "IQ3_XXS"):
            return Kind.IQ3_S
        return Kind.Q4_K if self.name in ("TQ1_0", "TQ2_0") else default

    def _lowest(self, part: str, number: int, default: Kind) -> Kind:
        better = Kind.IQ3_S if self.name in ("IQ2_S", "IQ2_M") else Kind.Q2_K
        if part == "attn_v":
            return Kind.Q4_K if self.grouped else better
        if part == "ffn_down":
            return better if number < self.layers // 8 else default
        if part == "attn_output" and self.name not in ("IQ2_XXS", "IQ2_XS"):
            return Kind.IQ2_XXS if self.name in ("IQ1_S", "IQ1_M") else Kind.IQ3_S
        return default

    def _values(self, number: int, default: Kind) -> Kind:
        match self.name:
            case "Q2_K":
                return Kind.Q4_K if self.grouped else Kind.Q3_K
            case "Q2_K_S" | "IQ3_XS" | "IQ3_S" if self.grouped:
                return Kind.Q4_K
            case "IQ3_XXS":
                return Kind.Q4_K if self.grouped else Kind.IQ3_XXS if self.imatrix else Kind.IQ3_S
            case "IQ3_M":
                return Kind.Q4_K
            case "Q3_K_M":
                return Kind.Q5_K if number < 2 else Kind.Q4_K
            case "Q3_K_L":
                return Kind.Q5_K
            case "IQ4_NL" | "IQ4_XS" if self.grouped:
                return Kind.Q5_K
            case "Q4_K_M" | "Q5_K_M" if _gets_more_bits(number, self.values_total):
                return Kind.Q6_K
            case "Q4_K_S" if number < 4:
                return Kind.Q5_K
        return default

    def _queries_and_keys(self, _number: int, default: Kind) -> Kind:
        return {"IQ3_XS": Kind.IQ3_XXS, "IQ3_XXS": Kind.IQ2_S}.get(self.name, default)

    def _down(self, number: int, default: Kind) -> Kind:
        first_eighth, first_sixteenth = number < self.layers // 8, number < self.layers // 16
        match self.name:
            case "Q2_K":
                return Kind.Q3_K
            case "Q2_K_S" | "IQ3_M" if first_eighth:
                return Kind.Q4_K
            case "IQ3_XXS" if not self.imatrix:
                return Kind.Q4_K if first_eighth else Kind.Q3_K
            case "Q3_K_M":
                return Kind.Q5_K if first_sixteenth else Kind.Q4_K
            case "Q3_K_L":
                return Kind.Q5_K
            case "Q4_K_M" | "Q5_K_M" if _gets_more_bits(number, self.layers):
                return Kind.Q6_K
            case "IQ4_NL" | "IQ4_XS" if first_eighth and not self.imatrix:
                return Kind.Q5_K
            case "Q4_K_S" if first_eighth:
                return Kind.Q5_K
            case "Q4_0" | "Q5_0" if first_eighth and self.imatrix:
                return Kind.Q4_1 if self.name == "Q4_0" else Kind.Q5_1
        return default

    def _attention_output(self, _number: int, default: Kind) -> Kind:
        choices = {
            "Q2_K": Kind.Q3_K,
            "IQ3_XXS": Kind.IQ3_S,
            "Q3_K_M": Kind.Q4_K,
            "Q3_K_L": Kind.Q5_K,
            "IQ3_M": Kind.Q4_K,
        }
        return choices.get(self.name, default)

    def _gate_and_up(self, number: int, default: Kind) -> Kind:
        middle = self.layers // 8 <= number < 7 * self.layers // 8
        return Kind.IQ3_XXS if self.name == "IQ3_XS" and middle else default


_CHOICES = {
    "attn_v": Mixture._values,
    "attn_k": Mixture._queries_and_keys,
    "attn_q": Mixture._queries_and_keys,
    "attn_output": Mixture._attention_output,
    "ffn_down": Mixture._down,
    "ffn_gate": Mixture._gate_and_up,
    "ffn_up": Mixture._gate_and_up,
}
_PARTS = tuple(_CHOICES)


def _gets_more_bits(number: int, total: int) -> bool:
    """The first and last eighth of the layers and every third one between."""
    first = total // 8
    return number < first or number >= 7 * total // 8 or (number - first) % 3 == 2


def _block_size(kind: Kind) -> int:
    return int(GGML_QUANT_SIZES[kind][0])


def fallback(kind: Kind, width: int) -> Kind:
    """The type that rows of `width` weights can have: blocks of 256, else of 32, else float16."""
    if width % _block_size(kind) == 0:
        return kind
    smaller = _FALLBACKS.get(kind, kind)
    return smaller if width % _block_size(smaller) == 0 else Kind.F16
