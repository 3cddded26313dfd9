"""A comparison that was played from a script: run it, and write it down as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from studio.errors import StudioError
from studio.play.comparison import ComparedTurn, Seat, SeatFailed, difference, side_by_side, turn_of
from studio.play.hosts.client import HostOptions, ModelHost
from studio.play.sessions.session import ModelStamp, PlaySettings, new_session
from studio.play.turns.events import TurnEndEvent
from studio.scenarios import TrainingScenario, Vocabulary

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_GROUP = "script"


class ComparedModel(BaseModel):
    """One model: what was loaded, and what it made of each line."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())

    name: str
    model: ModelStamp | None = Field(None, description="None when it could not be loaded.")
    turns: list[ComparedTurn] = Field(default_factory=list)
    error: str = Field("", description="Why it went no further.")


class Comparison(BaseModel):
    """Models that were given the same lines, scene and seed."""

    model_config = ConfigDict(extra="forbid")

    title: str
    seed: int
    settings: PlaySettings
    lines: list[str]
    models: list[ComparedModel]


@dataclass(frozen=True)
class Contender:
    """A model that is to be compared: how it is called, its file, and how to load it."""

    name: str
    path: Path
    options: HostOptions


def compare(
    contenders: Sequence[Contender],
    scenario: TrainingScenario,
    lines: Sequence[str],
    vocabulary: Vocabulary,
    *,
    seed: int = 7,
    settings: PlaySettings | None = None,
    on_turn: Callable[[], None] = lambda: None,
) -> Comparison:
    """Play the lines with each model, one after the other; only one is loaded at a time.

    A model that cannot be loaded or stops working has its reason written in its column.
    """
    chosen = settings or PlaySettings()
    played = [_played(one, scenario, lines, vocabulary, seed, chosen, on_turn) for one in contenders]
    title = str(scenario.metadata.get("title", "")) or "Comparison"
    return Comparison(title=title, seed=seed, settings=chosen, lines=list(lines), models=played)


def _played(
    contender: Contender,
    scenario: TrainingScenario,
    lines: Sequence[str],
    vocabulary: Vocabulary,
    seed: int,
    settings: PlaySettings,
    on_turn: Callable[[], None],
) -> ComparedModel:
    session = new_session(scenario, session_id="compared", created=_EPOCH, seed=seed, settings=settings)
    session.group = _GROUP
    result = ComparedModel(name=contender.name)
    with ModelHost(contender.path, contender.options) as host:
        seat = Seat(session, lambda: host)
        for line in lines:
            for _, event in side_by_side([seat], line, vocabulary, fresh=True):
                if isinstance(event, SeatFailed):
                    result.error = str(event.error)
                elif isinstance(event, TurnEndEvent):
                    on_turn()
            if result.error:
                break
    result.model = session.model
    result.turns = [turn_of(session, number) for number in range(len(session.turns))]
    return result


def failure_of(name: str, error: StudioError) -> ComparedModel:
    """The column of a model that is not there."""
    return ComparedModel(name=name, error=str(error))


def comparison_markdown(comparison: Comparison) -> str:
    """The comparison as a page: what was loaded, a table of figures, and a table of replies for each line."""
    sampling, models = comparison.settings.sampling, comparison.models
    head = [
        f"# {comparison.title}",
        "",
        f"The same lines, scene and seed ({comparison.seed}) for each model; temperature {sampling.temperature:g}. "
        "Where models ask for the same roll, they get the same dice.",
        "",
        _table(["", *(one.name for one in models)], [(name, [of(one) for one in models]) for name, of in _FIGURES]),
    ]
    return (
        "\n".join([*head, *(part for number in range(len(comparison.lines)) for part in _line(comparison, number))])
        + "\n"
    )


def _line(comparison: Comparison, number: int) -> list[str]:
    turns = [one.turns[number] if number < len(one.turns) else None for one in comparison.models]
    rows = [
        ("Reply", [_reply(one) for one in turns]),
        ("Asked for", [", ".join(one.asked) or "nothing" if one else "" for one in turns]),
        ("First token, tokens/s", [_speed(one) for one in turns]),
    ]
    told = difference(turns, [one.name for one in comparison.models])
    names = ["", *(one.name for one in comparison.models)]
    marked = ["", f"**Different:** {told}"] if told else []
    return ["", f"## {number + 1}. {_cell(comparison.lines[number])}", "", _table(names, rows), *marked]


def _reply(turn: ComparedTurn | None) -> str:
    if turn is None:
        return "*no answer*"
    said = [f"`{one.content}`" if one.role == "tool" else one.content for one in turn.said]
    return "\n\n".join(said) or "*nothing*"


def _speed(turn: ComparedTurn | None) -> str:
    if turn is None:
        return ""
    return f"{turn.statistics.ttft_seconds:.2f} s, {turn.statistics.tokens_per_second:.0f}"


def _loaded(one: ComparedModel) -> str:
    if one.model is None:
        return f"*{one.error or 'not loaded'}*"
    adapter = f" with {one.model.adapter} `{one.model.adapter_sha256[:16]}`" if one.model.adapter else ""
    return f"{one.model.path} `{one.model.sha256[:16]}`{adapter}"


def _total(of: Callable[[ComparedTurn], int]) -> Callable[[ComparedModel], str]:
    return lambda one: str(sum(map(of, one.turns)))


def _pace(one: ComparedModel) -> str:
    speeds = [turn.statistics.tokens_per_second for turn in one.turns if turn.statistics.tokens_per_second]
    return f"{sum(speeds) / len(speeds):.0f}" if speeds else ""


_FIGURES: list[tuple[str, Callable[[ComparedModel], str]]] = [
    ("File, SHA-256", _loaded),
    ("Lines answered", lambda one: str(len(one.turns)) + (f" (then: {one.error})" if one.error and one.turns else "")),
    ("Rolls", _total(lambda turn: turn.statistics.rolls)),
    ("Requests that could not be understood", _total(lambda turn: turn.statistics.malformed)),
    ("Tokens/s", _pace),
]


def _table(header: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]) -> str:
    lines = [header, ["---"] * len(header), *([name, *cells] for name, cells in rows)]
    return "\n".join("| " + " | ".join(_cell(one) for one in line) + " |" for line in lines)


def _cell(text: str) -> str:
    """One line that a table can hold."""
    return "<br>".join(" ".join(part.split()) for part in text.replace("|", "\\|").split("\n") if part.strip())
