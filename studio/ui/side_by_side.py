"""One scenario three ways, turn by turn: the story, the exact prompt, and the tokens that training learns from.

`compare` works out the figures and where training cuts; `comparison_html` draws some of the turns as one block in
which nothing that a person wrote is markup. A row of the block is a turn of the chat template (`TurnSpan`), so the
cells of the prompt, joined, are the rendered text, and so are the cells of the tokens.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from html import escape

from studio.bases import RenderedConversation, TokenView, TurnSpan, token_views
from studio.dataset import Cut, Window
from studio.scenarios import TrainingScenario, Vocabulary
from studio.scenarios.slots import expand
from studio.ui.story import scene_html, turn_html
from studio.ui.tokens import prompt_html, tokens_html
from studio.ui.wording import count

PAGE_TOKENS = 4000
LONGEST_TURN = 3000
FOLDED_BEYOND = 160  # tokens of a SYSTEM block
_NO_FATE: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class TurnRow:
    """One turn of the chat template.

    Attributes:
        role: as the messages name it.
        turns: turns of the scenario that it holds, from 0; empty for the SYSTEM block.
        has_scene: whether the SYSTEM block is in it.
        tokens: indices into the rendered ids, whatever comes before the first turn included.
        trained: how many of them are learned; 0 when training leaves the turn out.
        row: the training row that it goes into, from 1; 0 when training leaves it out.
        running: tokens of that row up to the end of this turn, the repeated SYSTEM block included.
        mark: what happens to training rows right before this turn; empty when nothing does.
    """

    role: str
    turns: range
    has_scene: bool
    tokens: range
    trained: int
    row: int
    running: int
    mark: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """A scenario three ways. `training_rows` hold `tokens_read` tokens in all, of at most `limit` each."""

    scenario: TrainingScenario
    rendered: RenderedConversation
    control: Container[int]
    limit: int
    rows: list[TurnRow]
    training_rows: int
    tokens_read: int
    trained: int

    @property
    def total(self) -> int:
        """Tokens of the whole conversation, the SYSTEM block once."""
        return len(self.rendered.ids)

    @property
    def share(self) -> str:
        """How much of the conversation is learned, in percent; a dash when there is none."""
        return f"{self.trained / self.total:.0%}" if self.total else "–"

    @property
    def longest(self) -> TurnRow | None:
        """The turn of the scenario with the most tokens, those with the SYSTEM block in them aside."""
        turns = (one for one in self.rows if one.turns and not one.has_scene)
        return max(turns, key=lambda one: len(one.tokens), default=None)

    @property
    def left_out(self) -> int:
        """Turns of the scenario that training leaves out because of their length, or because nothing is learned."""
        return sum(len(one.turns) for one in self.rows if not one.row)


@dataclass(frozen=True, slots=True)
class _Part:
    """Consecutive turns that share their fate: a training row, or none with the reason why."""

    turns: range
    row: int
    window: Window | None
    reason: str = ""


def compare(
    scenario: TrainingScenario, rendered: RenderedConversation, cut: Cut, limit: int, control: Container[int]
) -> Comparison:
    """The three ways, with every turn's place in the training rows.

    Args:
        rendered: the whole conversation, by the base model's renderer.
        cut: what `cut_conversation` made of the same messages with that renderer and `limit`.
        limit: longest training row in tokens.
        control: ids of the control tokens.
    """
    head = 1 if scenario.system_context.text.strip() else 0
    parts = _parts(cut)
    marks = _marks(parts, limit)
    places = _places(parts, head)
    rows = [
        _row(span, place, head, places, marks)
        for place, span in zip(_token_ranges(rendered), rendered.spans, strict=True)
    ]
    learned = [part.window.rendered for part in parts if part.window]
    return Comparison(
        scenario=scenario,
        rendered=rendered,
        control=control,
        limit=limit,
        rows=rows,
        training_rows=len(learned),
        tokens_read=sum(len(one.ids) for one in learned),
        trained=sum(sum(one.mask) for one in learned),
    )


def warnings(comparison: Comparison) -> list[str]:
    """What a reader must know before training: it is cut, something is left out, or all of it is."""
    found: list[str] = []
    errors = sum(one.severity == "error" for one in comparison.scenario.diagnostics)
    if errors:
        fixed = "its error is" if errors == 1 else f"its {errors} errors are"
        found.append(f"Training leaves this scenario out until {fixed} fixed.")
    if not any(turn.speaker == "DM" for turn in comparison.scenario.conversation):
        return [*found, "There is no DM turn yet, so there is nothing to learn. Training leaves such a scenario out."]
    total, limit = comparison.total, comparison.limit
    if not comparison.training_rows:
        return [*found, f"Nothing of it fits into a training row of {limit:,} tokens. Training leaves it out."]
    if total > limit:
        found.append(
            f"This scenario has {total:,} tokens and a training row holds {limit:,} at most. It becomes "
            f"{count(comparison.training_rows, 'row')}, cut before a player's turn. Each begins with the SYSTEM block "
            f"again, so training reads {comparison.tokens_read:,} tokens, and none knows what was said in another."
        )
    if comparison.left_out:
        found.append(
            f"{count(comparison.left_out, 'turn')} of it will not be trained; a line above them says why. What is too "
            "long for a row fits when the longest row is raised, or when a player speaks in between."
        )
    return found


def pages(rows: Sequence[TurnRow], budget: int = PAGE_TOKENS) -> list[range]:
    """Rows in pages of about `budget` tokens, at least one row each: a browser gets slow beyond some thousand boxes."""
    starts, filled = [0], 0
    for index, row in enumerate(rows):
        size = min(len(row.tokens), LONGEST_TURN)
        if index > starts[-1] and filled + size > budget:
            starts.append(index)
            filled = 0
        filled += size
    return [range(start, end) for start, end in zip(starts, [*starts[1:], len(rows)], strict=True)]


def page_title(comparison: Comparison, shown: range) -> str:
    """Which turns a page shows, and how many it does not."""
    turns = [turn for index in shown for turn in comparison.rows[index].turns]
    total = len(comparison.scenario.conversation)
    which = f"{_turns(range(turns[0], turns[-1] + 1))} of {total:,}" if turns else "The SYSTEM block"
    return f"{which}; {count(total - len(turns), 'turn')} on other pages."


def comparison_html(comparison: Comparison, vocabulary: Vocabulary, shown: range) -> str:
    """The rows `shown` below a header with the names and figures of the three columns."""
    rows = "".join(_row_html(comparison, comparison.rows[index], vocabulary) for index in shown)
    paged = "" if len(shown) == len(comparison.rows) else " paged"
    return f'<div class="views{paged}" role="table">{_header(comparison)}{rows}</div>'


def _parts(cut: Cut) -> list[_Part]:
    """The fate of all turns, in order. A window without a trained token makes no row."""
    parts = [_Part(turns, 0, None, _too_long(turns, tokens)) for turns, tokens in cut.too_long]
    row = 0
    for window in cut.windows:
        if any(window.rendered.mask):
            row += 1
            parts.append(_Part(window.turns, row, window))
        else:
            reason = f"{_turns(window.turns)}: no DM turn to learn from, so left out."
            parts.append(_Part(window.turns, 0, None, reason))
    return sorted(parts, key=lambda part: part.turns.start)


def _places(parts: Sequence[_Part], head: int) -> dict[int, tuple[int, int]]:
    """Turn of the scenario -> its training row, and the tokens of that row up to its end; -1 is the SYSTEM block."""
    places: dict[int, tuple[int, int]] = {}
    for part in parts:
        for span in part.window.rendered.spans if part.window else ():
            for message in span.messages or [head - 1]:
                turn = message - head
                places.setdefault(turn if turn < 0 else part.turns.start + turn, (part.row, span.tokens.stop))
    return places


def _marks(parts: Sequence[_Part], limit: int) -> dict[int, str]:
    """First turn of a part -> what a reader is told at that border."""
    marks: dict[int, str] = {}
    previous: _Part | None = None
    for part in parts:
        ended = _end(previous, limit) if previous and previous.window else ""
        begins = part.reason
        if previous and part.window:
            begins = f"What follows goes into row {part.row}{_begins(part.window)}."
        if text := " ".join(filter(None, (ended, begins))):
            marks[part.turns.start] = text
        previous = part
    return marks


def _end(part: _Part, limit: int) -> str:
    filled = len(part.window.rendered.ids) if part.window else 0
    return f"Training row {part.row} ends here, with {filled:,} of {limit:,} tokens."


def _begins(window: Window) -> str:
    """What a row that is not the first part of a scenario begins with, before its own turns."""
    first = window.rendered.spans[0]
    if first.role == "system":
        return f", which begins with the SYSTEM block again ({count(first.tokens.stop, 'token')})"
    return ", which begins with the SYSTEM block again" if len(first.messages) > 1 else ""


def _too_long(turns: range, tokens: int) -> str:
    return (
        f"{_turns(turns)}: {tokens:,} tokens with the SYSTEM block, more than a row holds, and no player's turn in "
        "between to cut at, so left out."
    )


def _turns(turns: range) -> str:
    """`Turns 3 to 5`, counted from 1."""
    return f"Turn {turns.start + 1}" if len(turns) == 1 else f"Turns {turns.start + 1} to {turns.stop}"


def _token_ranges(rendered: RenderedConversation) -> Iterator[range]:
    """The tokens of every turn; the first also has what the template writes before it."""
    for index, span in enumerate(rendered.spans):
        yield range(span.tokens.start if index else 0, span.tokens.stop)


def _row(
    span: TurnSpan, tokens: range, head: int, places: dict[int, tuple[int, int]], marks: dict[int, str]
) -> TurnRow:
    turns = range(max(0, span.messages.start - head), max(0, span.messages.stop - head))
    row, running = places.get(turns[-1] if turns else -1, _NO_FATE)
    return TurnRow(
        role=span.role,
        turns=turns,
        has_scene=bool(head and 0 in span.messages),
        tokens=tokens,
        trained=len(span.trained) if row else 0,
        row=row,
        running=running,
        mark=marks.get(turns.start, "") if turns else "",
    )


def _header(comparison: Comparison) -> str:
    turns = comparison.scenario.conversation
    rolls = sum(turn.speaker == "TOOLCALL" for turn in turns)
    special = sum(token in comparison.control for token in comparison.rendered.ids)
    learned = f'<span class="legend">{comparison.trained:,} learned ({comparison.share})</span>'
    cells = (
        ("Story", f"{count(len(turns), 'turn')}, {rolls:,} of them dice"),
        ("Prompt", f"{count(len(comparison.rendered.text), 'character')}, {count(special, 'control token')}"),
        ("Tokens", f"{comparison.total:,}, of them {learned}"),
    )
    names = "".join(f'<div role="columnheader"><b>{name}</b> <span>{figures}</span></div>' for name, figures in cells)
    return f'<div class="heads" role="row">{names}</div>'


def _row_html(comparison: Comparison, row: TurnRow, vocabulary: Vocabulary) -> str:
    tokens = token_views(comparison.rendered, tokens=row.tokens, control=comparison.control)
    cells = (
        ("tale", _story(comparison, row, tokens[:LONGEST_TURN], vocabulary)),
        ("prompt", prompt_html(tokens, LONGEST_TURN) + _changed(comparison, row, tokens)),
        ("learned", tokens_html(tokens, LONGEST_TURN) + _tally(comparison, row)),
    )
    body = "".join(f'<div class="{kind}" role="cell">{html}</div>' for kind, html in cells)
    mark = f'<div class="border" role="row"><span role="cell">{escape(row.mark)}</span></div>' if row.mark else ""
    folded = row.has_scene and len(tokens) > FOLDED_BEYOND
    look = "three" + (" out" if row.turns and not row.row else "") + (" folded" if folded else "")
    return f'{mark}<div class="{look}" role="row">{body}{_fold(row) if folded else ""}</div>'


def _fold(row: TurnRow) -> str:
    """Opens the row of the SYSTEM block, which is long and the same for many scenarios; `views.css` does the rest."""
    what = "the SYSTEM block and the turn that shares its place" if row.turns else "the SYSTEM block"
    return (
        f'<details><summary><span class="closed">Show all of {what}</span><span class="opened">Show less</span>'
        "</summary></details>"
    )


def _changed(comparison: Comparison, row: TurnRow, tokens: Sequence[TokenView]) -> str:
    """A remark where the model reads something else than what was written."""
    text = "".join(token.text for token in tokens)
    written = [comparison.scenario.conversation[index].content for index in row.turns]
    written += [comparison.scenario.system_context.text] if row.has_scene else []
    if all(expand(one.strip()).strip() in text for one in written):
        return ""
    return (
        '<p class="more">Not quite as written: it held something that the model would not have read as text, '
        "such as a control token, which got a space inside.</p>"
    )


def _story(comparison: Comparison, row: TurnRow, shown: list[TokenView], vocabulary: Vocabulary) -> str:
    scene = scene_html(comparison.scenario.system_context.text) if row.has_scene else ""
    if not row.turns and not scene:
        return '<p class="more">Nobody wrote a SYSTEM block: the base model\'s own stands in for it.</p>'
    turns = [comparison.scenario.conversation[index] for index in row.turns]
    longest = sum(len(one.text) for one in shown) if len(row.tokens) > LONGEST_TURN else None
    bubbles = "".join(turn_html(one.speaker, one.content[:longest], vocabulary, slots=True) for one in turns)
    return f'<div class="story">{scene}{bubbles}</div>'


def _tally(comparison: Comparison, row: TurnRow) -> str:
    """Tokens of this turn, and how far its training row is filled with it."""
    own = count(len(row.tokens), "token")
    learned = f", {row.trained:,} learned" if row.trained else ""
    if not row.row:
        place = "not in training"
    elif comparison.training_rows > 1:
        place = f"{row.running:,} of {comparison.limit:,} in row {row.row}"
    else:
        place = f"{row.running:,} so far"
    return f'<div class="tally"><span>{own}{learned}</span> <span>{place}</span></div>'
