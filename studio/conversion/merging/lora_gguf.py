"""A LoRA adapter as a GGUF file of its own, a few MB, that llama.cpp lays over the base model it was trained on.

Nothing is merged: the base's own weights stay as they are, quantized or not. numpy only, one matrix in memory.

Format, from llama.cpp (convert_lora_to_gguf.py, src/llama-adapter.cpp): `general.type` adapter, `adapter.type` lora, a
tensor `NAME.lora_a` `[rank, inputs]` and one `NAME.lora_b` `[outputs, rank]` per weight, and one `adapter.lora.alpha`:
what is added to the layer is `alpha / rank * B A x`, with the rank of each pair. Where a layer's own scale differs
(rsLoRA, an alpha pattern), the quotient is multiplied into its B.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from gguf.constants import MODEL_ARCH_NAMES, GGMLQuantizationType

from studio.bases import BaseModel
from studio.conversion.families import OUTPUT, Checkpoint, permute_rotary, read_checkpoint
from studio.conversion.formats.gguf_stream import Block, ProgressCallback, StopCallback, TensorSource, write_gguf
from studio.conversion.formats.safetensors_file import read_index
from studio.conversion.merging.adapter import LoraAdapter, LoraPair
from studio.conversion.merging.belonging import check_adapter, check_layers
from studio.conversion.merging.merge import rounded
from studio.conversion.metadata import provenance_values
from studio.errors import ConversionError

LoraType = Literal["F32", "F16"]
BASE_FILE_HASH = "studio.base.gguf.sha256"
"""Key for the SHA-256 of the base's own GGUF, over which the file is meant to be laid."""
_KINDS = {"F32": GGMLQuantizationType.F32, "F16": GGMLQuantizationType.F16}
_ITEM_BYTES = {"F32": 4, "F16": 2}


@dataclass(frozen=True)
class LoraReport:
    """What was written: bytes of the file, how many layers it changes, and the alpha in its header."""

    path: Path
    size: int
    layers: int
    alpha: float


@dataclass(frozen=True)
class _Layer:
    """One changed weight: its name in the GGUF, and what B is multiplied with besides `alpha / rank`."""

    name: str
    pair: LoraPair
    rotary_heads: int
    factor: float

    def tensors(self, output: LoraType) -> Iterator[TensorSource]:
        yield _source(f"{self.name}.lora_a", self.pair.a.shape, output, self.pair.a.read)
        yield _source(f"{self.name}.lora_b", self.pair.b.shape, output, self._read_b)

    def _read_b(self) -> npt.NDArray[np.float32]:
        """B with its rows in llama.cpp's order; untouched where alpha and order are those of the file."""
        b = self.pair.b.read()
        if self.rotary_heads:
            b = permute_rotary(b, self.rotary_heads)
        return b if self.factor == 1 else b * np.float32(self.factor)


def lora_to_gguf(
    base: BaseModel,
    adapter: LoraAdapter,
    path: Path,
    *,
    name: str = "",
    output_type: LoraType = "F16",
    progress: ProgressCallback | None = None,
    stop: StopCallback | None = None,
) -> LoraReport:
    """Write `adapter` as a GGUF file that llama.cpp loads over a GGUF of `base`.

    Args:
        name: what the file calls itself; the run's name by default.
        progress: told the bytes of tensor data written and to write.
        stop: asked between matrices.

    Raises:
        ConversionError: the adapter is of another base or changes a layer that cannot be changed this way; the disk is
            full. No file is left behind, an older one stays as it was.
        ConversionStopped: `stop` said yes.
    """
    check_adapter(base, adapter)
    checkpoint = read_checkpoint(base.hf)
    stored = read_index(base.hf)
    if checkpoint.tied:
        _refuse_tied_output(adapter)
        stored.pop(OUTPUT, None)
    check_layers(adapter, stored)
    _refuse_dora(adapter)
    alpha = common_alpha(adapter.pairs.values())
    layers = [_layer(checkpoint, key, pair, alpha) for key, pair in adapter.pairs.items()]
    metadata = {
        "general.architecture": MODEL_ARCH_NAMES[checkpoint.architecture.gguf],
        "general.type": "adapter",
        "general.name": name or adapter.provenance.run or base.manifest.title,
        "adapter.type": "lora",
        "adapter.lora.alpha": alpha,
        **_parents(base, adapter),
    }
    tensors = [tensor for layer in layers for tensor in layer.tensors(output_type)]
    size = write_gguf(path, metadata, tensors, progress=progress, stop=stop)
    return LoraReport(path, size, len(layers), alpha)


def common_alpha(pairs: Iterable[LoraPair]) -> float:
    """The alpha that most layers have, `scale * rank`; 1 where every scale is 0, because llama.cpp reads 0 as none."""
    counted = Counter(_alpha(pair) for pair in pairs if pair.scale)
    return max(counted, key=counted.__getitem__, default=1.0)


def _alpha(pair: LoraPair) -> float:
    """In float32, as the file holds it."""
    return float(np.float32(pair.scale * pair.a.shape[0]))


def _layer(checkpoint: Checkpoint, key: str, pair: LoraPair, alpha: float) -> _Layer:
    heads = checkpoint.rotary_heads(key)
    if heads and pair.b.shape[0] % (2 * heads):
        raise ConversionError(f"The tensor {key} does not divide into the {heads} heads that config.json names.")
    return _Layer(checkpoint.gguf_name(key), pair, heads, _alpha(pair) / alpha)


def _source(
    name: str, shape: tuple[int, ...], output: LoraType, read: Callable[[], npt.NDArray[np.float32]]
) -> TensorSource:
    size = shape[0] * shape[1] * _ITEM_BYTES[output]
    return TensorSource(name, tuple(reversed(shape)), _KINDS[output], size, partial(_block, read, output, name))


def _block(read: Callable[[], npt.NDArray[np.float32]], output: LoraType, name: str) -> Iterator[Block]:
    yield rounded(read(), output, name)


def _parents(base: BaseModel, adapter: LoraAdapter) -> dict[str, str | int | float | bool]:
    record = base.manifest.files.get("base.gguf")
    own = {BASE_FILE_HASH: record.sha256} if record else {}
    return {**provenance_values(base, adapter), **own}


def _refuse_dora(adapter: LoraAdapter) -> None:
    if any(pair.magnitude for pair in adapter.pairs.values()):
        raise ConversionError(
            "This adapter was trained with DoRA, which llama.cpp cannot lay over a base model.",
            why="DoRA changes the length of whole rows of the base's weights, and a LoRA file only adds to them.",
            next_step="Make a model file of it (convert): merging knows DoRA.",
        )


def _refuse_tied_output(adapter: LoraAdapter) -> None:
    if OUTPUT in adapter.pairs:
        raise ConversionError(
            "This adapter changes the output layer, which its base model shares with the token embedding.",
            why="llama.cpp cannot lay an adapter over one of the two alone.",
            next_step="Make a model file of it (convert): merging separates the two.",
        )
