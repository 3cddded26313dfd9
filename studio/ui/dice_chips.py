"""Result lines as chips in which each die is a badge with its face: HTML in which nothing that was written is markup.

Colours and shapes are left to the style sheet (`style.css`). Without it the text reads as the line was written.
"""

from __future__ import annotations

from html import escape

from studio.scenarios import ResultLine, Vocabulary, parse_result_line


def chip_html(line: str, vocabulary: Vocabulary) -> str:
    """One line of a TOOLCALL turn; one that is no result of a roll is shown as it is. Empty for a blank line."""
    if not line.strip():
        return ""
    result = parse_result_line(line.strip(), vocabulary)
    rolled = result.valid and result.tool is not None and result.tool.rolls and ":" in result.written
    body = _rolled(result) if rolled else _starred(escape(line.strip()))
    return f'<span class="chip result"><span class="icon" aria-hidden="true">casino</span>{body}</span>'


def _rolled(result: ResultLine) -> str:
    head, total = escape(result.written.partition(":")[0].strip()), f"<b>{result.total}</b>"
    shape = "d20" if result.tool is not None and result.tool.kind != "damage" else "d6"
    dice = " + ".join(_die(face, shape) for face in result.dice)
    added = "".join(
        f" {'-' if one.amount < 0 else '+'} {abs(one.amount)}{f'({escape(one.label)})' if one.label else ''}"
        for one in result.modifiers
    )
    return f"{head}: {dice}{_pair(result, shape)}{added} = {total}"


def _pair(result: ResultLine, shape: str) -> str:
    """Both dice of advantage or disadvantage, as they fell; the one that does not count is struck through."""
    if result.mode is None or result.pair is None:
        return ""
    first, second = result.pair
    first_counts = first == result.dice[0]
    shown = [_die(first, shape, counts=first_counts), _die(second, shape, counts=not first_counts)]
    return f' <span class="pair">({result.mode}: {", ".join(shown)})</span>'


def _die(face: int, shape: str, *, counts: bool = True) -> str:
    extreme = {1: " low", 20: " high"}.get(face, "") if shape == "d20" else ""
    note = "" if counts else ' title="does not count"'
    return f'<span class="die {shape}{extreme}{"" if counts else " out"}"{note}>{face}</span>'


def _starred(text: str) -> str:
    """`*17*` in already escaped text as an emphasised total."""
    before, star, rest = text.rpartition("= *")
    if star and rest.endswith("*"):
        return f"{before}= <b>{rest[:-1]}</b>"
    return text
