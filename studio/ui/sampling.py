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


@dataclass(frozen=True)
class Knob:
    """One setting of a voice of one's own: its name in `Sampling`, its range, and what it does in plain words."""

    name: str
    title: str
    hint: str
    least: float
    most: float
    step: float


VOICES = {
    "steady": Voice(
        "Steady", "Sticks to what it learned; asks for rolls reliably.", Sampling(temperature=0.3, top_p=0.9)
    ),
    "balanced": Voice("Balanced", "A little surprise, few slips.", Sampling(temperature=0.7)),
    "bold": Voice("Bold", "Colourful, and wrong more often.", Sampling(temperature=1.0, min_p=0.08)),
}
OWN = "own"
OWN_HINT = "Every setting by itself. They begin as in Balanced."
OWN_BEGINS = VOICES["balanced"].sampling
KNOBS = (
    Knob(
        "temperature",
        "Daring (temperature)",
        "How often it takes an unlikely word. 0 always takes the likeliest: the same line, the same reply.",
        0.0, 2.0, 0.05,
    ),
    Knob(
        "top_p",
        "Share of likely words (top-p)",
        "It chooses among the likeliest words that together reach this share. Lower is tamer; 1 leaves none out.",
        0.05, 1.0, 0.05,
    ),
    Knob(
        "min_p",
        "Least likelihood (min-p)",
        "Words less likely than this share of the likeliest one are left out. Higher guards a daring voice.",
        0.0, 0.5, 0.01,
    ),
    Knob(
        "repeat_penalty",
        "Against repetition (repeat penalty)",
        "Above 1 it avoids words that it just used. Far above, it avoids names and little words, too, and stumbles.",
        1.0, 1.5, 0.01,
    ),
    Knob(
        "max_tokens",
        "Longest reply (tokens)",
        "Where a reply is cut if it does not end by itself. 100 tokens are about 75 words.",
        16, 1024, 16,
    ),
)  # fmt: skip


def own_sampling(values: dict[str, float]) -> Sampling:
    """The sampling of a voice of one's own; what is not given is as in Balanced."""
    whole = {name: int(value) if name == "max_tokens" else float(value) for name, value in values.items()}
    return Sampling.model_validate({**OWN_BEGINS.model_dump(), **whole})


def voice_name(sampling: Sampling) -> str:
    """What a choice of sampling is called."""
    return next((one.title for one in VOICES.values() if one.sampling == sampling), "A voice of your own")
