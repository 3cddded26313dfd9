"""Measurements as a page shows them: what to choose first, a verdict in a sentence, and the turns behind a figure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

from studio.bases import list_bases
from studio.conversion.gguf_header import read_header
from studio.errors import ConversionError, StudioError
from studio.jobs import JobState
from studio.metrics import Comparison, Figure
from studio.metrics.comparison import Verdict
from studio.scenarios import Vocabulary
from studio.ui.playable import Playable
from studio.ui.story import Speaker, turn_html
from studio.ui.wording import count, duration, size
from studio.validation import CHECKS, BenchmarkReport, ModelResult, ReportCard, SpeedRow
from studio.validation.breakdown import Row
from studio.validation.card import TurnShown
from studio.validation.html import turn_faults
from studio.workspace import Workspace

Tone = Literal["better", "worse", "mixed", "same", "alone"]
PARENT_BASE = "studio.base.sha256"
_SPEAKERS: dict[str, Speaker] = {"user": "User", "assistant": "DM", "tool": "TOOLCALL"}

GROUPS: dict[str, tuple[str, ...]] = {
    "Asking for dice": (
        "turn_right", "call_accuracy", "call_precision", "call_recall", "call_f1", "tool_accuracy", "argument_accuracy",
        "argument_acceptable", "call_exact", "malformed",
    ),
    "Outcomes and numbers": (
        "outcome_told", "outcome_by_dice", "outcome_as_author", "outcome_unasked", "invented_numbers",
    ),
    "The telling": (
        "faithful", "speaks_for_player", "out_of_role", "copies_earlier_turn", "english", "repetition", "second_person",
    ),
    "Length and words": ("finished", "empty", "words", "length_ratio", "distinct_1", "distinct_2"),
}  # fmt: skip
"""The figures of a report by what they are about; every figure is in one of them."""


@dataclass(frozen=True)
class Headline:
    """What a report says about one model: plain text without markup."""

    tone: Tone
    title: str
    sentences: tuple[str, ...] = ()


@dataclass(frozen=True)
class Behind:
    """The turns behind a number: `lists` maps what a filter says to the keys of turns, in the order of the report."""

    title: str
    meaning: str
    label: str
    lists: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Answer:
    """What one model wrote for a turn; right is without a fault that counts, and `faults` are in words."""

    label: str
    text: str
    right: bool
    faults: tuple[str, ...]


# -- what to measure


def first_choice(workspace: Workspace, files: Sequence[Playable]) -> tuple[Playable | None, Playable | None]:
    """What is most likely to be measured: the newest file of one's own, and the base model that it was made from.

    Without a file of one's own: the first base model, against nothing.
    """
    own = next((one for one in files if not one.is_base), None)
    if own is None:
        return next(iter(files), None), None
    bases = [one for one in files if one.is_base]
    parent = _base_name(workspace, own)
    found = next((one for one in bases if one.path.parent.name == parent), None)
    return own, found or next(iter(bases), None)


def _base_name(workspace: Workspace, model: Playable) -> str:
    """The folder of the base model that a file says it was made from; empty when it says none that is here."""
    try:
        wanted = read_header(model.path).text(PARENT_BASE)
        bases = [one.base for one in list_bases(workspace) if one.base]
    except (ConversionError, OSError, StudioError):
        return ""
    return next((one.name for one in bases if wanted and one.fingerprint == wanted), "")


def measured_title(state: JobState) -> str:
    """What a measurement is called: `first against smollm2`; the job's own title where its models are not known."""
    models = state.arguments.get("models")
    named = [one.get("label") for one in models if isinstance(one, dict)] if isinstance(models, list) else []
    labels = [one for one in named if isinstance(one, str)]
    if not labels:
        return state.title or state.kind
    return f"{', '.join(labels[1:])} against {labels[0]}" if labels[1:] else labels[0]


def work_sentence(state: JobState) -> str:
    """How far a measurement is: `12 of 40 turns, 1 min 05 s left`."""
    done, total = int(state.progress.done), int(state.progress.total)
    if not total:
        return "Loading the model"
    left = f", {duration(state.seconds_left)} left" if state.seconds_left is not None else ""
    return f"{done:,} of {total:,} {state.progress.unit}{left}"


# -- what a report says


def headlines(card: ReportCard) -> list[Headline]:
    """One per model that was compared; one about the model itself when it was measured alone."""
    if card.baseline is None:
        return []
    if len(card.models) == 1:
        return [_alone(card.baseline, len(card.turns))]
    return [_compared(one, card.baseline, len(card.turns)) for one in card.models[1:]]


def verdict(card: ReportCard) -> Tone:
    """The whole report in a word: the worst that is said of any of its models."""
    tones: set[Tone] = {one.tone for one in headlines(card)}
    order: tuple[Tone, ...] = ("worse", "mixed", "same", "better", "alone")
    return next((one for one in order if one in tones), "alone")


def _alone(model: ModelResult, turns: int) -> Headline:
    right = model.summary.figures["turn_right"]
    if right.value is None:
        return Headline("alone", "There was no turn to judge.")
    reach = right.interval
    wide = f" In other tests of this kind: {reach.low:.0%} to {reach.high:.0%}." if reach else ""
    return Headline(
        "alone",
        f"{model.model.label} has {right.hits} of {count(turns, 'turn')} right",
        (f"That is {right.value:.0%}.{wide}", "Measure it against another model to learn whether that is much."),
    )


def _compared(model: ModelResult, baseline: ModelResult, turns: int) -> Headline:
    better = [one for one in model.comparisons if one.verdict == "better"]
    worse = [one for one in model.comparisons if one.verdict == "worse"]
    name, other = model.model.label, baseline.model.label
    sentences = tuple(_listed(word, found) for word, found in (("Better", better), ("Worse", worse)) if found)
    if better and worse:
        return Headline("mixed", f"{name} is better than {other} in some things and worse in others", sentences)
    if worse:
        return Headline("worse", f"{name} is worse than {other}", sentences)
    if better:
        return Headline("better", f"{name} is better than {other}", (*sentences, "Nothing is shown to be worse."))
    honest = f"That is not the same as no difference: with {count(turns, 'turn')} only a large one shows."
    return Headline("same", f"No difference shown between {name} and {other}", (honest,))


def _listed(word: str, found: Iterable[Comparison]) -> str:
    named = [f"{CHECKS[one.name].title} ({one.first:.0%} → {one.second:.0%})" for one in found]
    return f"{word}: {'; '.join(named)}."


# -- the turns behind a number


def behind_figure(figure: Figure, title: str, meaning: str, label: str) -> Behind:
    """The turns of a figure, first those that speak against the model, where there is such a thing."""
    lists = {"Against it": figure.faults} if figure.faults else {}
    return Behind(title, meaning, label, {**lists, "All": figure.turns})


def behind_comparison(one: Comparison, label: str) -> Behind:
    """The turns in which a model differs from the baseline."""
    words = CHECKS[one.name]
    lists = {"Lost": one.lost, "Won": one.gained}
    return Behind(words.title, words.meaning, label, {name: keys for name, keys in lists.items() if keys})


def changed_words(one: Comparison) -> str:
    """`2 lost, 9 won`, or that no turn changed."""
    parts = [f"{len(keys):,} {word}" for word, keys in (("lost", one.lost), ("won", one.gained)) if keys]
    return ", ".join(parts) or "no turn changed"


def answers(card: ReportCard, key: str, first: str = "") -> list[Answer]:
    """What every model wrote for a turn, that of the label `first` before the others."""
    found = [
        Answer(model.model.label, one.text, one.right, tuple(turn_faults(one)))
        for model in card.models
        for one in model.verdicts
        if one.key == key
    ]
    return sorted(found, key=lambda one: one.label != first)


def turn_block(turn: TurnShown, written: Sequence[Answer], vocabulary: Vocabulary) -> str:
    """A turn as HTML: what stood before it, the author's turn, and each model's with what is wrong. No user markup."""
    before = [turn_html(_SPEAKERS[one.role], one.content, vocabulary) for one in turn.before if one.role in _SPEAKERS]
    author = turn_html("DM", turn.authored, vocabulary, name="The author's turn")
    replies = [_answer(one, vocabulary) for one in written]
    return f'<div class="story measured">{"".join([*before, author, *replies])}</div>'


def stress_block(player: str, label: str, text: str, vocabulary: Vocabulary, longest: int = 600) -> str:
    """A turn that tries to break a model and its reply, as HTML without user markup."""
    cut = player if len(player) <= longest else f"{player[:longest]} …"
    asked = turn_html("User", cut or "(nothing)", vocabulary)
    return f'<div class="story measured">{asked}{turn_html("DM", text or "(nothing)", vocabulary, name=label)}</div>'


def _answer(one: Answer, vocabulary: Vocabulary) -> str:
    reply = turn_html("DM", one.text or "(nothing)", vocabulary, name=one.label)
    mark, word = ("good", "right") if one.right else ("bad", "not right")
    faults = f" {escape('; '.join(one.faults))}" if one.faults else ""
    return f'{reply}<div class="judged"><span class="outcome {mark}">{word}</span>{faults}</div>'


# -- tables


def part_rows(card: ReportCard, rows: Iterable[Row], head: str) -> list[dict[str, str]]:
    """A table of `studio.validation.breakdown` for a page: a column per model, notes after the figure."""
    labels = [one.model.label for one in card.models]
    return [
        {
            **({"Scene": one.part} if one.part else {}),
            head: one.title,
            **{label: "; ".join([cell.text, *cell.notes]) for label, cell in zip(labels, one.cells, strict=True)},
        }
        for one in rows
    ]


# -- speed


def speed_sentences(report: BenchmarkReport) -> list[str]:
    """How each model compares with the first, with most threads and the longest prompt; no sentence for the first."""
    compared = [one for one in report.rows if one.prefill_ratio is not None]
    hardest = {one.model: one for one in sorted(compared, key=lambda one: (one.threads, one.prompt_tokens))}
    base = next((one.model for one in report.rows if one.prefill_ratio is None), "")
    return [_speed_sentence(one, base) for one in hardest.values()]


def _speed_sentence(one: SpeedRow, base: str) -> str:
    reads = f"reads {ratio_words(one.prefill_ratio)}" if one.prefill_ratio else ""
    writes = f"writes {ratio_words(one.decode_ratio)}" if one.decode_ratio else ""
    said = " and ".join(part for part in (writes, reads) if part)
    where = f"{count(one.threads, 'thread')}, a prompt of {count(one.prompt_tokens, 'token')}"
    return f"{one.model} {said} as fast as {base} ({where})."


def ratio_words(ratio: float | None) -> str:
    """`1.42 times`; a dash for the model that the others are compared with."""
    return "–" if ratio is None else f"{ratio:.2f} times"


def speed_rows(report: BenchmarkReport) -> list[dict[str, str | int]]:
    """The table of a benchmark, a row per model, number of threads and length of the prompt; the baseline first."""
    return [
        {
            "Model": one.model,
            "Threads": one.threads,
            "Prompt": f"{one.prompt_tokens:,} tokens",
            "Writes": f"{one.decode_per_second:.1f} tokens/s" if one.decode_per_second else "too short to say",
            "Writes, ratio": ratio_words(one.decode_ratio),
            "Reads": f"{one.prefill_per_second:,.0f} tokens/s",
            "Reads, ratio": ratio_words(one.prefill_ratio),
            "First word after": f"{one.ttft_seconds:.2f} s",
            "Loaded in": f"{one.load_seconds:.1f} s",
            "Memory": size(one.peak_memory_bytes),
            "File": size(report.file_bytes.get(one.model, 0)),
        }
        for one in sorted(report.rows, key=lambda one: (one.threads, one.prompt_tokens, one.prefill_ratio is not None))
    ]


def too_large(report: BenchmarkReport) -> list[str]:
    """A sentence per model and device class whose memory it exceeds."""
    return [
        f"{one.model} took {size(one.peak_memory_bytes)} here, more than {one.profile} allows "
        f"({size(one.limit_bytes)})."
        for one in report.devices
        if not one.fits
    ]


VERDICTS: dict[Verdict, Literal["green", "red", "gray"]] = {
    "better": "green",
    "worse": "red",
    "no difference shown": "gray",
}
"""The colour of what a comparison found."""
