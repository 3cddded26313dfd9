"""What the pages say about ratings and corrections: what waits for review, where it comes from, what to train on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from studio.errors import StudioError
from studio.play.teaching.feedback import Feedback, ModelFeedback
from studio.scenarios.library import ScenarioLibrary
from studio.scenarios.reading import read_yaml
from studio.scenarios.review import waits_for_review
from studio.training import find_run
from studio.ui.wording import count, short_hash
from studio.workspace import Workspace

HEAD_BYTES = 4096
"""How much of a file is read for its front matter."""
_ORIGINS = ("correction", "played")
_LONGEST = 90


@dataclass(frozen=True)
class Waiting:
    """A scenario that nothing is learned from until somebody has looked at it."""

    id: str
    title: str
    front_matter: Mapping[str, Any]

    @property
    def sentence(self) -> str:
        """Where it comes from, for a list."""
        return origin_sentence(self.front_matter)


def waiting_scenarios(library: ScenarioLibrary) -> list[Waiting]:
    """What waits for review, in the order of the library."""
    found = []
    for entry in library.entries():
        front = _front_matter(library.path(entry.id), entry.modified_ns)
        if waits_for_review(front):
            found.append(Waiting(entry.id, entry.title or entry.name, front))
    return found


def origin(front_matter: Mapping[str, Any]) -> dict[str, Any]:
    """What a scenario's front matter says of the session that it was made from; empty when it was not."""
    named = (front_matter.get(key) for key in _ORIGINS)
    return next((dict(one) for one in named if isinstance(one, Mapping)), {})


def origin_sentence(front_matter: Mapping[str, Any]) -> str:
    """`Turn 3 of a session with tavern.Q8_0.gguf: should have rolled`."""
    said = origin(front_matter)
    if not said:
        return "Nobody knows where it comes from."
    model = said.get("adapter") or said.get("model") or "a model that is not known"
    turn = f"Turn {said['turn']} of a session" if said.get("turn") else "A whole session"
    kind = f": {said['kind']}" if said.get("kind") else ""
    return f"{turn} with {model}{kind}"


def run_behind(workspace: Workspace, said: Mapping[str, Any]) -> str:
    """The run whose adapter spoke, so that training can go on from it; empty for a base model or a run that is gone.

    Args:
        said: `origin` of a scenario.
    """
    named = str(said.get("run") or str(said.get("adapter", "")).partition("/")[0])
    try:
        return named if named and find_run(workspace, named).adapter else ""
    except StudioError:
        return ""


def model_line(counted: ModelFeedback) -> str:
    """`tavern.Q8_0.gguf (ab12cd34): 3 good, 1 bad, mostly: too long`."""
    most = [tag for tag, _ in counted.tags.most_common(2)]
    often = f", mostly: {', '.join(most)}" if most else ""
    hashed = short_hash(counted.adapter_sha256 or counted.model_sha256, 8)
    return f"{counted.model or 'a model that is not known'} ({hashed}): {counted.good} good, {counted.bad} bad{often}"


def reply_line(feedback: Feedback) -> str:
    """The reply in one line."""
    flat = " ".join(feedback.reply.split())
    return flat if len(flat) <= _LONGEST else f"{flat[:_LONGEST].rstrip()}…"


def feedback_sentence(feedback: Feedback) -> str:
    """Where a rated reply stands, and what was said about it."""
    tags = ", ".join(feedback.rating.tags)
    return " · ".join(one for one in (feedback.title, f"turn {feedback.rating.turn + 1}", tags) if one)


def notes_sentence(notes: tuple[str, ...]) -> str:
    """What was taken out to make a played conversation a scenario."""
    if not notes:
        return ""
    shown = " ".join(notes[:3])
    return shown if len(notes) <= 3 else f"{shown} And {count(len(notes) - 3, 'more such thing')}."


@lru_cache(maxsize=20_000)
def _front_matter(path: Path, modified_ns: int) -> Mapping[str, Any]:
    """The front matter of a file of that time, from its first bytes; empty where it has none or says no `review`."""
    try:
        with path.open("rb") as stream:
            head = stream.read(HEAD_BYTES).decode("utf-8", errors="replace").removeprefix("\ufeff")
    except OSError:
        return {}
    opened, _, rest = head.partition("\n")
    body, closed, _ = rest.partition("\n---")
    return read_yaml(body).values if opened.strip() == "---" and closed and "review" in body else {}
