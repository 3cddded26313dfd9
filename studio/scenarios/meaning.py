"""Reading -> meaning: the system context, the turns and their tool calls, as typed values. Judges nothing."""

from __future__ import annotations

from studio.scenarios.models import SCENARIO_TYPES, ConversationTurn, SystemContext, ToolCall
from studio.scenarios.reading import Reading, Turn
from studio.scenarios.slots import expand


def system_context(reading: Reading) -> SystemContext:
    """The SYSTEM block; an empty context when there is none."""
    node = reading.tree.system
    if node is None:
        return SystemContext()
    return SystemContext(
        role=reading.section("role"),
        world=reading.section("world"),
        location=reading.section("location"),
        party=[one.model_copy(deep=True) for one in reading.party],
        text=reading.tree.body(node).strip(),
    )


def conversation(reading: Reading) -> list[ConversationTurn]:
    """The turns in order; a DM turn's requests carry the lines that answered them."""
    answers: dict[int, str] = {}
    for pair in (pair for exchange in reading.exchanges for pair in exchange.pairs):
        before = answers.get(id(pair.directive))
        answers[id(pair.directive)] = f"{before}\n{pair.line.written}" if before else pair.line.written
    return [
        ConversationTurn(
            speaker=turn.speaker,
            content=turn.content,
            tool_calls=_tool_calls(turn, answers),
            line=reading.lines.line_of(turn.node.start),
        )
        for turn in reading.turns
    ]


def scenario_type(reading: Reading, default_type: str) -> str:
    """The front matter's type, else the default when it is a type, else 'mixed'."""
    chosen = (str(reading.front_matter.values.get("scenario_type", "")).lower(), default_type)
    return next((one for one in chosen if one in SCENARIO_TYPES), "mixed")


def _tool_calls(turn: Turn, answers: dict[int, str]) -> list[ToolCall]:
    if turn.speaker == "DM":
        return [
            ToolCall(
                tool_name=one.tool.name,
                arguments={name: expand(value) for name, value in one.arguments.items()},
                result=answers.get(id(one)),
            )
            for one in turn.directives
            if one.tool is not None
        ]
    return [ToolCall(tool_name=line.tool_name or line.name, result=line.written) for line in turn.results]
