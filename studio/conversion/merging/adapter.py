"""Read a PEFT LoRA adapter without PEFT or torch, and refuse, by name, whatever would not merge exactly.

Supported: LoRA, rsLoRA and DoRA on linear layers, rank and alpha patterns. Not supported: biases, `modules_to_save`,
embeddings, initialisations that change the base weights, and every other option that is switched on.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import AliasChoices, Field, ValidationError
from pydantic import BaseModel as PydanticModel

from studio.conversion.formats.safetensors_file import StoredTensor, read_tensors
from studio.errors import ConversionError

CONFIG_FILE = "adapter_config.json"
WEIGHTS_FILE = "adapter_model.safetensors"
PROVENANCE_FILE = "provenance.json"
PREFIX = "base_model.model."
_ONE_THREAD = 1 << 19
"""Multiplications of a product that OpenBLAS does on one thread; it was seen to take more for twice as many."""

# What may stand in adapter_config.json without changing how the adapter merges.
_HARMLESS = {
    "task_type", "peft_type", "auto_mapping", "peft_version", "base_model_name_or_path", "revision", "inference_mode",
    "r", "target_modules", "exclude_modules", "lora_alpha", "lora_dropout", "use_rslora", "use_dora",
    "layers_to_transform", "layers_pattern", "rank_pattern", "alpha_pattern", "megatron_core", "qalora_group_size",
    "init_lora_weights", "loftq_config", "eva_config", "runtime_config", "ensure_weight_tying",
}  # fmt: skip
_OFF: tuple[Any, ...] = (None, False, "none", [], {}, "")
_HARMLESS_INITIALISATIONS = (True, False, "gaussian", "eva", "orthogonal", "lora_only")
_PLAIN_NAME = re.compile(r"\^?[\w.]+\$?")
_KEY = re.compile(r"(?P<module>.+)\.lora_(?:(?P<part>[AB])(?:\.default)?\.weight|(?P<sizes>magnitude_vector))")


class Provenance(PydanticModel):
    """provenance.json beside an adapter: what it was trained from. Fields of a newer studio are ignored."""

    base: str = ""
    base_sha256: str = Field("", validation_alias=AliasChoices("base_sha256", "base_fingerprint"))
    dataset_fingerprint: str = ""
    config_sha256: str = ""
    adapter_sha256: str = ""
    parent_adapter_sha256: str = ""
    run: str = ""


@dataclass(frozen=True)
class LoraPair:
    """The two matrices of one layer: the update of its weights is `scale * b @ a`.

    Attributes:
        a: `[rank, inputs]`.
        b: `[outputs, rank]`.
        magnitude: with DoRA, the Euclidean length of every row of the changed weights, `[outputs]`.
    """

    a: StoredTensor
    b: StoredTensor
    scale: float
    magnitude: StoredTensor | None = None

    def update(self) -> LoraUpdate:
        """The matrices in memory."""
        lengths = self.magnitude.read() if self.magnitude else None
        return LoraUpdate(self.a.read(), self.b.read() * np.float32(self.scale), lengths)


@dataclass(frozen=True)
class LoraUpdate:
    """A pair that was read: `a` `[rank, inputs]`, `scaled_b` `[outputs, rank]`, `magnitude` `[outputs]`, float32."""

    a: npt.NDArray[np.float32]
    scaled_b: npt.NDArray[np.float32]
    magnitude: npt.NDArray[np.float32] | None = None

    def add_to(self, block: npt.NDArray[np.float32], first_row: int) -> npt.NDArray[np.float32]:
        """Rows `first_row` and following of the weights, `[rows, inputs]`, with the update added.

        DoRA (arXiv 2402.09353) then gives every row the length that was learned for it.
        """
        rows = slice(first_row, first_row + block.shape[0])
        changed = self._product(self.scaled_b[rows])
        changed += block  # in place: memory is what this waits for
        if self.magnitude is None:
            return changed
        lengths: npt.NDArray[np.float32] = np.linalg.norm(changed, axis=1, keepdims=True)
        stretched: npt.NDArray[np.float32] = changed * (self.magnitude[rows, None] / lengths)
        return stretched

    def _product(self, scaled_b: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """`scaled_b @ a` in strips so small that OpenBLAS keeps to one thread.

        With two, the second waits for work at full speed and takes three times the processor time for the same result.
        """
        product = np.empty((len(scaled_b), self.a.shape[1]), np.float32)
        strip = max(1, _ONE_THREAD // max(self.a.size, 1))
        for first in range(0, len(scaled_b), strip):
            np.matmul(scaled_b[first : first + strip], self.a, out=product[first : first + strip])
        return product


@dataclass(frozen=True)
class LoraAdapter:
    """An adapter on disk, checked. `read_adapter` gives one.

    Attributes:
        pairs: by the name of the weight they change, such as `model.layers.0.self_attn.q_proj.weight`.
    """

    folder: Path
    pairs: dict[str, LoraPair]
    provenance: Provenance

    @property
    def weights(self) -> Path:
        """The safetensors file."""
        return self.folder / WEIGHTS_FILE


def read_adapter(folder: Path) -> LoraAdapter:
    """The adapter in `folder`, its weights still on disk.

    Raises:
        ConversionError: a file is missing or damaged, or the adapter uses something that cannot be merged.
    """
    config = _read_config(folder / CONFIG_FILE)
    check_config(config)
    tensors = read_tensors(folder / WEIGHTS_FILE)
    try:
        pairs = _pair_up(tensors, config)
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ConversionError(f"{CONFIG_FILE} makes no sense.", why=str(error), where=str(folder)) from error
    return LoraAdapter(folder, pairs, read_provenance(folder))


def read_provenance(folder: Path) -> Provenance:
    """provenance.json; empty when there is none. Raises `ConversionError` when it cannot be read."""
    path = folder / PROVENANCE_FILE
    if not path.exists():
        return Provenance()
    try:
        return Provenance.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise ConversionError("The adapter's provenance cannot be read.", why=str(error), where=str(path)) from error


def check_config(config: dict[str, Any]) -> None:
    """Refuse adapters that would not merge exactly. Raises `ConversionError` with the option's name."""
    if config.get("peft_type") != "LORA":
        raise _unsupported(f"It is of the type {config.get('peft_type')!r}; only LORA can be merged.")
    for key, value in config.items():
        if key not in _HARMLESS and value not in _OFF:
            raise _unsupported(f"It was trained with {key} = {value!r}.")
    initialisation = config.get("init_lora_weights", True)
    if initialisation not in _HARMLESS_INITIALISATIONS:
        raise _unsupported(f"init_lora_weights = {initialisation!r} changes the base model's own weights.")


def lora_scale(config: dict[str, Any], module: str, rank: int) -> float:
    """By what the product of the two matrices is multiplied: alpha / r, with rsLoRA alpha / sqrt(r).

    Sources: LoRA, arXiv 2106.09685; rsLoRA, arXiv 2312.03732. The rank is that of the stored matrices.
    """
    alpha = float(_by_pattern(config.get("alpha_pattern") or {}, module, config.get("lora_alpha", rank)))
    return alpha / rank**0.5 if config.get("use_rslora") else alpha / rank


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConversionError(
            "There is no readable LoRA adapter in this folder.",
            why=str(error),
            next_step=f"Choose a folder with {CONFIG_FILE} and {WEIGHTS_FILE}.",
            where=str(path.parent),
        ) from error
    if not isinstance(config, dict):
        raise ConversionError(f"{CONFIG_FILE} is not a JSON object.", where=str(path.parent))
    return config


def _pair_up(tensors: dict[str, StoredTensor], config: dict[str, Any]) -> dict[str, LoraPair]:
    halves: dict[str, dict[str, StoredTensor]] = {}
    for name, tensor in tensors.items():
        match = _KEY.fullmatch(name)
        if not match:
            raise _unsupported(f"It holds the tensor {name[:120]!r}, which is no LoRA matrix of a linear layer.")
        halves.setdefault(match["module"].removeprefix(PREFIX), {})[match["part"] or match["sizes"]] = tensor
    if not halves:
        raise _unsupported("It holds no LoRA matrices.")
    return {f"{module}.weight": _pair(module, parts, config) for module, parts in halves.items()}


def _pair(module: str, parts: dict[str, StoredTensor], config: dict[str, Any]) -> LoraPair:
    magnitude = parts.pop("magnitude_vector", None)
    if parts.keys() != {"A", "B"}:
        raise _unsupported(f"One of the two matrices of {module} is missing.")
    a, b = parts["A"], parts["B"]
    if not (a.readable and b.readable):
        raise _unsupported(f"The matrices of {module} are of the types {a.dtype} and {b.dtype}.")
    if len(a.shape) != 2 or len(b.shape) != 2 or a.shape[0] != b.shape[1] or not a.shape[0]:
        raise _unsupported(f"The matrices of {module} do not fit each other: A is {a.shape}, B is {b.shape}.")
    rank = _by_pattern(config.get("rank_pattern") or {}, module, config.get("r"))
    if rank != a.shape[0]:
        raise _unsupported(f"The matrices of {module} have rank {a.shape[0]}, {CONFIG_FILE} says {rank}.")
    _check_magnitude(module, magnitude, b, bool(config.get("use_dora")))
    return LoraPair(a, b, lora_scale(config, module, a.shape[0]), magnitude)


def _check_magnitude(module: str, magnitude: StoredTensor | None, b: StoredTensor, dora: bool) -> None:
    if dora != (magnitude is not None):
        raise _unsupported(f"{CONFIG_FILE} says use_dora = {dora}, and {module} says otherwise.")
    if magnitude and (not magnitude.readable or magnitude.shape != b.shape[:1]):
        raise _unsupported(f"The lengths of the rows of {module} do not fit: {magnitude.shape}, B is {b.shape}.")


def _by_pattern(patterns: dict[str, Any], module: str, default: Any) -> Any:
    """The entry for a module, named by the end of its path, or by all of it after '^'.

    PEFT lets these be regular expressions. Those of an adapter that nobody vouches for could take for ever to match, so
    only plain names are taken.
    """
    for pattern, value in patterns.items():
        if not _PLAIN_NAME.fullmatch(pattern):
            raise _unsupported(f"It sets a rank or an alpha for the pattern {pattern[:120]!r}, not a layer name.")
        name = pattern.removeprefix("^").removesuffix("$")
        if module == name or (not pattern.startswith("^") and module.endswith(f".{name}")):
            return value
    return default


def _unsupported(why: str) -> ConversionError:
    return ConversionError(
        "This adapter cannot be merged exactly, so it is not merged at all.",
        why=why,
        next_step="Train a plain LoRA on linear layers (the studio's own runs are), or merge it with PEFT first.",
    )
