"""Assistant-only loss: cross-entropy of trained tokens, with logits computed only where one of them is predicted.

The vocabulary is the widest matrix of a small model, and most positions (system block, players, dice) carry no loss.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch.nn import functional

from studio.training.batches import IGNORED, Batch
from studio.training.beginnings import BEGINNING, Beginning, sharing


def trained_token_loss(model: Any, batch: Mapping[str, Any]) -> tuple[torch.Tensor, int]:
    """Summed cross-entropy in nats over the trained tokens of a batch, and how many they are.

    A token is predicted from the position before it, so the first of a row never counts. What the rows share of a
    `Beginning` is computed only if that was not done before.
    """
    beginning: Beginning | None = batch.get(BEGINNING)
    ids, begun = batch["input_ids"], beginning.length if beginning else 0
    targets = batch["labels"][:, begun + 1 :]
    trained = targets != IGNORED
    columns = trained.any(dim=0).nonzero().squeeze(1)  # in some row, the next token is a trained one
    # A batch without padding needs no mask, and then attention takes its fastest path.
    mask = None if bool(batch["attention_mask"].all()) else batch["attention_mask"]
    states = beginning.states(getattr(model, "module", model), ids) if beginning else None
    output = model(
        input_ids=ids[:, begun:], attention_mask=mask, past_key_values=states, use_cache=False, logits_to_keep=columns
    )
    kept = trained[:, columns]
    loss = functional.cross_entropy(output.logits[kept].float(), targets[:, columns][kept], reduction="sum")
    return loss, int(kept.sum())


def mean_loss(model: Any, batches: Iterable[Batch], device: torch.device | str) -> tuple[float, int]:
    """Mean cross-entropy in nats per trained token over all batches, however they are cut, and the number of tokens."""
    was_training = model.training
    model.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for batch in sharing({key: value.to(device) for key, value in one.items()} for one in batches):
            loss, tokens = trained_token_loss(model, batch)
            total, count = total + float(loss), count + tokens
    model.train(was_training)
    return total / max(1, count), count
