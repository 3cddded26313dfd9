"""Another order of the party: the sheets change places, nothing else does."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from studio.dataset.augmentation.text import generator
from studio.scenarios import (
    Character,
    ConversationTurn,
    MarkdownParser,
    SystemContext,
    TrainingScenario,
    Vocabulary,
    parse_tree,
)

_PARTY = re.compile(r"^# Party[ \t]*$", re.MULTILINE | re.IGNORECASE)
_SHEET = re.compile(r"^## ", re.MULTILINE)


class PartyOrder:
    """The operation: the first player character stays first, the others change places."""

    name = "party order"

    def apply(self, text: str, seed: int, vocabulary: Vocabulary) -> str | None:
        """The text with its party in another order; None where the order means something or there is no other."""
        node, parser = parse_tree(text).system, MarkdownParser(vocabulary)
        if node is None or "\r" in text:
            return None
        body = text[node.body_start : node.body_end]
        context = parser.extract_system_context(text)
        changed = _in_other_order(context, parser.extract_conversation(text), generator(seed, self.name))
        if changed is None or context.text != body.strip():
            return None
        before = body[: len(body) - len(body.lstrip())]
        after = body[len(body.rstrip()) :]
        return text[: node.body_start] + before + changed[0].strip() + after + text[node.body_end :]


def reordered(scenario: TrainingScenario, seed: int) -> TrainingScenario | None:
    """The scenario with its party in another order; None where the order carries meaning or there is no other one.

    The first player character stays first, because a roll of nobody in particular is theirs. Where one request was
    answered by several lines (initiative), the lines follow the order of the party, so such a scenario stays as it is.
    """
    chance = random.Random(f"{seed}/{scenario.metadata.get('source', '')}")  # noqa: S311 - variety, not secrets
    changed = _in_other_order(scenario.system_context, scenario.conversation, chance)
    if changed is None:
        return None
    context = scenario.system_context.model_copy(update={"text": changed[0], "party": changed[1]})
    origin = {"parent": scenario.metadata.get("source", ""), "operations": [PartyOrder.name], "seed": seed}
    return scenario.model_copy(
        update={"system_context": context, "metadata": {**scenario.metadata, "augmentation": origin}}
    )


def _in_other_order(
    context: SystemContext, conversation: Sequence[ConversationTurn], chance: random.Random
) -> tuple[str, list[Character]] | None:
    """The block and its party in another order."""
    answers = [turn.content for turn in conversation if turn.speaker == "TOOLCALL"]
    cut = None if any(len(answer.splitlines()) > 1 for answer in answers) else _cut(context)
    if cut is None:
        return None
    head, sheets = cut
    party = context.party
    leader = next((place for place, one in enumerate(party) if one.is_player), 0)
    others = [place for place in range(len(party)) if place != leader]
    if leader or len(others) < 2:
        return None
    shuffled = others[:]
    while shuffled == others:
        chance.shuffle(shuffled)
    order = [leader, *shuffled]
    return _joined(head, [sheets[place] for place in order]), [party[place] for place in order]


def _cut(context: SystemContext) -> tuple[str, list[str]] | None:
    """The text before the first sheet, and the sheets; None when they are not the last thing in the block."""
    title = _PARTY.search(context.text)
    starts = [match.start() for match in _SHEET.finditer(context.text, title.end())] if title else []
    if not starts:
        return None
    sheets = [context.text[a:b] for a, b in zip(starts, [*starts[1:], len(context.text)], strict=True)]
    if len(sheets) != len(context.party) or not all(map(_is_sheet_of, sheets, context.party)):
        return None
    return context.text[: starts[0]], sheets


def _is_sheet_of(sheet: str, character: Character) -> bool:
    return sheet.partition("\n")[0][3:].strip() == character.name and "\n# " not in sheet


def _joined(head: str, sheets: Sequence[str]) -> str:
    return head + "\n\n".join(sheet.strip() for sheet in sheets)
