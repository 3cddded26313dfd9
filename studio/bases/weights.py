"""Reading what safetensors files and config.json say about a model, without loading it and without torch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from studio.errors import BaseModelError


@dataclass(frozen=True)
class WeightsSummary:
    """Sizes of a model in training form."""

    parameters: int
    context_length: int
    vocab_size: int
    shapes: dict[str, tuple[int, ...]]


def describe_weights(folder: Path) -> WeightsSummary:
    """Read config.json and the safetensors headers of `folder`.

    Raises:
        BaseModelError: a file is missing, damaged, or disagrees with the others.
    """
    config = read_json(folder / "config.json")
    shapes: dict[str, tuple[int, ...]] = {}
    for path in sorted(folder.glob("*.safetensors")):
        shapes |= _shapes(path)
    embedding = shapes.get("model.embed_tokens.weight")
    if embedding is None or len(embedding) != 2:
        raise BaseModelError(
            "The weights hold no token embedding.",
            why="model.embed_tokens.weight is missing from the safetensors files.",
            next_step="Use the complete Hugging Face folder of a text model.",
            where=str(folder),
        )
    expected = (int(config.get("vocab_size", 0)), int(config.get("hidden_size", 0)))
    if embedding != expected:
        raise BaseModelError(
            "The weights do not belong to this config.json.",
            why=f"The token embedding is {embedding}, config.json says {expected}.",
            where=str(folder),
        )
    context = int(config.get("max_position_embeddings", 0))
    return WeightsSummary(sum(prod(shape) for shape in shapes.values()), context, embedding[0], shapes)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object. Raises `BaseModelError` if the file is missing or something else."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BaseModelError(f"{path.name} cannot be read.", why=str(error), where=str(path)) from error
    if not isinstance(data, dict):
        raise BaseModelError(f"{path.name} is not a JSON object.", where=str(path))
    return data


def _shapes(path: Path) -> dict[str, tuple[int, ...]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (OSError, SafetensorError) as error:
        raise BaseModelError(
            "The weights cannot be read as safetensors.",
            why=str(error),
            next_step="Download the file again.",
            where=path.name,
        ) from error
