"""The report about a GGUF file in a reader's words: its checks, its tensors, and its metadata as rows."""

from __future__ import annotations

from collections.abc import Iterator

from studio.conversion import GGUFReport
from studio.conversion.inspection.validation import Check
from studio.ui.wording import printable, size

_WORDS = {
    "structure": "The file is whole.",
    "metadata": "It says what a player needs to know.",
    "tokenizer": "Its vocabulary is sound.",
    "chat_template": "It knows how a conversation is written.",
    "runs": "llama.cpp plays it.",
}
_FAULTY = {
    "structure": "The file is damaged.",
    "metadata": "It does not say what a player needs to know.",
    "tokenizer": "Its vocabulary is not sound.",
    "chat_template": "How a conversation is written is not right.",
    "runs": "llama.cpp cannot play it.",
}
_LONGEST = 300


def worded_checks(report: GGUFReport) -> Iterator[tuple[Check, str]]:
    """Every check with its answer as a sentence."""
    for one in report.checks:
        words = _WORDS if one.passed else _FAULTY
        yield one, words.get(one.name, one.name.replace("_", " ").capitalize() + ".")


def report_facts(report: GGUFReport) -> list[tuple[str, str]]:
    """The file in one line."""
    return [
        ("size", size(report.size)),
        ("architecture", printable(report.architecture)),
        ("name", printable(str(report.metadata.get("general.name", "")))[:_LONGEST]),
        ("tensors", f"{sum(one.tensors for one in report.tensor_types):,}" if report.tensor_types else ""),
    ]


def tensor_rows(report: GGUFReport) -> dict[str, list[str]]:
    """How many tensors are of which type, and what they take."""
    return {
        "Type": [one.type for one in report.tensor_types],
        "Tensors": [f"{one.tensors:,}" for one in report.tensor_types],
        "Size": [size(one.bytes) for one in report.tensor_types],
    }


def metadata_rows(report: GGUFReport) -> dict[str, list[str]]:
    """Key and value; of lists only their length, of long texts the beginning."""
    single = {key: printable(str(value))[:_LONGEST] for key, value in report.metadata.items()}
    rows = sorted({**single, **{key: f"{number:,} values" for key, number in report.arrays.items()}}.items())
    return {"Key": [printable(key)[:_LONGEST] for key, _ in rows], "Value": [value for _, value in rows]}
