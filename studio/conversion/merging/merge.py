"""Merge a LoRA adapter into its base tensor by tensor and write the result as GGUF: numpy only, one block in memory.

The sum is formed in float32 and rounded once, to float16 or bfloat16. Tensors that the adapter does not touch are
copied. Vectors (norms, biases) stay float32, as llama.cpp wants them. Nothing here quantizes; that is `quantize.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from gguf.constants import GGMLQuantizationType, LlamaFileType

from studio.bases import BaseModel
from studio.conversion.families import (
    EMBEDDING,
    GGUF_EMBEDDING,
    GGUF_OUTPUT,
    GGUF_ROPE_FACTORS,
    OUTPUT,
    Checkpoint,
    permute_rotary,
    read_checkpoint,
)
from studio.conversion.formats.gguf_header import GGUFHeader, TensorInfo
from studio.conversion.formats.gguf_stream import (
    Block,
    ConversionStopped,
    Metadata,
    ProgressCallback,
    StopCallback,
    TensorSource,
    write_gguf,
)
from studio.conversion.formats.safetensors_file import StoredTensor, read_index
from studio.conversion.merging.adapter import LoraAdapter, LoraUpdate
from studio.conversion.merging.ahead import in_order
from studio.conversion.merging.belonging import check_adapter, check_base, check_layers
from studio.conversion.merging.hyperparameters import rope_factors
from studio.conversion.metadata import ModelMetadata, model_metadata
from studio.errors import ConversionError

OutputType: TypeAlias = Literal["F16", "BF16", "F32"]
Weights: TypeAlias = npt.NDArray[np.float32]
BLOCK_BYTES = 1 << 20
"""Of float32: several times that fits into a processor's cache, and larger blocks were not faster."""
_FIRST_TOO_LARGE = 65520.0
_KINDS = {"F32": GGMLQuantizationType.F32, "F16": GGMLQuantizationType.F16, "BF16": GGMLQuantizationType.BF16}
_FILE_TYPES = {"F16": LlamaFileType.MOSTLY_F16, "BF16": LlamaFileType.MOSTLY_BF16, "F32": LlamaFileType.ALL_F32}
_ITEM_BYTES = {"F32": 4, "F16": 2, "BF16": 2}


@dataclass(frozen=True)
class MergeReport:
    """What was written: bytes of the file, its tensors, and how many of them the adapter changed."""

    path: Path
    size: int
    tensors: int
    merged: int


@dataclass(frozen=True)
class _Recipe:
    """How one tensor of the output is made from one of the checkpoint."""

    source: StoredTensor
    name: str
    output: str
    rows: int
    rotary_heads: int
    offset: float
    update: LoraAdapter | None
    key: str

    def tensor(self) -> TensorSource:
        shape = (self.rows, *self.source.shape[1:])
        size = self.rows * self.source.columns * _ITEM_BYTES[self.output]
        return TensorSource(self.name, tuple(reversed(shape)), _KINDS[self.output], size, self.blocks)

    def blocks(self) -> Iterator[Block]:
        if self.source.dtype == self.output and not (self.update or self.rotary_heads or self.offset):
            yield from self.source.raw_blocks(self._rows_per_block(), self.rows)
            return
        update = self.update.pairs[self.key].update() if self.update else None
        step = self._rows_per_block()
        raw = self.source.raw_blocks(step, self.rows)
        yield from in_order(lambda number, block: self._block(block, number * step, update), enumerate(raw))

    def _block(self, raw: npt.NDArray[np.uint8], first: int, update: LoraUpdate | None) -> Block:
        return rounded(self._changed(self.source.as_float32(raw), first, update), self.output, self.name)

    def _changed(self, block: Weights, first: int, update: LoraUpdate | None) -> Weights:
        merged = update.add_to(block, first) if update else block
        if self.rotary_heads:
            merged = permute_rotary(merged, merged.shape[0] * self.rotary_heads // self.rows)
        return merged + np.float32(self.offset) if self.offset else merged

    def _rows_per_block(self) -> int:
        """As many rows as fit into a block, whole attention heads where they are reordered."""
        step = self.rows // self.rotary_heads if self.rotary_heads else 1
        fitting = BLOCK_BYTES // (self.source.columns * 4)
        return max(step, fitting // step * step)


def merge_to_gguf(
    base: BaseModel,
    adapter: LoraAdapter | None,
    path: Path,
    *,
    output_type: OutputType = "F16",
    progress: ProgressCallback | None = None,
    stop: StopCallback | None = None,
) -> MergeReport:
    """Write `base` with `adapter` merged into it (or the base alone) as a GGUF file.

    Args:
        progress: told the bytes of tensor data written and to write.
        stop: asked between blocks of about 1 MiB.

    Raises:
        ConversionError: the adapter is of another base, changes a layer that the base lacks, or cannot be merged; the
            base is damaged; the disk is full. No file is left behind, an older one stays as it was.
        ConversionStopped: `stop` said yes.
    """
    if adapter:
        check_adapter(base, adapter)
    with ThreadPoolExecutor(1) as pool:
        intact = pool.submit(check_base, base)  # reads every byte, which takes as long as the merge of a small model
        try:
            values, tensors, merged = _plan(base, adapter, output_type)
            size = write_gguf(path, values, tensors, progress=progress, stop=stop, approve=intact.result)
        except ConversionStopped:
            raise
        except ConversionError:
            intact.result()  # a damaged base is the better reason
            raise
    return MergeReport(path, size, len(tensors), merged)


def _plan(
    base: BaseModel, adapter: LoraAdapter | None, output_type: OutputType
) -> tuple[Metadata, list[TensorSource], int]:
    """Metadata and tensors of the file, and how many of these the adapter changes."""
    checkpoint = read_checkpoint(base.hf)
    metadata = model_metadata(base, checkpoint, adapter, int(_FILE_TYPES[output_type]))
    recipes = _recipes(checkpoint, read_index(base.hf), adapter, metadata, output_type)
    tensors = [recipe.tensor() for recipe in recipes]
    _check_against(metadata.reference, tensors)
    tensors += _rope_tensors(checkpoint, metadata.reference)
    return metadata.values, tensors, sum(recipe.update is not None for recipe in recipes)


def rounded(values: Weights, output: str, name: str) -> Block:
    """float32 weights as they are stored: bfloat16 as its 16 bits, nearest even in both.

    Raises:
        ConversionError: a weight is not finite, or too large for float16.
    """
    if output == "F32":
        result: Block = values
        finite = np.isfinite(values).all()
    elif output == "F16":
        # nearest even: what reaches 65520 becomes infinite; a comparison with NaN is false
        finite = values.min() > -_FIRST_TOO_LARGE and values.max() < _FIRST_TOO_LARGE
        result = values.astype(np.float16) if finite else values
    else:
        bits = values.view(np.uint32)
        halves = ((bits + (0x7FFF + ((bits >> 16) & 1))) >> 16).astype(np.uint16)
        result = halves
        finite = np.isfinite(values).all() and ((halves & np.uint16(0x7F80)) != 0x7F80).all()
    if not finite:
        raise ConversionError(
            f"The tensor {name} holds weights that {output} cannot hold.",
            why="They are infinite, not a number, or larger than 65504.",
            next_step="If the training diverged, use an earlier checkpoint; else convert to BF16.",
        )
    return result


def _recipes(
    checkpoint: Checkpoint,
    stored: dict[str, StoredTensor],
    adapter: LoraAdapter | None,
    metadata: ModelMetadata,
    output_type: OutputType,
) -> list[_Recipe]:
    sources = dict(stored)
    pairs = adapter.pairs if adapter else {}
    if checkpoint.tied:
        sources.pop(OUTPUT, None)
        if OUTPUT in pairs and EMBEDDING in sources:  # only the output layer was changed: no longer tied
            sources[OUTPUT] = sources[EMBEDDING]
    if adapter:
        check_layers(adapter, sources)
    recipes = [
        _recipe(checkpoint, key, source, adapter if key in pairs else None, metadata, output_type)
        for key, source in sources.items()
    ]
    return sorted(recipes, key=lambda recipe: _reading_order(recipe.name))


def _recipe(
    checkpoint: Checkpoint,
    key: str,
    source: StoredTensor,
    adapter: LoraAdapter | None,
    metadata: ModelMetadata,
    output_type: OutputType,
) -> _Recipe:
    if len(source.shape) not in (1, 2) or source.dtype not in _ITEM_BYTES or 0 in source.shape:
        raise ConversionError(f"The tensor {key} cannot be converted: {source.dtype} {source.shape}.")
    name = checkpoint.gguf_name(key)
    heads = checkpoint.rotary_heads(key)
    if heads and source.rows % (2 * heads):
        raise ConversionError(f"The tensor {key} does not divide into the {heads} heads that config.json names.")
    rows = source.rows
    if name in (GGUF_EMBEDDING, GGUF_OUTPUT):
        rows = _vocabulary_rows(checkpoint, key, rows, metadata.tokens)
    output = "F32" if len(source.shape) == 1 else output_type
    return _Recipe(source, name, output, rows, heads, checkpoint.offset(key), adapter, key)


def _vocabulary_rows(checkpoint: Checkpoint, key: str, rows: int, tokens: int) -> int:
    if rows == tokens or (rows > tokens > 0 and checkpoint.architecture.trims_vocabulary):
        return tokens
    raise ConversionError(
        "The base model's weights and its tokenizer do not belong together.",
        why=f"{key} has {rows} rows, the tokenizer {tokens} tokens.",
        next_step="Import the base model again.",
    )


def _check_against(reference: GGUFHeader | None, tensors: list[TensorSource]) -> None:
    """The base's own GGUF knows what llama.cpp expects: the same tensors in the same shapes."""
    if reference is None:
        return
    ours = {tensor.name: tensor.shape for tensor in tensors}
    for theirs in reference.tensors:
        if theirs.name not in (GGUF_ROPE_FACTORS, GGUF_OUTPUT) and ours.get(theirs.name) != theirs.shape:
            raise ConversionError(
                "The base model's base.gguf and its training form do not belong together.",
                why=f"{theirs.name} is {theirs.shape} in one and {ours.get(theirs.name, 'missing')} in the other.",
                next_step="Import the base model again.",
            )


def _rope_tensors(checkpoint: Checkpoint, reference: GGUFHeader | None) -> list[TensorSource]:
    """Llama 3's rotary factors, which no checkpoint stores: from the base's GGUF, else computed from config.json."""
    known = reference.tensors if reference else ()
    kept = next((tensor for tensor in known if tensor.name == GGUF_ROPE_FACTORS), None)
    if reference and kept:
        data = _read_tensor(reference, kept)
    elif reference or (factors := rope_factors(checkpoint)) is None:
        return []
    else:
        data = factors.view(np.uint8)
    kind = int(GGMLQuantizationType.F32)
    return [TensorSource(GGUF_ROPE_FACTORS, (data.nbytes // 4,), kind, data.nbytes, lambda: iter([data]))]


def _read_tensor(header: GGUFHeader, tensor: TensorInfo) -> npt.NDArray[np.uint8]:
    if tensor.kind != GGMLQuantizationType.F32:
        raise ConversionError(f"{tensor.name} of the base model is {tensor.type_name}, not F32.")
    return np.fromfile(header.path, np.uint8, tensor.size or 0, offset=header.data_offset + tensor.offset)


def _reading_order(name: str) -> tuple[int, str]:
    """Embedding and output first, then block by block."""
    block = re.match(r"blk\.(\d+)\.", name)
    return (int(block[1]) if block else -1, name)
