"""How much memory a run needs at its peak, from the base's shapes and the settings alone: no torch, no weights read.

It counts what autograd keeps of one forward pass of a Llama-like model whose weights are frozen and whose linear layers
have a LoRA (no gradient checkpointing), as `torch.autograd.graph.saved_tensors_hooks` lists it, and adds what was
measured for the libraries and for the memory that the allocator cannot reuse. Measured against real runs: see
docs/training.md. For the processor; a GPU needs the same without the libraries.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from studio.bases.weights import describe_weights, read_json
from studio.config import TrainingConfig
from studio.machine import GIB

Shapes = Mapping[str, tuple[int, ...]]
Targets = Mapping[str, tuple[int, int]]

_FLOAT32 = 4
_NF4 = 0.516
"""Bytes per number: 4 bits, and the doubly quantized scales of blocks of 64 (arXiv 2305.14314, section 3)."""
_LIBRARIES = 540 * 2**20
"""Python, torch, transformers, trl and the dataset, as measured."""
_TOKENIZER = 1000
"""Bytes per token of the vocabulary, as measured."""
_TRAINED_SHARE = 0.5
"""Assumed of a row while the dataset is not known."""
_DORA = 3.5
"""How often DoRA keeps the outputs of its layers, as counted."""
_LOGIT_COPIES = 3
"""At the start of the backward pass: the kept logits, their log-softmax, and its gradient."""
_SLACK = 0.52
"""What the allocator holds and cannot reuse, as a share of the activations, as measured; logits are large enough to be
given back whole, and DoRA's outputs find their place in what the others left."""
_LAYER = re.compile(r"(?:^|\.)layers\.(\d+)\.")
_SAME_INPUT = {**dict.fromkeys(("q_proj", "k_proj", "v_proj"), "qkv"), **dict.fromkeys(("gate_proj", "up_proj"), "up")}
"""Layers that read the same tensor, which is kept once for all of them."""


class MemoryEstimate(BaseModel):
    """The peak memory of a run's worker in bytes, part by part, for its longest rows."""

    model_config = ConfigDict(frozen=True)

    libraries: int = Field(description="Python, torch and what else is loaded, and the mapped file of the weights.")
    weights: int = Field(description="The frozen base model.")
    adapter: int = Field(description="The LoRA matrices, float32.")
    gradients: int = Field(description="Their gradients, float32.")
    optimizer: int = Field(description="AdamW's two averages of the gradients, float32.")
    activations: int = Field(description="What the forward pass keeps for the backward pass, of all layers.")
    logits: int = Field(description="Scores of the whole vocabulary at trained positions, float32, with copies.")
    slack: int = Field(description="What the allocator holds and cannot use again.")
    processes: int = Field(1, description="Processes that each need the above.")
    rows: int = Field(description="Rows in one forward pass.")
    row_tokens: int = Field(description="Tokens of each of them.")

    @property
    def total(self) -> int:
        """All parts together."""
        parts = (self.libraries, self.weights, self.adapter, self.gradients, self.optimizer)
        return self.processes * (sum(parts) + self.activations + self.logits + self.slack)

    @property
    def gib(self) -> float:
        """All parts together, in GiB."""
        return self.total / GIB


@dataclass(frozen=True)
class BaseFacts:
    """What the estimate wants to know of a base model.

    Attributes:
        shapes: of its weights by name, outputs first.
        file_bytes: size of the files that hold them; they stay mapped and count as resident, as measured.
        window: tokens that a layer with sliding attention looks back; 0: there is no such layer.
        windowed: how many of its layers have it.
    """

    shapes: Shapes
    parameters: int
    vocab_size: int
    layers: int
    file_bytes: int = 0
    window: int = 0
    windowed: int = 0

    @classmethod
    def read(cls, folder: Path) -> BaseFacts:
        """From config.json and the headers of the safetensors files in `folder`. Raises `BaseModelError`."""
        described, facts = describe_weights(folder), read_json(folder / "config.json")
        layers, kinds = int(facts.get("num_hidden_layers", 0)), facts.get("layer_types") or []
        windowed = kinds.count("sliding_attention")
        window = int(facts.get("sliding_window") or 0) if windowed else 0
        size = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
        return cls(described.shapes, described.parameters, described.vocab_size, layers, size, window, windowed)

    def masked_layers(self, rows: int, tokens: int) -> int:
        """Layers that are given an attention mask: all where rows may differ in length, else those with a window."""
        return self.layers if rows > 1 else self.windowed if tokens > self.window else 0


def estimate_memory(
    config: TrainingConfig,
    base: BaseFacts,
    *,
    native_bfloat16: bool,
    longest_row: int | None = None,
    trained_share: float | None = None,
) -> MemoryEstimate:
    """The peak memory of a run, all of its processes together.

    Args:
        native_bfloat16: whether the weights are kept in bfloat16 (see `studio.training.devices.choose_dtype`).
        longest_row: tokens of the longest row that will be read; None: `max_seq_length`.
        trained_share: share of the tokens that carry loss, 0 to 1; None: a half.
    """
    width = 2 if native_bfloat16 else _FLOAT32
    tokens = min(config.max_seq_length, longest_row or config.max_seq_length)
    targets = _targets(base.shapes, config)
    adapter = _adapter(targets, config)
    kept = config.batch_size * tokens * _bytes_per_token(base.shapes, targets, config, width)
    kept += config.batch_size * tokens * _masked_per_token(base, width, config.batch_size, tokens)
    logits = _logits(base, config.batch_size * tokens, config.batch_size, trained_share or _TRAINED_SHARE)
    return MemoryEstimate(
        libraries=_LIBRARIES + _TOKENIZER * base.vocab_size + base.file_bytes,
        weights=_weights(base, config, width),
        adapter=adapter,
        gradients=adapter,
        optimizer=2 * adapter,
        activations=kept,
        logits=logits,
        slack=int(_SLACK * (kept - config.batch_size * tokens * _dora_outputs(targets, config))),
        processes=config.processes,
        rows=config.batch_size,
        row_tokens=tokens,
    )


def largest_that_fits(fits: Callable[[int], bool], most: int, least: int = 1) -> int | None:
    """The largest number from `least` to `most` for which `fits` holds, when it holds for all smaller ones, too."""
    if not fits(least):
        return None
    low, high = least, most
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


def _targets(shapes: Shapes, config: TrainingConfig) -> Targets:
    """The matrices that get an adapter, by name, as (outputs, inputs)."""
    found = {}
    for name, shape in shapes.items():
        module = name.removesuffix(".weight")
        wanted = config.target_modules == "all-linear" or module.rpartition(".")[2] in config.target_modules
        if len(shape) == 2 and _LAYER.search(name) and wanted:
            found[module] = (shape[0], shape[1])
    return found


def _adapter(targets: Targets, config: TrainingConfig) -> int:
    """Bytes of A and B of every target, and of DoRA's magnitudes."""
    magnitudes = sum(rows for rows, _ in targets.values()) if config.use_dora else 0
    return _FLOAT32 * (sum(config.lora_rank * (rows + columns) for rows, columns in targets.values()) + magnitudes)


def _weights(base: BaseFacts, config: TrainingConfig, width: int) -> int:
    """Bytes of the frozen weights: the linear layers in 4 bits if asked for, all else in the type that computes."""
    if config.quantize_base == "none":
        return width * base.parameters
    packed = sum(prod(shape) for name, shape in base.shapes.items() if len(shape) == 2 and _LAYER.search(name))
    return int(_NF4 * packed) + width * (base.parameters - packed)


def _bytes_per_token(shapes: Shapes, targets: Targets, config: TrainingConfig, width: int) -> int:
    """What autograd keeps of one token in all layers: before the norms, of the products, and for the adapters."""
    outputs = _outputs(shapes)
    norms = sum(_norm_width(name, size, outputs) for name, size in outputs.items() if "norm" in name)
    attention = 0 if _is_plain(config) and any(name.endswith(".o_proj") for name in targets) else 1
    copies = {"gate_proj": 2, "up_proj": 1, "q_proj": 1 + attention, "k_proj": 1, "v_proj": 1}
    products = sum(copies.get(name.rpartition(".")[2], 0) * size for name, size in outputs.items())
    return _FLOAT32 * norms + width * products + _adapter_inputs(targets, config, width)


def _norm_width(name: str, size: int, outputs: Mapping[str, int]) -> int:
    """Numbers per token that a norm reads: those of queries and keys read all heads with the weights of one."""
    return outputs.get(re.sub(r"([qk])_norm$", r"\1_proj", name), size)


def _adapter_inputs(targets: Targets, config: TrainingConfig, width: int) -> int:
    """What A and B read, in bytes per token: as it is, kept once for layers that read the same; or peft's copies."""
    plain, inputs = _is_plain(config), {}
    for name, (_, columns) in targets.items():
        parent, _, kind = name.rpartition(".")
        inputs[f"{parent}.{_SAME_INPUT.get(kind, kind)}" if plain else name] = columns
    numbers = sum(inputs.values()) + config.lora_rank * len(targets)
    dropped = _FLOAT32 * sum(inputs.values()) if config.lora_dropout else 0  # torch keeps a factor for every input
    return (width if plain else _FLOAT32) * numbers + dropped + _dora_outputs(targets, config)


def _dora_outputs(targets: Targets, config: TrainingConfig) -> int:
    """What DoRA keeps of its layers' outputs, in bytes per token."""
    return int(_DORA * _FLOAT32 * sum(rows for rows, _ in targets.values())) if config.use_dora else 0


def _is_plain(config: TrainingConfig) -> bool:
    """Whether `studio.training.lora_linear` computes the adapters, and not peft."""
    return not (config.lora_dropout or config.use_dora or config.quantize_base != "none")


def _masked_per_token(base: BaseFacts, width: int, rows: int, tokens: int) -> int:
    """More in layers with a mask: the mask itself, and keys and values once for every head of the queries."""
    outputs, masked = _outputs(base.shapes), base.masked_layers(rows, tokens)
    pairs = [(f"{name[:-6]}q_proj", size) for name, size in outputs.items() if name.endswith((".k_proj", ".v_proj"))]
    repeated = sum(outputs[queries] - size for queries, size in pairs)
    return width * (repeated * masked // max(1, base.layers) + tokens * masked)


def _outputs(shapes: Shapes) -> dict[str, int]:
    """Outputs of every layer's tensors, by name."""
    return {name.removesuffix(".weight"): shape[0] for name, shape in shapes.items() if _LAYER.search(name)}


def _logits(base: BaseFacts, tokens: int, rows: int, share: float) -> int:
    """Positions that are trained in one row are computed in all of them."""
    positions = tokens * (1 - (1 - share) ** rows)
    return int(_LOGIT_COPIES * _FLOAT32 * positions * base.vocab_size)
