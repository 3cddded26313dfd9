"""Messages -> the text that the model is given, exactly as training rendered it.

Rendering is `studio.bases`' own. A GGUF of a family that the studio trains is rendered with that family's template,
which is also what a tuned file carries; any other GGUF is rendered with the template it brings, in the same sandbox.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from tokenizers import AddedToken, Tokenizer
from tokenizers.models import BPE

from studio.bases import ChatTemplate, ConversationRenderer, Family, load_template
from studio.errors import PlayError
from studio.play.hosts.protocol import HostInfo
from studio.scenarios import Message

_TEXT_IN_TRAINING = frozenset({"</s>"})
"""llama.cpp takes any token of this name for the end of a text; Gemma's tokenizer has it as the HTML tag."""


@dataclass(frozen=True)
class PromptRenderer:
    """Renders the conversations of one loaded file."""

    template: ChatTemplate
    renderer: ConversationRenderer

    @classmethod
    def for_file(cls, info: HostInfo) -> PromptRenderer:
        """The renderer for a loaded file.

        Raises:
            PlayError: the file has no chat template and is of no family that the studio knows.
        """
        as_text = _TEXT_IN_TRAINING if family_of(info) == "gemma3" else frozenset()
        control = tuple(one for one in info.control_tokens if one not in as_text)
        return _renderer(_template(info), control)

    def prompt(self, messages: Sequence[Message]) -> str:
        """The conversation as text, ending with the header of the next DM turn. Raises `StudioError`."""
        plain = [Message(one.role, self.renderer.as_plain_text(one.content)) for one in messages]
        return self.template.render(plain, add_generation_prompt=True)

    def open_reply(self, messages: Sequence[Message], begun: str) -> str:
        """`prompt(messages)` and the words that the DM has begun its turn with, for it to go on from them."""
        return self.prompt(messages) + self.renderer.as_plain_text(begun)

    def answer(self, messages: Sequence[Message], authored: str) -> str:
        """What stands after `prompt(messages)` when the DM's turn is `authored`, its end included, as training has it.

        Empty where the file's template writes an answered conversation otherwise than an open one. Raises
        `StudioError`.
        """
        plain = [Message(one.role, self.renderer.as_plain_text(one.content)) for one in messages]
        whole = self.template.render([*plain, Message("assistant", self.renderer.as_plain_text(authored))])
        before, end = self.prompt(messages), self.template.end_of_turn
        if not whole.startswith(before):
            return ""
        answer = whole[len(before) :]
        return answer[: answer.find(end) + len(end)] if end in answer else answer.rstrip()

    @property
    def stop_strings(self) -> tuple[str, ...]:
        """The text that ends a turn, for files whose vocabulary does not mark its token as one that does."""
        return (self.template.end_of_turn,) if self.template.end_of_turn else ()


def family_of(info: HostInfo) -> Family | None:
    """The family of a loaded file, or None when it is none that the studio trains."""
    match info.architecture, info.tokenizer:
        case "gemma3", _:
            return "gemma3"
        case "qwen2", "qwen2":
            return "qwen2.5"
        case "qwen3", "qwen2":
            return "qwen3"
        case "llama", "smollm":
            return "smollm2"
        case "llama", "llama-bpe" if "<|start_header_id|>" in info.control_tokens:
            return "llama3"
    return None


def _template(info: HostInfo) -> ChatTemplate:
    family = family_of(info)
    if family is not None:
        return load_template(family)
    if not info.chat_template:
        raise PlayError(
            "This file does not say how a conversation is written for it.",
            why="It has no chat template, and its architecture is none that the studio trains.",
            next_step="Use a GGUF of an instruction-tuned model.",
            where=info.path,
        )
    return ChatTemplate(
        name="of the file",
        source=info.chat_template,
        turn_start="",
        assistant_header="",
        end_of_turn="",
        bos_token=info.bos_token,
    )


@lru_cache(maxsize=8)
def _renderer(template: ChatTemplate, control: tuple[str, ...]) -> PromptRenderer:
    """`ConversationRenderer` asks its tokenizer for one thing here: which texts are control tokens."""
    tokenizer = Tokenizer(BPE())
    tokenizer.add_special_tokens([AddedToken(text, special=True) for text in control])
    return PromptRenderer(template, ConversationRenderer(tokenizer, template))
