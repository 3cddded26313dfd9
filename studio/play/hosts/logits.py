"""What is read from the logits of many positions at once: the likeliest tokens, and what was given to a certain one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Logits = NDArray[np.float32]
_ROWS = 16
"""Rows whose exponentials are held at once: 16 times a vocabulary of 262,144 is 16 MiB."""


def likeliest(logits: Logits) -> list[int]:
    """The index of the highest logit of every row, the first where several are."""
    return [int(one) for one in logits.argmax(axis=-1)]


def negative_log_likelihood(logits: Logits, tokens: Sequence[int]) -> NDArray[np.float64]:
    """What each row of logits gives to its token: minus the log-softmax, in nats, `[rows]`."""
    found = np.empty(len(tokens), np.float64)
    for start in range(0, len(tokens), _ROWS):
        rows = logits[start : start + _ROWS]
        highest = rows.max(axis=-1, keepdims=True)
        total = np.exp(rows - highest).sum(axis=-1, dtype=np.float64)
        chosen = rows[np.arange(len(rows)), tokens[start : start + _ROWS]]
        found[start : start + _ROWS] = np.log(total) + (highest[:, 0].astype(np.float64) - chosen)
    return found
