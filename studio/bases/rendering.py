"""Messages -> text, token ids and loss mask: the one function that training, pages and the playground all call.

Loss is on assistant turns only: their content and their end-of-turn token. Text that a person typed never becomes a
control token: a space is put inside it first (`<|im_end|>` is rendered `< |im_end|>`), in training and in play alike,
so that llama.cpp, which reads control tokens wherever they stand, gives the same ids. Needs only `tokenizers`.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Container, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from studio.bases.families import ChatTemplate, MessageLike
from studio.bases.tokenization import control_tokens
from studio.errors import DatasetError

if TYPE_CHECKING:
    from tokenizers import Tokenizer


@dataclass(frozen=True, slots=True)
class TurnSpan:
    """Where one turn of the template stands. Ends are exclusive.

    Attributes:
        role: role of the turn's last message, as the messages name it.
        messages: indices of the messages in this turn: first and one past the last; empty for a turn that the template
            adds by itself (a default system text, the generation prompt).
        text: characters of `RenderedConversation.text`.
        tokens: indices into `RenderedConversation.ids`.
        trained: the part of `tokens` that carries loss; empty for all but assistant turns.
    """

    role: str
    messages: range
    text: range
    tokens: range
    trained: range


@dataclass(frozen=True, slots=True)
class RenderedConversation:
    """A conversation as a model sees it.

    Attributes:
        text: the rendered text; tokenizing it whole gives `ids`.
        ids: token ids, `[tokens]`.
        mask: True where the token carries loss, `[tokens]`.
        offsets: characters of `text` that each token stands for, `[tokens]`.
        spans: the turns, in order.
    """

    text: str
    ids: list[int]
    mask: list[bool]
    offsets: list[tuple[int, int]]
    spans: list[TurnSpan]


@dataclass(frozen=True, slots=True)
class TokenView:
    """One token as the trained-tokens view shows it; joining all texts gives the rendered text.

    Attributes:
        text: the characters it stands for; empty for all but the first of several tokens that share a character.
        id: token id.
        trained: whether it carries loss.
        control: whether it is a control token of the template. What a person typed never is.
    """

    text: str
    id: int
    trained: bool
    control: bool = False


@dataclass(frozen=True, slots=True)
class _PlainMessage:
    role: str
    content: str


@dataclass(frozen=True)
class ConversationRenderer:
    """`render_conversation` for many conversations with one tokenizer and template."""

    tokenizer: Tokenizer
    template: ChatTemplate

    def render(self, messages: Sequence[MessageLike], *, add_generation_prompt: bool = False) -> RenderedConversation:
        """See `render_conversation`."""
        plain = [_PlainMessage(message.role, self.as_plain_text(message.content)) for message in messages]
        text = self.template.render(plain, add_generation_prompt=add_generation_prompt)
        encoding = self.tokenizer.encode(text, add_special_tokens=False)
        offsets: list[tuple[int, int]] = encoding.offsets
        spans = self._spans(plain, text, offsets, add_generation_prompt)
        mask = [False] * len(offsets)
        for span in spans:
            mask[span.trained.start : span.trained.stop] = [True] * len(span.trained)
        return RenderedConversation(text, encoding.ids, mask, offsets, spans)

    def as_plain_text(self, content: str) -> str:
        """What is rendered for `content`: stripped, and with nothing in it that reads as a control token."""
        text = content.encode("utf-8", errors="replace").decode("utf-8").strip()
        if self.template.unicode_form:
            text = unicodedata.normalize(self.template.unicode_form, text)
        for character, replacement in self.template.replacements.items():
            text = text.replace(character, replacement)
        while (broken := self._control_pattern.sub(_with_a_space, text)) != text:
            text = broken
        return text

    @cached_property
    def control_ids(self) -> frozenset[int]:
        """Ids of the tokens that mean something else than text, such as the start and the end of a turn."""
        ids = (self.tokenizer.token_to_id(token) for token in control_tokens(self.tokenizer))
        return frozenset(one for one in ids if one is not None)

    @cached_property
    def _control_pattern(self) -> re.Pattern[str]:
        tokens = [re.escape(token) for token in control_tokens(self.tokenizer) if len(token) > 1]
        return re.compile("|".join(tokens) or r"(?!)")

    def _spans(
        self, messages: Sequence[MessageLike], text: str, offsets: list[tuple[int, int]], add_generation_prompt: bool
    ) -> list[TurnSpan]:
        """Content holds no control token, so every `turn_start` in the text opens a turn of the template."""
        turns = self._turns(messages, add_generation_prompt)
        starts = [match.start() for match in re.finditer(re.escape(self.template.turn_start), text)]
        if len(starts) != len(turns):
            raise DatasetError(
                f"The chat template wrote {len(starts)} turns for a conversation of {len(turns)}.",
                where=self.template.name,
            )
        tokens = _TokenBorders(text, offsets)
        ends = [*starts[1:], len(text)]
        return [
            self._span(role, indices, text, range(start, end), tokens)
            for (role, indices), start, end in zip(turns, starts, ends, strict=True)
        ]

    def _turns(self, messages: Sequence[MessageLike], add_generation_prompt: bool) -> list[tuple[str, range]]:
        """Role and message indices of every turn that the template writes."""
        turns: list[tuple[str, range]] = []
        if self.template.adds_default_system and (not messages or messages[0].role != "system"):
            turns.append(("system", range(0)))
        for index, message in enumerate(messages):
            joins = self.template.system_joins_user and message.role == "user" and index > 0
            if joins and messages[index - 1].role == "system":
                turns[-1] = ("user", range(index - 1, index + 1))
            else:
                turns.append((message.role, range(index, index + 1)))
        if add_generation_prompt:
            turns.append(("assistant", range(len(messages), len(messages))))
        return turns

    def _span(self, role: str, messages: range, text: str, place: range, tokens: _TokenBorders) -> TurnSpan:
        trained = range(place.start, place.start)
        if role == "assistant" and messages:
            content = place.start + len(self.template.assistant_header)
            end = text.index(self.template.end_of_turn, content) + len(self.template.end_of_turn)
            trained = range(content, end)
        return TurnSpan(role, messages, place, tokens.of(place), tokens.of(trained))


class _TokenBorders:
    """Character ranges -> token ranges."""

    def __init__(self, text: str, offsets: list[tuple[int, int]]) -> None:
        self._text = text
        self._offsets = offsets
        self._starts = [start for start, _ in offsets]

    def of(self, place: range) -> range:
        """Tokens of `place`. Raises `DatasetError` if one of them also belongs to text outside."""
        return range(self._index(place.start), self._index(place.stop))

    def _index(self, position: int) -> int:
        index = bisect_left(self._starts, position)
        if index and self._offsets[index - 1][1] > position:
            start, end = self._offsets[index - 1]
            raise DatasetError(
                "A token belongs half to a trained part and half to another, so the conversation cannot be masked.",
                why=f"The token stands for {self._text[start:end]!r}.",
                next_step="Change the text at the start of that turn.",
            )
        return index


def render_conversation(
    messages: Sequence[MessageLike],
    tokenizer: Tokenizer,
    template: ChatTemplate,
    *,
    add_generation_prompt: bool = False,
) -> RenderedConversation:
    """Messages as text, token ids and loss mask.

    Args:
        add_generation_prompt: end with the header of the next assistant turn, for a model to go on from.

    Raises:
        DatasetError: unknown role, or a token that straddles the border of a turn's trained part.
    """
    return ConversationRenderer(tokenizer, template).render(messages, add_generation_prompt=add_generation_prompt)


def token_views(
    rendered: RenderedConversation, *, tokens: range | None = None, control: Container[int] = frozenset()
) -> list[TokenView]:
    """Every token with its text, for showing what is trained. Of several tokens in one character the first shows it.

    Args:
        tokens: only these, from the start of a turn (`TurnSpan.tokens`); None for all.
        control: ids of control tokens (`ConversationRenderer.control_ids`).
    """
    wanted = range(len(rendered.ids)) if tokens is None else tokens
    views: list[TokenView] = []
    shown = rendered.offsets[wanted.start - 1][1] if wanted.start else 0
    for index in wanted:
        token, end = rendered.ids[index], rendered.offsets[index][1]
        views.append(TokenView(rendered.text[shown:end], token, rendered.mask[index], token in control))
        shown = max(shown, end)
    return views


def _with_a_space(match: re.Match[str]) -> str:
    token = match.group()
    return f"{token[0]} {token[1:]}"
