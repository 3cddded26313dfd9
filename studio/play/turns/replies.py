"""Recognises, while a reply streams in, where the DM has asked for dice and must stop talking. Pure; never raises.

A DM turn ends with its requests: once a roll has been asked for, only white space and further requests may follow.
What a small model writes after that would be its own invention of the result, so the reply is cut there.
"""

from __future__ import annotations

from dataclasses import dataclass

from studio.scenarios import Directive, Vocabulary, find_directives

_LONGEST_REQUEST = 160
_MOST_BLANK_LINES = 3


@dataclass(frozen=True, slots=True)
class ReplyState:
    """What is known of a reply so far.

    Attributes:
        shown: characters that certainly belong to the reply.
        complete: the reply ends at `shown`; nothing more is needed from the model.
    """

    shown: int
    complete: bool


def read_reply(text: str, vocabulary: Vocabulary, *, final: bool = False) -> ReplyState:
    """Where the reply `text` stands; `final` says that no more text will come."""
    directives = find_directives(text, vocabulary)
    first = next((number for number, one in enumerate(directives) if one.asks_for_dice), None)
    if first is None:
        return ReplyState(len(text), final)
    end = _block_end(text, directives[first:])
    rest = text[end:]
    undecided = not rest.strip() and rest.count("\n") <= _MOST_BLANK_LINES
    return ReplyState(end, final or not (undecided or _may_be_request(rest.lstrip())))


def requested_rolls(text: str, vocabulary: Vocabulary) -> list[Directive]:
    """The valid roll directives of a finished reply, in order."""
    return [one for one in find_directives(text, vocabulary) if one.asks_for_dice]


def _block_end(text: str, directives: list[Directive]) -> int:
    """The end of the block of requests that begins with the first of `directives`."""
    end = directives[0].end
    for one in directives[1:]:
        if not one.valid or text[end : one.start].strip():
            break
        end = one.end
    return end


def _may_be_request(rest: str) -> bool:
    opened = rest.startswith("[") and "]" not in rest and "\n" not in rest
    return opened and len(rest) <= _LONGEST_REQUEST
