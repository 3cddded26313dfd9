"""Measurements as a page shows them: what to choose first, a verdict in a sentence, and the turns behind a figure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

from studio.bases import list_bases
from studio.conversion.formats.gguf_header import read_header
from studio.conversion.sources import find_source
from studio.errors import ConversionError, StudioError
from studio.jobs import JobState
from studio.metrics import Comparison
from studio.metrics.comparison import Verdict
from studio.scenarios import Vocabulary
from studio.ui.playable import Playable
from studio.ui.story import Speaker, turn_html
from studio.ui.wording import duration
from studio.validation import ReportCard
from studio.validation.breakdown import Row
from studio.validation.card import TurnShown
from studio.validation.headline import Headline as Headline  # what a report says is also asked for here
from studio.validation.headline import Tone as Tone
from studio.validation.headline import headlines as headlines
from studio.validation.headline import verdict as verdict
from studio.validation.html import turn_faults
from studio.workspace import Workspace

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
        "faithful", "misspelled_names", "foreign_items", "wrong_hit_points", "speaks_for_player", "out_of_role",
        "copies_earlier_turn", "english", "repetition", "second_person",
    ),
    "Length and words": (
        "finished", "empty", "words", "length_ratio", "distinct_1", "distinct_2", "perplexity", "bits_per_character",
    ),
}  # fmt: skip
"""The figures of a report by what they are about; every figure is in one of them."""


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


def whole_runs(files: Sequence[Playable], chosen: Sequence[str]) -> list[str]:
    """Everything that was made by the runs of the chosen ones, their other sizes too; ids in the order of `files`.

    Without a chosen file of one's own it is the run of the newest.
    """
    own = [one for one in files if not (one.is_base or one.is_adapter)]
    runs = {one.path.parent.name for one in own if one.id in chosen} or {one.path.parent.name for one in own[:1]}
    return [one.id for one in files if one.id in chosen or (one in own and one.path.parent.name in runs)]


def _base_name(workspace: Workspace, model: Playable) -> str:
    """The folder of the base model that a file says it was made from; empty when it says none that is here."""
    try:
        if model.is_adapter:
            return find_source(workspace, model.path).base.name
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


# -- the turns behind a number


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


VERDICTS: dict[Verdict, Literal["green", "red", "gray"]] = {
    "better": "green",
    "worse": "red",
    "no difference shown": "gray",
}
"""The colour of what a comparison found."""
