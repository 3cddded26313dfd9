"""How models do at the table, in a reader's words, and what the studio does about it after a turn."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from html import escape

from studio.errors import PlayError, StudioError
from studio.play import ChatSession, HostInfo, ModelHost, ModelStamp, TurnEndEvent
from studio.play.hosts.pool import LoadedFile
from studio.play.watching.monitor import ModelFigures, MonitorLog, Switched, turn_lost, turn_played
from studio.play.watching.rules import load_play_rules
from studio.play.watching.switching import Candidate, Switch, decide, last_switch
from studio.ui.playable import Playable, list_choices, played_with
from studio.ui.wording import count, short_hash, size
from studio.workspace import Workspace

_STATES = {"not loaded": "not loaded", "loading": "being loaded", "ready": "ready", "replying": "replying"}


def note_turn(
    workspace: Workspace, session: ChatSession, host: ModelHost, now: float, failed: StudioError | None = None
) -> Switch | None:
    """Write down how a turn went, and go on with another model if the rules say so: the session then names it.

    Rules that cannot be read stop no game.
    """
    info = host.last_loaded
    with suppress(OSError, StudioError):
        if info is not None and record_turn(workspace, session, host, now, failed):
            return _switched(workspace, session, info, now)
    return None


def record_turn(
    workspace: Workspace, session: ChatSession, host: ModelHost, now: float, failed: StudioError | None = None
) -> bool:
    """Write down how a turn went; False where it says nothing about the model, or the log cannot be written."""
    log, info = MonitorLog.of(workspace), host.last_loaded
    if info is None:
        return False
    with suppress(OSError):
        if isinstance(failed, PlayError) and (lost := turn_lost(now, session.id, info, failed)):
            log.append(lost)
            return True
        end = session.turns[-1].events[-1] if failed is None and session.turns and session.turns[-1].events else None
        if isinstance(end, TurnEndEvent) and end.reason != "waiting_for_dice":
            log.append(turn_played(now, session.id, info, end.statistics, host.memory_bytes))
            return True
    return False


def go_back(workspace: Workspace, session: ChatSession, switch: Switched, now: float) -> None:
    """Play on with the model before a switch. Nothing is switched for a while after."""
    session.playable = switch.source
    _by_hand(workspace, session, switch, switch.source, switch.source_title, now)


def stay(workspace: Workspace, session: ChatSession, switch: Switched, now: float) -> None:
    """Keep the model of a switch, and say no more about it."""
    _by_hand(workspace, session, switch, switch.target, switch.target_title, now)


def open_switch(workspace: Workspace, session: ChatSession) -> Switched | None:
    """The switch that the session stands after and that nobody has said anything to."""
    last = last_switch(MonitorLog.of(workspace).records(), session.id)
    return last if last and not last.by_hand and last.target == session.playable else None


def switch_sentence(switch: Switched) -> str:
    """What was switched and why."""
    if not switch.cause:
        return f"The studio went back to {switch.target_title}, because {switch.why}."
    return f"The studio went on with {switch.target_title}, because of {switch.source_title}: {switch.why}."


def figures_html(figures: Sequence[ModelFigures], own: str) -> str:
    """Models with their figures, what was never measured left out; `own` is the hash of the one that is played."""
    return _models(_model_html(one.name, "at this table" if one.model == own else "", _figures(one)) for one in figures)


def loaded_html(files: Sequence[LoadedFile]) -> str:
    """The loaded files with hash, memory and state."""
    return _models(_model_html(_full_name(one), "", _state(one), f" state-{one.state}") for one in files)


def _figures(one: ModelFigures) -> list[tuple[str, str]]:
    return [
        ("SHA-256", short_hash(one.model)),
        ("first word", f"{one.ttft_seconds:.1f} s" if one.ttft_seconds else ""),
        ("speed", f"{one.tokens_per_second:.0f} tokens/s" if one.tokens_per_second else ""),
        ("memory", size(one.memory_bytes) if one.memory_bytes else ""),
        ("requests", f"{one.malformed:,} of {one.requests:,} misread" if one.requests else ""),
        ("crashes", f"{one.crashes:,}" if one.crashes else "none"),
        ("loaded anew", count(one.restarts, "time") if one.restarts else ""),
        ("in the last", count(one.turns + one.crashes, "turn")),
    ]


def _state(one: LoadedFile) -> list[tuple[str, str]]:
    return [
        ("SHA-256", short_hash(one.sha256)),
        ("memory", size(one.memory_bytes)),
        ("state", _STATES[one.state]),
        ("loaded anew", count(one.restarts, "time") if one.restarts else ""),
    ]


def _full_name(one: LoadedFile) -> str:
    return f"{one.name} with {one.adapter}" if one.adapter else one.name


def _models(models: Iterable[str]) -> str:
    return f'<div class="models">{"".join(models)}</div>'


def _model_html(name: str, note: str, pairs: Sequence[tuple[str, str]], kind: str = "") -> str:
    rows = "".join(f"<div><dt>{escape(label)}</dt><dd>{escape(value)}</dd></div>" for label, value in pairs if value)
    said = f"<small>{escape(note)}</small>" if note else ""
    return f'<div class="model{kind}"><div class="name">{escape(name)}{said}</div><dl>{rows}</dl></div>'


def budget_sentence(loaded: Sequence[LoadedFile], limit: int) -> str:
    """How much of the memory for models is taken."""
    taken = size(sum(one.memory_bytes for one in loaded))
    return f"{taken} of {size(limit)} for models are taken." if limit else f"{taken} are taken."


def candidate(one: Playable) -> Candidate:
    """A playable as switching sees it: files of a run replace each other, adapters replace nothing."""
    return Candidate(one.id, one.title, f"{one.path.parent.name}{'/adapter' if one.is_adapter else ''}", one.bytes)


def _switched(workspace: Workspace, session: ChatSession, info: HostInfo, now: float) -> Switch | None:
    log, models = MonitorLog.of(workspace), list_choices(workspace)
    played = played_with(models, ModelStamp.of(info))
    if played is None:
        return None
    switch = decide(
        log.records(),
        load_play_rules(workspace).switching,
        session=session.id,
        model=info.played_sha256,
        played=candidate(played),
        candidates=[candidate(one) for one in models],
        now=now,
    )
    if switch is not None:
        log.append(switch.record(now, session.id))
        session.playable = switch.target.id
    return switch


def _by_hand(workspace: Workspace, session: ChatSession, switch: Switched, target: str, title: str, now: float) -> None:
    """Raises `PlayError`."""
    record = Switched(
        time=now, session=session.id, source=switch.target, source_title=switch.target_title, target=target,
        target_title=title, by_hand=True,
    )  # fmt: skip
    try:
        MonitorLog.of(workspace).append(record)
    except OSError as error:
        raise PlayError(
            "The choice could not be written down.", why=str(error), next_step="Free some space on the disk."
        ) from error
