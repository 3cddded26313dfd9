"""Record -> the text of a scenario file, checked twice: it must read back as the same messages, and be valid.

Words are never changed but for two things, each with a note: leftovers of chat templates (`<|im_end|>`) are taken out,
and what reads as one of our tags gets its `<` written as `&lt;`. Braces with bars, which others write for choices, too,
become slots, with a note. Safe fixes are those of `validate --fix`.
"""

from __future__ import annotations

import re

import yaml

from studio.dataset.exchange.models import Record, RejectedError
from studio.scenarios import BOM, MarkdownParser, Message, Role, fix_text, to_messages
from studio.scenarios.grammar import TAG
from studio.scenarios.slots import expand, has

DEFAULT_SYSTEM = """# Role
You are the Dungeon Master of a D&D Campaign

# World
Not told.

# Location
Not told.

# Party"""
"""The beginning of the SYSTEM block of a text that tells nothing but who speaks."""
_BLOCKS: dict[Role, str] = {"user": "User", "assistant": "DM", "tool": "TOOLCALL"}
_CONTROL = re.compile(
    r"<\|[A-Za-z0-9_]{1,40}\|>|<(?:start|end)_of_turn>|</?(?:s|bos|eos|pad|unk)>|\[/?INST\]|<</?SYS>>"
)
_LEFTOVERS = "Leftovers of a chat template, such as <|im_end|>, were taken out."
_LONGEST_TITLE = 100
_MOST_TAGS = 20
_MARKUP = re.compile(r"[\x00-\x1f\x7f<>\ud800-\udfff]+")


def scenario_text(record: Record, parser: MarkdownParser) -> str:
    """The file that a record becomes. Notes of what was changed are added to the record.

    Raises:
        RejectedError: there is no valid scenario in it, and why.
    """
    messages = [Message(one.role, _clean(one.content, record)) for one in record.messages]
    messages = [one for one in messages if one.content]
    if not messages or messages[0].role != "system":
        record.note("It has no system message: its SYSTEM block is empty. Write who plays, and where.")
    if any(has(one.content) for one in messages):
        record.note("Words in braces with bars between them, {this|that}, are choices: one of them is read.")
    text = _written(record, messages)
    if not _reads_back(text, messages, parser):
        messages = [Message(one.role, TAG.sub(_escape, one.content)) for one in messages]
        record.note("Words in angle brackets that read as our tags are written with &lt;.")
        text = _written(record, messages)
        if not _reads_back(text, messages, parser):
            raise RejectedError("Its text cannot be written as a scenario without changing its words.")
    fixed = fix_text(text, parser)
    errors = [one for one in fixed.diagnostics if one.severity == "error"]
    if errors:
        more = f" and {len(errors) - 1} more" if len(errors) > 1 else ""
        excerpt = fixed.text[errors[0].span.start : errors[0].span.end].strip()
        raise RejectedError(
            f"{errors[0].code} {errors[0].message.rstrip('.')}{f' at {excerpt[:60]!r}' if excerpt else ''}{more}."
        )
    return fixed.text


def tidy_title(written: str) -> str:
    """A title that fits on one line and holds no markup."""
    return " ".join(_MARKUP.sub(" ", written).split())[:_LONGEST_TITLE].strip()


def _clean(content: str, record: Record) -> str:
    text = content.replace("\r\n", "\n").replace("\r", "\n").replace(BOM, "").strip()
    while (without := _CONTROL.sub("", text).strip()) != text:
        if all(one.text != _LEFTOVERS for one in record.notes):
            record.note(_LEFTOVERS)
        text = without
    return text


def _escape(match: re.Match[str]) -> str:
    """The tag as text; what the language does not read as a tag stays."""
    written, start = match[0], match.start()
    opens_inside_a_line = not match[1] and not written.endswith(">") and match.string[start - 1 : start] != "\n"
    return written if match[2] is None or opens_inside_a_line else f"&lt;{written[1:]}"


def _reads_back(text: str, messages: list[Message], parser: MarkdownParser) -> bool:
    """Whether a scenario says what the messages say; of a slot it says the first option."""
    return to_messages(parser.parse_text(text)) == [Message(one.role, expand(one.content).strip()) for one in messages]


def _written(record: Record, messages: list[Message]) -> str:
    system = "".join(f"{one.content}\n" for one in messages if one.role == "system")
    turns = [one for one in messages if one.role != "system"]
    blocks = [f"<{_BLOCKS[one.role]}>{one.content}</{_BLOCKS[one.role]}>" for one in turns]
    return "\n\n".join([_front_matter(record), f"<SYSTEM>\n{system}</SYSTEM>", *blocks]) + "\n"


def _front_matter(record: Record) -> str:
    values = {
        "title": tidy_title(record.title),
        "scenario_type": record.scenario_type,
        **{key: _plain(value) for key, value in record.metadata.items()},
        "imported_from": tidy_title(record.file),
        "imported_format": record.format,
        "imported_line": record.line,
    }
    body = yaml.safe_dump(values, allow_unicode=True, sort_keys=False, width=float("inf"))
    return f"---\n{body}---"


def _plain(value: object) -> object:
    if isinstance(value, list):
        return [tidy_title(str(one)) for one in value[:_MOST_TAGS]]
    return tidy_title(str(value))
