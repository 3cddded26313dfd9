"""How large a model's window may be, what each size takes of memory, and what to do when it is full."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from studio.conversion.formats.gguf_header import read_header
from studio.conversion.memory import player_memory
from studio.conversion.sources import find_source
from studio.errors import StudioError
from studio.play.sessions.session import WhenFull
from studio.ui.playable import Playable
from studio.ui.wording import size
from studio.workspace import Workspace

SIZES = (1024, 2048, 4096, 8192)
USUAL = 2048


@dataclass(frozen=True)
class WindowChoice:
    """A size of the window in tokens, and the bytes of memory that it takes beside the weights; 0 when unknown."""

    tokens: int
    bytes: int = 0

    @property
    def label(self) -> str:
        """For a list of sizes."""
        words = f"{self.tokens:,} tokens, about {round(self.tokens * 0.75, -2):,.0f} words"
        return f"{words} · {size(self.bytes)} of memory" if self.bytes else words


WHEN_FULL: dict[WhenFull, tuple[str, str]] = {
    "hide": ("Hide the oldest turns", "The model forgets them. Nothing is lost in your session."),
    "studio": (
        "Hide them and tell a recap",
        "The studio tells in a few lines what happened: hit points, slots, items, the last rolls and who said what. "
        "Best for models that were trained with recaps (`preprocess --recap`).",
    ),
    "summarise": (
        "Let the model summarise them",
        "The model writes the story so far, the studio adds the numbers and takes out what is wrong. It takes some "
        "seconds, and small models summarise badly: when nothing is left of it, the studio's recap stands in.",
    ),
}


def window_choices(workspace: Workspace, model: Playable) -> list[WindowChoice]:
    """The sizes that a model can have, at most what it was trained for; without memory where its file is unreadable."""
    try:
        path = _file(workspace, model)
        header, bytes_ = read_header(path), path.stat().st_size
    except (StudioError, OSError):
        return [WindowChoice(one) for one in SIZES]
    trained = header.hyperparameter("context_length") or SIZES[-1]
    found = []
    for tokens in [one for one in SIZES if one <= trained] or [trained]:
        need = player_memory(header, bytes_, tokens)
        found.append(WindowChoice(tokens, need.kv_cache + need.compute))
    return found


def _file(workspace: Workspace, model: Playable) -> Path:
    """The file itself; of an adapter that of its base."""
    if not model.is_adapter:
        return model.path
    return find_source(workspace, model.path).base.gguf or model.path
