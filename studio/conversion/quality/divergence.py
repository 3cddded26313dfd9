"""How far two next-token distributions are apart, from logits: pure numpy, row by row."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

_Real = TypeVar("_Real", bound=np.floating[Any])


def log_softmax(logits: npt.NDArray[_Real]) -> npt.NDArray[_Real]:
    """The logarithm of the probabilities, `[rows, vocabulary]`, in nats; same type as the logits."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    total = np.exp(shifted).sum(axis=1, keepdims=True, dtype=np.float64)
    normalised: npt.NDArray[_Real] = shifted - np.log(total).astype(logits.dtype)
    return normalised


def kl_divergence(expected: npt.NDArray[_Real], found: npt.NDArray[_Real]) -> npt.NDArray[np.float64]:
    """KL(expected || found) of every row of log-probabilities, `[rows]`, in nats.

    S. Kullback and R. Leibler, On Information and Sufficiency, 1951. Never below 0, where rounding would bring it.
    """
    divergence: npt.NDArray[np.float64] = (np.exp(expected) * (expected - found)).sum(axis=1, dtype=np.float64)
    return np.maximum(divergence, 0.0)
