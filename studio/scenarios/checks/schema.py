"""The S checks: blocks and tags, sections of the SYSTEM block, characters, front matter, characters of the text."""

from __future__ import annotations

import json
import re
from itertools import pairwise, zip_longest

from studio.scenarios.checks import schema_codes as codes
from studio.scenarios.checks.report import Edit, Report, replace, suggest
from studio.scenarios.grammar import BOM
from studio.scenarios.models import SCENARIO_TYPES
from studio.scenarios.reading import Turn, read_yaml
from studio.scenarios.sheet import Sheet, known_keys
from studio.scenarios.tree import Node

SECTIONS = ("Role", "World", "Location", "Party")
SYSTEM_TEMPLATE = "<SYSTEM>\n" + "\n".join(f"# {title}\n\n" for title in SECTIONS) + "</SYSTEM>\n\n"
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffd]+")
_INVISIBLE = re.compile("[\u00a0\u00ad\u200b\u2060\u202a-\u202e\u2066-\u2069\u2028\u2029\ufeff]+")
_LINE_MARKS = frozenset("\u2028\u2029")
_TABS = re.compile("\t+")
_FENCE = re.compile(r"(?:`{3,9}|~{3,9})[ \t]*\w{0,20}")
_PLAIN_VALUE = re.compile(
    r"^([A-Za-z_][\w -]{0,40}:[ \t]+)([^\s\"'\[{#|>&*][^\r\n]*(?:: |:$)[^\r\n]*|[@`%*&!][^\r\n]*|"
    r"\[[^\]\r\n]*|\{[^}\r\n]*)$",
    re.MULTILINE,
)
_WHOSE = {"User": "the player's", "DM": "the DM's"}
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_LIKE = {
    "health": "- Health: 17/21",
    "experience": "- Exp: 750/2700",
    "skills": "- Skills: Stealth +7, Perception +5",
    "abilities": "- Abilities: Str +0, Dex +3",
    "saves": "- Saves: Dexterity +5",
    "attacks": "- Attacks: Shortsword +5 (1d6+3)",
    "initiative": "- Initiative: +3",
    "armor_class": "- AC: 14",
    "spell_save_dc": "- Spell Save DC: 13",
    "spell_slots": "- Spell Slots: 1st x4, 2nd x2",
}
"""Field -> a line as it should be."""
_TAG_OF_BLOCK = {block: (f"<{block}>", f"</{block}>") for block in ("SYSTEM", "User", "DM", "TOOLCALL")}


def check_schema(report: Report) -> None:
    """Every S code."""
    _check_characters_of_text(report)
    _check_front_matter(report)
    _check_nodes(report)
    _check_system(report)
    _check_order(report)
    for sheet in report.reading.sheets:
        _check_sheet(report, sheet)
    _check_names(report)


def _check_characters_of_text(report: Report) -> None:
    text = report.reading.text
    if text.startswith(BOM):
        report.add(
            codes.BYTE_ORDER_MARK,
            0,
            1,
            "The file begins with an invisible byte order mark. Remove it.",
            replace("Remove it", 0, 1, ""),
        )
    if (carriage := text.find("\r")) >= 0:
        plain = text.replace("\r\n", "\n").replace("\r", "\n")
        fix = replace("Use plain line ends in the whole file", 0, len(text), plain)
        report.add(
            codes.LINE_ENDS,
            carriage,
            carriage + 1,
            "The file uses Windows line ends. One click makes them plain in the whole file.",
            fix,
        )
    if "\t" in text:
        for match in _TABS.finditer(text):
            report.add(
                codes.TABS,
                *match.span(),
                "A tab stands here; a space looks the same and is what other scenarios use.",
                replace("Use a space", *match.span(), " "),
            )
    for match in _CONTROL.finditer(text):
        report.add(
            codes.BAD_CHARACTER,
            *match.span(),
            "A character here cannot be read (broken text, or a control character). Take it out or type it again.",
            _gone(match),
        )
    if not text.isascii():
        for match in _INVISIBLE.finditer(text, int(text.startswith(BOM))):
            filler = "\n" * sum(map(_LINE_MARKS.__contains__, match[0])) or (" " if "\u00a0" in match[0] else "")
            fix = replace("Remove it", *match.span(), filler)
            report.add(
                codes.INVISIBLE,
                *match.span(),
                f"An invisible character (U+{ord(match[0][0]):04X}) hides here, probably from a web page.",
                fix,
            )


def _gone(match: re.Match[str]) -> Edit:
    return replace("Remove it", *match.span(), "")


def _check_front_matter(report: Report) -> None:
    tree, matter = report.reading.tree, report.reading.front_matter
    node = next((one for one in tree.nodes[:2] if one.kind == "front_matter"), None)
    if node is None:
        return
    if matter.error:
        report.add(
            codes.BAD_FRONT_MATTER,
            node.start,
            node.end,
            f"The lines between the dashes cannot be read ({matter.error}). Often a value needs quotes around it.",
            _quote_fix(report, node),
        )
    chosen = matter.values.get("scenario_type")
    if chosen is not None and str(chosen).lower() not in SCENARIO_TYPES:
        _unknown_type(report, node, str(chosen))


def _quote_fix(report: Report, node: Node) -> Edit | None:
    """Quotes around the values that YAML stumbles over (`title: Night: part 2`), when that makes it readable."""
    tree = report.reading.tree
    body = tree.body(node)
    fixed = _PLAIN_VALUE.sub(lambda match: match[1] + json.dumps(match[2], ensure_ascii=False), body)
    if fixed == body or read_yaml(fixed).error:
        return None
    return suggest("Put the values in quotes", node.body_start, node.body_end, fixed)


def _unknown_type(report: Report, node: Node, written: str) -> None:
    start = report.reading.text.find(written, node.start, node.end) if written else -1
    guess = report.guess(written, SCENARIO_TYPES)
    place = (start, start + len(written)) if start >= 0 else (node.start, node.end)
    fix = suggest(f"Change to {guess}", *place, guess) if guess and start >= 0 else None
    hint = f" Did you mean {guess}?" if guess else ""
    report.add(
        codes.UNKNOWN_TYPE,
        *place,
        f"{written[:60]!r} is no scenario type: it is combat, roleplay, exploration or mixed.{hint}",
        fix,
    )


def _check_nodes(report: Report) -> None:
    nodes, lost = report.reading.tree.nodes, False
    for node, after in zip_longest(nodes, nodes[1:]):
        if node.kind == "block":
            _check_block(report, node)
        elif node.kind == "gap" and not report.reading.text[node.start : node.end].isspace():
            _check_outside(report, node, after)
        elif node.kind == "stray_close" and not lost:
            fix = replace("Remove the tag", node.start, node.end, "")
            written = report.reading.text[node.start : node.end]
            report.add(codes.STRAY_CLOSE, node.start, node.end, f"{written} closes nothing. Remove it.", fix)
        lost = node.kind == "gap" and not report.reading.text[node.start : node.end].isspace()


def _check_outside(report: Report, node: Node, after: Node | None) -> None:
    """Text between the blocks: a turn without its opening tag, front matter without its end, or a note."""
    body = report.reading.text[node.start : node.end]
    start = node.start + len(body) - len(body.lstrip())
    stripped = body.strip()
    end = start + len(stripped)
    if after is not None and after.kind == "stray_close":
        opening = f"<{after.block}>"
        said = f"{opening} is missing before this text: only its closing tag is there."
        report.add(codes.STRAY_CLOSE, after.start, after.end, said, suggest(f"Insert {opening}", start, start, opening))
    elif start == 0 and stripped.startswith("---\n") and not read_yaml(stripped[4:]).error:
        said = "The front matter is not closed: a second line of three dashes is missing after it."
        report.add(codes.BAD_FRONT_MATTER, start, end, said, suggest("Insert ---", end, end, "\n---"))
    elif _FENCE.fullmatch(stripped):
        said = "A code fence around the turns: the studio reads them without it."
        report.add(codes.OUTSIDE, start, end, said, replace("Remove the fence", start, end, ""))
    else:
        fix = suggest("Make it a comment", start, end, "<!-- " + stripped.replace("--", "- -") + " -->")
        said = "This text stands outside every turn, so nobody says it. Put it into a turn, or make it a comment."
        report.add(codes.OUTSIDE, start, end, said, fix)


def _check_block(report: Report, node: Node) -> None:
    text, (opening, closing) = report.reading.text, _TAG_OF_BLOCK[node.block or "User"]
    written = text[node.start : node.body_start]
    if written != opening:
        fix = replace(f"Write {opening}", node.start, node.body_start, opening)
        report.add(
            codes.TAG_SPELLING,
            node.start,
            node.body_start,
            f"{written} is understood; it is always written {opening}.",
            fix,
        )
    if not node.is_closed:
        end = node.body_start + len(text[node.body_start : node.body_end].rstrip())
        fix = replace(f"Insert {closing}", end, end, closing)
        report.add(
            codes.NOT_CLOSED,
            node.start,
            node.body_start,
            f"{opening} is never closed: {closing} is missing at the end of the turn.",
            fix,
        )
    elif (close := text[node.body_end : node.end]) != closing:
        same = node.closed_as == node.block
        rule = codes.TAG_SPELLING if same else codes.WRONG_CLOSE
        said = (
            f"{close} is understood; it is always written {closing}."
            if same
            else f"This turn begins with {opening} and ends with {close}. Who speaks?"
        )
        edit = replace if same else suggest
        fix = edit(f"Write {closing}", node.body_end, node.end, closing)
        report.add(rule, node.body_end, node.end, said, fix)
    if node.block != "SYSTEM" and not text[node.body_start : node.body_end].strip():
        fix = replace("Remove the turn", node.start, node.end, "")
        report.add(
            codes.EMPTY_TURN,
            node.start,
            node.end,
            f"This {node.block} turn is empty. Write its words, or remove it.",
            fix,
        )


def _check_system(report: Report) -> None:
    tree = report.reading.tree
    blocks = [node for node in tree.nodes if node.block == "SYSTEM" and node.kind == "block"]
    if not blocks:
        at = next((node.end for node in reversed(tree.nodes[:2]) if node.kind in ("bom", "front_matter")), 0)
        fix = suggest("Insert an empty SYSTEM block", at, at, SYSTEM_TEMPLATE)
        report.add(
            codes.NO_SYSTEM,
            at,
            at,
            "The scenario has no SYSTEM block: the role, the world, the place and the party are missing.",
            fix,
        )
        return
    for extra in blocks[1:]:
        fix = suggest("Remove the block", extra.start, extra.end, "")
        report.add(
            codes.SECOND_SYSTEM,
            extra.start,
            extra.end,
            "The scenario has a SYSTEM block already. Put everything into the first one.",
            fix,
        )
    _check_sections(report, blocks[0])


def _check_sections(report: Report, system: Node) -> None:
    seen: set[str] = set()
    for one in report.reading.sections:
        if one.level == 1 and one.title.casefold() in seen:
            report.add(
                codes.DOUBLE_SECTION, one.start, one.end, f"There is a section {one.title} already. Join the two."
            )
        seen |= {one.title.casefold()} if one.level == 1 else set()
    missing = [title for title in SECTIONS if title.casefold() not in seen]
    if missing:
        lead = "" if report.reading.text[: system.body_end].endswith("\n") else "\n"
        text = lead + "".join(f"\n# {title}\n\n" for title in missing)
        fix = suggest(f"Insert {', '.join(missing)}", system.body_end, system.body_end, text)
        message = f"The SYSTEM block has no {' and no '.join(missing)}."
        report.add(codes.NO_SECTION, system.start, system.body_start, message, fix)


def _may_be_open(content: str) -> bool:
    """Whether a turn may end inside a code fence or half a tag, which would take in what follows."""
    return "```" in content or "~~~" in content or "<" in content[-20:]


def _check_order(report: Report) -> None:
    turns = report.reading.turns
    if not any(turn.speaker == "DM" for turn in turns):
        end = len(report.reading.text)
        fix = suggest("Add a DM turn to write", end, end, "\n\n<DM>TODO</DM>\n")
        said = "The scenario has no DM turn, so there is nothing to learn from. Write what the DM answers."
        report.add(codes.NO_DM_TURN, end, end, said, fix)
    elif turns[-1].speaker != "DM":
        last = turns[-1].node
        report.add(
            codes.ENDS_WITHOUT_DM,
            last.start,
            last.body_start,
            "The scenario ends here without the DM's answer; the model learns nothing from this turn.",
        )
    for before, turn in pairwise(turns):
        if before.speaker == turn.speaker != "TOOLCALL" and before.node.is_closed and not _waits(before):
            between = report.reading.text[before.node.end : turn.node.start]
            if _COMMENT.sub("", between).strip():
                continue  # a turn that lost its tag stands between them, and that is said already
            apart = between.strip() or _may_be_open(before.content) or turn.content.startswith("<")
            joined = None if apart else replace("Make it one turn", before.node.body_end, turn.node.body_start, "\n\n")
            said = (
                f"The turn before is {_WHOSE[turn.speaker]}, too. Make it one turn, or let somebody answer in between."
            )
            report.add(codes.SAME_SPEAKER, turn.node.start, turn.node.body_start, said, joined)


def _check_sheet(report: Report, sheet: Sheet) -> None:
    name = sheet.character.name or "This character"
    for bullet in sheet.bullets:
        if not bullet.understood:
            like = _LIKE.get(bullet.field, "- Level 3")
            said = f"{name}'s {bullet.key or 'line'} cannot be read: {bullet.value[:60]!r}. Write it like: {like}"
            report.add(codes.BAD_SHEET_LINE, bullet.start, bullet.end, said)
        elif bullet.key and not bullet.field:
            guess = report.guess(bullet.key, known_keys(), 78)
            if guess:
                fix = suggest(f"Change to {guess}", bullet.start, bullet.start + len(bullet.key), guess)
                report.add(
                    codes.SHEET_KEY,
                    bullet.start,
                    bullet.end,
                    f"{bullet.key[:40]!r} is no line that the studio knows. Did you mean {guess}?",
                    fix,
                )
    if not sheet.character.name:
        report.add(codes.NAMELESS, sheet.start, sheet.end, "This character has no name: write it behind the two ##.")
    if sheet.character.level is None and sheet.character.health.max is None:
        report.add(
            codes.THIN_SHEET,
            sheet.start,
            sheet.end,
            f"{name} has neither level nor health. Add lines such as - Level 3 and - Health: 21/21.",
        )


def _waits(turn: Turn) -> bool:
    """Whether a turn ends with a roll that must be answered: then the answer is missing (T001), not a turn."""
    return any(one.tool is not None and one.tool.needs_answer for one in turn.directives)


def _report_same_name(report: Report, sheet: Sheet) -> None:
    name = sheet.character.name
    said = f"There is a {name} already, so nobody knows whose sheet a roll takes. Give one of them another name."
    fix = None if report.is_full(codes.SAME_NAME) else _rename(report, sheet)
    report.add(codes.SAME_NAME, sheet.start, sheet.end, said, fix)


def _rename(report: Report, sheet: Sheet) -> Edit | None:
    """The edit that puts the first free number behind a name."""
    name, taken = sheet.character.name, {one.name.casefold() for one in report.reading.party}
    other = next(
        f"{name} {number}" for number in range(2, len(taken) + 3) if f"{name} {number}".casefold() not in taken
    )
    at = report.reading.text.find(name, sheet.start, sheet.end)
    return suggest(f"Call this one {other}", at, at + len(name), other) if at >= 0 else None


def _check_names(report: Report) -> None:
    seen: set[str] = set()
    for sheet in report.reading.sheets:
        name = sheet.character.name.casefold()
        if name and name in seen:
            _report_same_name(report, sheet)
        seen.add(name)
