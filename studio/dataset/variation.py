"""More rows and fairer shares without inventing a word: another order of the party, rarer types read more often."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Sequence

from studio.dataset.models import TrainingRow
from studio.scenarios import Character, SystemContext, TrainingScenario

_PARTY = re.compile(r"^# Party[ \t]*$", re.MULTILINE | re.IGNORECASE)
_SHEET = re.compile(r"^## ", re.MULTILINE)


def reordered(scenario: TrainingScenario, seed: int) -> TrainingScenario | None:
    """The scenario with its party in another order; None where the order carries meaning or there is no other one.

    The first player character stays first, because a roll of nobody in particular is theirs. Where one request was
    answered by several lines (initiative), the lines follow the order of the party, so such a scenario stays as it is.
    """
    answers = [turn.content for turn in scenario.conversation if turn.speaker == "TOOLCALL"]
    if any(len(answer.splitlines()) > 1 for answer in answers):
        return None
    cut = _cut(scenario.system_context)
    if cut is None:
        return None
    head, sheets = cut
    party = scenario.system_context.party
    leader = next((place for place, one in enumerate(party) if one.is_player), 0)
    others = [place for place in range(len(party)) if place != leader]
    if leader or len(others) < 2:
        return None
    shuffled = others[:]
    generator = random.Random(f"{seed}/{scenario.metadata.get('source', '')}")  # noqa: S311 - variety, not secrets
    while shuffled == others:
        generator.shuffle(shuffled)
    order = [leader, *shuffled]
    context = scenario.system_context.model_copy(
        update={"party": [party[place] for place in order], "text": _joined(head, [sheets[place] for place in order])}
    )
    origin = {"parent": scenario.metadata.get("source", ""), "operations": ["party order"], "seed": seed}
    return scenario.model_copy(
        update={"system_context": context, "metadata": {**scenario.metadata, "augmentation": origin}}
    )


def evened(rows: Sequence[TrainingRow], seed: int) -> list[TrainingRow]:
    """All rows, and rows of the rarer scenario types again, until each type has nearly as many trained tokens.

    Nothing is left out; a type is never lifted above the most frequent one.
    """
    groups: dict[str, list[TrainingRow]] = defaultdict(list)
    for row in rows:
        groups[row.scenario_type].append(row)
    most = max((_trained(group) for group in groups.values()), default=0)
    generator = random.Random(seed)  # noqa: S311 - variety, not secrets
    return [row for group in groups.values() for row in [*group, *_repeats(group, most, generator)]]


def _repeats(group: list[TrainingRow], most: int, generator: random.Random) -> list[TrainingRow]:
    """Rows of `group` to read again, in rounds of random order, as long as they stay within `most` trained tokens."""
    missing, chosen = most - _trained(group), list[TrainingRow]()
    while fitting := [row for row in group if 0 < row.trained_tokens <= missing]:
        for row in generator.sample(fitting, len(fitting)):
            if row.trained_tokens <= missing:
                chosen.append(row)
                missing -= row.trained_tokens
    return chosen


def _trained(rows: Sequence[TrainingRow]) -> int:
    return sum(row.trained_tokens for row in rows)


def _cut(context: SystemContext) -> tuple[str, list[str]] | None:
    """The text before the first sheet, and the sheets; None when they are not the last thing in the block."""
    title = _PARTY.search(context.text)
    if title is None:
        return None
    starts = [match.start() for match in _SHEET.finditer(context.text, title.end())]
    sheets = [context.text[a:b] for a, b in zip(starts, [*starts[1:], len(context.text)], strict=True)]
    if len(sheets) != len(context.party) or not all(map(_is_sheet_of, sheets, context.party)):
        return None
    return context.text[: starts[0]] if starts else context.text, sheets


def _is_sheet_of(sheet: str, character: Character) -> bool:
    return sheet.partition("\n")[0][3:].strip() == character.name and "\n# " not in sheet


def _joined(head: str, sheets: Sequence[str]) -> str:
    return head + "\n\n".join(sheet.strip() for sheet in sheets)
