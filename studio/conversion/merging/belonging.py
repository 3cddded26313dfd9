"""Whether an adapter and a base model belong together, and whether both are what they were when they were made."""

from __future__ import annotations

from collections.abc import Mapping

from studio.bases import BaseModel
from studio.conversion.families import EMBEDDING
from studio.conversion.formats.safetensors_file import StoredTensor
from studio.conversion.merging.adapter import LoraAdapter
from studio.errors import ConversionError
from studio.workspace import sha256_file


def check_base(base: BaseModel) -> None:
    """Refuse a base model whose files changed since it was imported.

    Reads every byte (about 1.5 s per GB). Raises `ConversionError`.
    """
    if damaged := base.damaged_files():
        raise ConversionError(
            f"The base model {base.name} is damaged.",
            why=f"{damaged[0]} is not as it was when imported.",
            next_step="Delete its folder under models/base/ and import it again.",
        )


def check_adapter(base: BaseModel, adapter: LoraAdapter) -> None:
    """Refuse an adapter whose weights changed since they were saved, or that was trained on another base.

    Reads every byte of the adapter, none of the base. Raises `ConversionError`.
    """
    own, stated = adapter.provenance.adapter_sha256, adapter.provenance.base_sha256
    if own and own != sha256_file(adapter.weights):
        raise ConversionError(
            "The adapter is not the one that the training run saved.",
            why=f"{adapter.weights.name} does not have the SHA-256 that its provenance.json names.",
            next_step="Resume the run from its last checkpoint so that it saves the adapter again, or train again.",
        )
    if stated and stated != base.fingerprint:
        raise ConversionError(
            f"This adapter was trained on another base model than {base.name} as it is now.",
            why=f"It names the base {stated[:12]}..., the imported one is {base.fingerprint[:12]}....",
            next_step="Import the base model that it was trained on, or train again.",
        )


def check_layers(adapter: LoraAdapter, stored: Mapping[str, StoredTensor]) -> None:
    """Refuse an adapter that changes what the base does not have, in another shape, or the token embedding.

    Args:
        stored: the base's tensors by their names in the checkpoint.

    Raises:
        ConversionError: with the name of the layer.
    """
    if missing := sorted(adapter.pairs.keys() - stored.keys()):
        raise ConversionError(
            f"The adapter changes {missing[0]!r}, which the base model does not have.",
            why=f"{len(missing)} of its {len(adapter.pairs)} layers are unknown.",
            next_step="Choose the base model that it was trained on.",
        )
    if EMBEDDING in adapter.pairs:
        raise ConversionError(
            "An adapter on the token embedding cannot be merged.", next_step="Train linear layers only."
        )
    for key in adapter.pairs:
        _check_shapes(key, stored[key], adapter)


def _check_shapes(key: str, source: StoredTensor, adapter: LoraAdapter) -> None:
    pair = adapter.pairs[key]
    if source.shape != (pair.b.shape[0], pair.a.shape[1]):
        raise ConversionError(
            f"The adapter does not fit the base model at {key}.",
            why=f"The layer is {source.shape}, the adapter is made for {(pair.b.shape[0], pair.a.shape[1])}.",
            next_step="Choose the base model that it was trained on.",
        )
