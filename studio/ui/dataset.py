"""The dataset as a page shows it: the tokens of a stored row, what is wrong, and the balance in one sentence."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from studio.bases import TokenView
from studio.config import BalanceConfig, BalanceMargin, BalanceMethod
from studio.dataset import DatasetManifest, ReportRow, Split, TrainingRow
from studio.dataset.models import ReportKind
from studio.jobs import JobState
from studio.scenarios import SCENARIO_TYPES
from studio.ui.wording import count, duration

if TYPE_CHECKING:
    from tokenizers import Tokenizer

MARGIN_NAMES: dict[BalanceMargin, str] = {
    "type": "Scenario types",
    "tool": "Requests",
    "outcome": "Outcomes",
    "call": "Asking or not",
}
METHOD_NAMES: dict[BalanceMethod, str] = {
    "weights": "Read some more often",
    "repeats": "Repeat rows",
    "caps": "Leave rows out",
}
SPLIT_NAMES: dict[Split, str] = {"train": "Trained on", "validation": "Held out", "test": "Kept for a test"}


@dataclass(frozen=True)
class KindWords:
    """A sort of report row: its name in a filter, and what it means and what to do, in a sentence or two."""

    title: str
    meaning: str


KINDS: dict[ReportKind, KindWords] = {
    "excluded file": KindWords(
        "Files left out", "Nothing is learned from these files. Open one: the editor shows what is wrong with it."
    ),
    "excluded turns": KindWords(
        "Turns left out",
        "These turns are in no row, mostly because they do not fit. Shorten them, or choose a longer row.",
    ),
    "split": KindWords(
        "Cut", "Too long for one row: cut where a player speaks, with the SYSTEM block repeated. Nothing is lost."
    ),
    "duplicate": KindWords("The same text twice", "Read once. Delete one of the two files."),
    "near duplicate": KindWords(
        "Nearly the same", "Always on the same side, so that what is held out is not a copy of what is learned."
    ),
    "held out": KindWords(
        "Copies of held-out files", "Not learned from, because the same text measures what the model learned."
    ),
    "variation": KindWords(
        "Variations not used", "Accepted, and yet not read: mostly because the scenario behind it has changed since."
    ),
}


def row_tokens(row: TrainingRow, tokenizer: Tokenizer, control: Container[int]) -> list[TokenView]:
    """Every token of a stored row with its text; joining all texts gives the text that the model reads.

    Made from the ids alone. Of several tokens that share a character the first shows it. Bytes that are no character
    show as U+FFFD.
    """
    from tokenizers.decoders import DecodeStream

    stream = DecodeStream(skip_special_tokens=False)
    texts, waiting = [""] * len(row.input_ids), 0
    for place, token in enumerate(row.input_ids):
        if piece := stream.step(tokenizer, token):
            texts[waiting], waiting = piece, place + 1
    if waiting < len(texts):
        texts[waiting] = tokenizer.decode(row.input_ids[waiting:], skip_special_tokens=False)
    return [
        TokenView(text, token, trained, token in control)
        for text, token, trained in zip(texts, row.input_ids, row.loss_mask, strict=True)
    ]


def editor_file(source: str) -> str | None:
    """The id of a row's scenario in the library; None for what is not in it: held-out files and variations."""
    path = PurePosixPath(source)
    in_library = len(path.parts) == 2 and path.parts[0] in SCENARIO_TYPES and path.suffix == ".md"
    return str(path.with_suffix("")) if in_library else None


def turns_words(turns: tuple[int, int]) -> str:
    """`turns 3 to 14`, as a reader counts them."""
    first, last = turns[0] + 1, turns[1]
    return f"turn {first}" if first == last else f"turns {first} to {last}"


def kinds_found(report: Sequence[ReportRow]) -> dict[ReportKind, int]:
    """How many report rows there are of each kind that there is, in the order of `KINDS`."""
    numbers = {kind: sum(row.kind == kind for row in report) for kind in KINDS}
    return {kind: number for kind, number in numbers.items() if number}


def concerns(manifest: DatasetManifest) -> list[str]:
    """What a Dungeon Master should know before she trains on this, a sentence each; empty when all is well."""
    found = []
    left_out = sum(row.kind.startswith("excluded") for row in manifest.report)
    if left_out:
        found.append(f"{count(left_out, 'part')} of your scenarios cannot be learned from.")
    unused = sum(row.kind == "variation" for row in manifest.report)
    if unused:
        found.append(f"{count(unused, 'accepted variation is', 'accepted variations are')} not used.")
    if not manifest.counts["validation"].rows:
        found.append("Nothing is held out, so no run can tell learning from knowing by heart.")
    leaks = manifest.leakage
    if leaks and leaks.leaking_scenarios:
        found.append(
            f"{leaks.leaking_scenarios:,} of {count(leaks.held_out_scenarios, 'held-out scenario')} share phrases with "
            "what is learned, and will look better learned than they are."
        )
    return found


def balance_sentence(balance: BalanceConfig) -> str:
    """What the settings of a balance do, in one sentence."""
    if not balance.by:
        return "Nothing is evened out: every row is read once in each pass."
    names = [MARGIN_NAMES[one] for one in balance.by]
    listed = ", ".join([names[0], *(one.lower() for one in names[1:])])
    how = METHOD_NAMES[balance.method].lower()
    return f"{listed}: {how}, {balance.strength:.0%} of the way, a row at most {balance.cap:g} times."


def progress_sentence(state: JobState) -> str:
    """What the job is doing: `1,280 of 2,000 scenarios, 12 s left`."""
    done, total = int(state.progress.done), int(state.progress.total)
    if not total:
        return "Looking at the files"
    if done >= total:
        return "Comparing the scenarios and writing the rows"
    left = f", {duration(state.seconds_left)} left" if state.seconds_left is not None else ""
    return f"{done:,} of {count(total, 'scenario')}{left}"
