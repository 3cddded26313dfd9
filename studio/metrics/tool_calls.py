"""Whether a generated DM turn asks the engine for what its author asked for.

A request that the engine could not act on (unknown tool, unreadable argument) counts as malformed and not as a call.
So does what only looks like one: `[roll stealth]`, `{roll: stealth}`. Another spelling than the canonical one is a
call, and is counted apart.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field

from studio.metrics.arguments import ArgumentMatch, Call, match_arguments
from studio.metrics.cases import TurnCase
from studio.scenarios import Directive, Vocabulary, find_directives

NO_CALL = "(no call)"
"""Label of the confusion matrix where one side has no call to set against the other's."""
_LOOKS_LIKE_A_REQUEST = re.compile(
    r"(?<!`)(?:\[\s*roll\s+\w[^\]\n:]*\]?|[{<]\s*roll\b[^}>\n]*[}>]?|\(\s*roll\s*:[^)\n]*\)?)", re.IGNORECASE
)
"""The wrong brackets, or none of the colon: the reader of scenarios takes these for prose, a player sees them."""


class CallPair(BaseModel):
    """An expected call beside the generated one that answers to it; either may be missing."""

    model_config = ConfigDict(frozen=True)

    expected: Call | None = None
    generated: Call | None = None
    arguments: ArgumentMatch | None = Field(None, description="Only when both name the same tool.")

    @property
    def labels(self) -> tuple[str, str]:
        """Expected and generated tool, `NO_CALL` where there is none: one count of the confusion matrix."""
        return (
            self.expected.tool if self.expected else NO_CALL,
            self.generated.tool if self.generated else NO_CALL,
        )

    @property
    def exact(self) -> bool:
        """Same tool, same arguments."""
        return self.arguments is not None and self.arguments.exact


class CallVerdict(BaseModel):
    """What a turn asked for against what it should have asked for."""

    model_config = ConfigDict(frozen=True)

    pairs: tuple[CallPair, ...] = ()
    malformed: tuple[str, ...] = Field((), description="Requests that no engine could act on, as written.")
    respelled: int = Field(0, description="Valid requests not written in the canonical way.")

    @property
    def expects_call(self) -> bool:
        """Whether the author asked for anything."""
        return any(pair.expected for pair in self.pairs)

    @property
    def makes_call(self) -> bool:
        """Whether the text holds a request that the engine can act on."""
        return any(pair.generated for pair in self.pairs)

    @property
    def decides_right(self) -> bool:
        """Calls where it should, and only there."""
        return self.expects_call == self.makes_call

    @property
    def exact(self) -> bool:
        """Exactly the expected calls with exactly the expected arguments; none where none was expected."""
        return not self.malformed and all(pair.exact for pair in self.pairs)


def judge_calls(case: TurnCase, text: str, vocabulary: Vocabulary) -> CallVerdict:
    """Compare the requests in `text` with the author's. Never raises."""
    found = find_directives(text, vocabulary)
    valid = [one for one in found if one.valid]
    actor = case.actor.name if case.actor else ""
    return CallVerdict(
        pairs=tuple(align([_call(one) for one in case.expected], [_call(one) for one in valid], vocabulary, actor)),
        malformed=(*(one.written for one in found if not one.valid), *_near_misses(text, found)),
        respelled=sum(bool(one.problems) for one in valid),
    )


def align(
    expected: Sequence[Call], generated: Sequence[Call], vocabulary: Vocabulary, actor: str = ""
) -> list[CallPair]:
    """Set each expected call against a generated one so that as much as possible fits (order does not matter).

    The best assignment (Hungarian method, scipy) of a score: 2 for the same tool, up to 1 more for its arguments.
    """
    if not expected or not generated:
        return [CallPair(expected=one) for one in expected] + [CallPair(generated=one) for one in generated]
    import numpy as np
    from scipy.optimize import linear_sum_assignment

    table = [[_pair(one, other, vocabulary, actor) for other in generated] for one in expected]
    scores = np.array([[_score(pair) for pair in row] for row in table])
    rows, columns = (indices.tolist() for indices in linear_sum_assignment(scores, maximize=True))
    pairs = [table[row][column] for row, column in zip(rows, columns, strict=True)]
    pairs += [CallPair(expected=one) for index, one in enumerate(expected) if index not in rows]
    return pairs + [CallPair(generated=one) for index, one in enumerate(generated) if index not in columns]


def _near_misses(text: str, found: Sequence[Directive]) -> list[str]:
    return [
        match[0].strip()
        for match in _LOOKS_LIKE_A_REQUEST.finditer(text)
        if not any(one.start < match.end() and match.start() < one.end for one in found)
    ]


def _call(directive: Directive) -> Call:
    return Call(tool=directive.tool_name or directive.name, arguments=directive.arguments, written=directive.written)


def _pair(expected: Call, generated: Call, vocabulary: Vocabulary, actor: str) -> CallPair:
    tool = vocabulary.by_name.get(expected.tool)
    if tool is None or expected.tool != generated.tool:
        return CallPair(expected=expected, generated=generated)
    match = match_arguments(expected, generated, tool, vocabulary, actor)
    return CallPair(expected=expected, generated=generated, arguments=match)


def _score(pair: CallPair) -> float:
    if pair.arguments is None:
        return 0.0
    match = pair.arguments
    faults = len(match.wrong) + len(match.missing) + len(match.extra)
    return 2 + (len(match.right) + 1) / (len(match.right) + 1 + faults)
