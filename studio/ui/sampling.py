"""How freely a model speaks, in plain words, and the sampling settings behind each."""

from __future__ import annotations

from dataclasses import dataclass

from studio.play import Sampling


@dataclass(frozen=True)
class Voice:
    """A named choice of sampling."""

    title: str
    hint: str
    sampling: Sampling


VOICES = {
    "steady": Voice(
        "Steady", "Sticks to what it learned; asks for rolls reliably.", Sampling(temperature=0.3, top_p=0.9)
    ),
    "balanced": Voice("Balanced", "A little surprise, few slips.", Sampling(temperature=0.7)),
    "bold": Voice("Bold", "Colourful, and wrong more often.", Sampling(temperature=1.0, min_p=0.08)),
}
