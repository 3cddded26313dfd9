"""The S checks: blocks and tags, sections of the SYSTEM block, characters, front matter, characters of the text."""

from __future__ import annotations

import re
from itertools import pairwise

from studio.scenarios.checks import schema_codes as codes
from studio.scenarios.checks.report import Edit, Report, replace, suggest
from studio.scenarios.grammar import BOM
from studio.scenarios.models import SCENARIO_TYPES
from studio.scenarios.sheet import Sheet, known_keys
from studio.scenarios.tree import Node

SECTIONS = ("Role", "World", "Location", "Party")
SYSTEM_TEMPLATE = "<SYSTEM>\n" + "\n".join(f"# {title}\n\n" for title in SECTIONS) + "</SYSTEM>\n\n"
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffd]+")
_INVISIBLE = re.compile("[\u00a0\u00ad\u200b\u2060\u202a-\u202e\u2066-\u2069\u2028\u2029\ufeff]+")
_TABS = re.compile("\t+")
_TAG_OF_BLOCK = {block: (f"<{block}>", f"</{block}>") for block in ("SYSTEM", "User", "DM", "TOOLCALL")}


def check_schema(report: Report) -> None:
    """Every S code."""
    _check_characters_of_text(report)
    _check_front_matter(report)
    for node in report.reading.tree.nodes:
        _check_node(report, node)
    _check_system(report)
    _check_order(report)
    for sheet in report.reading.sheets:
        _check_sheet(report, sheet)
    _check_names(report)


def _check_characters_of_text(report: Report) -> None:
    text = report.reading.text
    if text.startswith(BOM):
        report.add(codes.BYTE_ORDER_MARK, 0, 1, "A byte order mark.", replace("Remove it", 0, 1, ""))
    if (carriage := text.find("\r")) >= 0:
        plain = text.replace("\r\n", "\n").replace("\r", "\n")
        fix = replace("Use plain line ends in the whole file", 0, len(text), plain)
        report.add(codes.LINE_ENDS, carriage, carriage + 1, "The file has Windows line ends.", fix)
    if "\t" in text:
        for match in _TABS.finditer(text):
            report.add(codes.TABS, *match.span(), "A tab.", replace("Use a space", *match.span(), " "))
    for match in _CONTROL.finditer(text):
        report.add(codes.BAD_CHARACTER, *match.span(), "A control character or a byte that is not UTF-8.", _gone(match))
    if not text.isascii():
        for match in _INVISIBLE.finditer(text, int(text.startswith(BOM))):
            filler = " " if "\u00a0" in match[0] else "\n" if match[0] in "\u2028\u2029" else ""
            fix = replace("Remove it", *match.span(), filler)
            report.add(codes.INVISIBLE, *match.span(), f"An invisible character (U+{ord(match[0][0]):04X}).", fix)


def _gone(match: re.Match[str]) -> Edit:
    return replace("Remove it", *match.span(), "")


def _check_front_matter(report: Report) -> None:
    tree, matter = report.reading.tree, report.reading.front_matter
    node = next((one for one in tree.nodes[:2] if one.kind == "front_matter"), None)
    if node is None:
        return
    if matter.error:
        report.add(codes.BAD_FRONT_MATTER, node.start, node.end, f"The front matter is no valid YAML: {matter.error}.")
    chosen = matter.values.get("scenario_type")
    if chosen is not None and str(chosen).lower() not in SCENARIO_TYPES:
        _unknown_type(report, node, str(chosen))


def _unknown_type(report: Report, node: Node, written: str) -> None:
    start = report.reading.text.find(written, node.start, node.end) if written else -1
    guess = report.guess(written, SCENARIO_TYPES)
    place = (start, start + len(written)) if start >= 0 else (node.start, node.end)
    fix = suggest(f"Change to {guess}", *place, guess) if guess and start >= 0 else None
    hint = f" Did you mean {guess}?" if guess else ""
    report.add(codes.UNKNOWN_TYPE, *place, f"{written[:60]!r} is no scenario type.{hint}", fix)


def _check_node(report: Report, node: Node) -> None:
    text = report.reading.text
    if node.kind == "block":
        _check_block(report, node)
    elif node.kind == "gap" and not text[node.start : node.end].isspace():
        body = text[node.start : node.end]
        start = node.start + len(body) - len(body.lstrip())
        stripped = body.strip()
        commented = "<!-- " + stripped.replace("--", "- -") + " -->"
        fix = replace("Make it a comment", start, start + len(stripped), commented)
        report.add(codes.OUTSIDE, start, start + len(stripped), "This text belongs to no turn.", fix)
    elif node.kind == "stray_close":
        fix = replace("Remove the tag", node.start, node.end, "")
        report.add(codes.STRAY_CLOSE, node.start, node.end, f"{text[node.start : node.end]} closes nothing.", fix)


def _check_block(report: Report, node: Node) -> None:
    text, (opening, closing) = report.reading.text, _TAG_OF_BLOCK[node.block or "User"]
    written = text[node.start : node.body_start]
    if written != opening:
        fix = replace(f"Write {opening}", node.start, node.body_start, opening)
        report.add(codes.TAG_SPELLING, node.start, node.body_start, f"{written} should be {opening}.", fix)
    if not node.is_closed:
        end = node.body_start + len(text[node.body_start : node.body_end].rstrip())
        fix = replace(f"Insert {closing}", end, end, closing)
        report.add(codes.NOT_CLOSED, node.start, node.body_start, f"{opening} is never closed.", fix)
    elif (close := text[node.body_end : node.end]) != closing:
        same = node.closed_as == node.block
        rule = codes.TAG_SPELLING if same else codes.WRONG_CLOSE
        said = f"{close} should be {closing}." if same else f"{opening} is closed by {close}."
        edit = replace if same else suggest
        fix = edit(f"Write {closing}", node.body_end, node.end, closing)
        report.add(rule, node.body_end, node.end, said, fix)
    if node.block != "SYSTEM" and not text[node.body_start : node.body_end].strip():
        fix = replace("Remove the turn", node.start, node.end, "")
        report.add(codes.EMPTY_TURN, node.start, node.end, f"This {node.block} turn is empty.", fix)


def _check_system(report: Report) -> None:
    tree = report.reading.tree
    blocks = [node for node in tree.nodes if node.block == "SYSTEM" and node.kind == "block"]
    if not blocks:
        at = next((node.end for node in reversed(tree.nodes[:2]) if node.kind in ("bom", "front_matter")), 0)
        fix = suggest("Insert an empty SYSTEM block", at, at, SYSTEM_TEMPLATE)
        report.add(codes.NO_SYSTEM, at, at, "The scenario has no SYSTEM block.", fix)
        return
    for extra in blocks[1:]:
        fix = suggest("Remove the block", extra.start, extra.end, "")
        report.add(codes.SECOND_SYSTEM, extra.start, extra.end, "The scenario has a SYSTEM block already.", fix)
    _check_sections(report, blocks[0])


def _check_sections(report: Report, system: Node) -> None:
    seen: set[str] = set()
    for one in report.reading.sections:
        if one.level == 1 and one.title.casefold() in seen:
            report.add(codes.DOUBLE_SECTION, one.start, one.end, f"There is a section {one.title} already.")
        seen |= {one.title.casefold()} if one.level == 1 else set()
    missing = [title for title in SECTIONS if title.casefold() not in seen]
    if missing:
        lead = "" if report.reading.text[: system.body_end].endswith("\n") else "\n"
        text = lead + "".join(f"\n# {title}\n\n" for title in missing)
        fix = suggest(f"Insert {', '.join(missing)}", system.body_end, system.body_end, text)
        message = f"The SYSTEM block has no {' and no '.join(missing)}."
        report.add(codes.NO_SECTION, system.start, system.body_start, message, fix)


def _check_order(report: Report) -> None:
    turns = report.reading.turns
    if not any(turn.speaker == "DM" for turn in turns):
        end = len(report.reading.text)
        report.add(codes.NO_DM_TURN, end, end, "The scenario has no DM turn.")
    elif turns[-1].speaker != "DM":
        last = turns[-1].node
        report.add(codes.ENDS_WITHOUT_DM, last.start, last.body_start, "No DM turn follows this one.")
    for before, turn in pairwise(turns):
        if before.speaker == turn.speaker and before.speaker != "TOOLCALL" and before.node.is_closed:
            between = report.reading.text[before.node.end : turn.node.start]
            joined = (
                None
                if between.strip()
                else replace("Make it one turn", before.node.body_end, turn.node.body_start, "\n\n")
            )
            said = f"The turn before is {turn.speaker}'s too."
            report.add(codes.SAME_SPEAKER, turn.node.start, turn.node.body_start, said, joined)


def _check_sheet(report: Report, sheet: Sheet) -> None:
    name = sheet.character.name or "This character"
    for bullet in sheet.bullets:
        if not bullet.understood:
            said = f"{name}'s {bullet.key or 'line'} cannot be read: {bullet.value[:80]!r}."
            report.add(codes.BAD_SHEET_LINE, bullet.start, bullet.end, said)
        elif bullet.key and not bullet.field:
            guess = report.guess(bullet.key, known_keys(), 78)
            if guess:
                fix = suggest(f"Change to {guess}", bullet.start, bullet.start + len(bullet.key), guess)
                report.add(codes.SHEET_KEY, bullet.start, bullet.end, f"Did you mean {guess}?", fix)
    if not sheet.character.name:
        report.add(codes.NAMELESS, sheet.start, sheet.end, "A character without a name.")
    if sheet.character.level is None and sheet.character.health.max is None:
        report.add(codes.THIN_SHEET, sheet.start, sheet.end, f"{name} has neither level nor health.")


def _check_names(report: Report) -> None:
    seen: set[str] = set()
    for sheet in report.reading.sheets:
        name = sheet.character.name.casefold()
        if name and name in seen:
            report.add(codes.SAME_NAME, sheet.start, sheet.end, f"There is a {sheet.character.name} already.")
        seen.add(name)
