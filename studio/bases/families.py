"""Chat-template families: the template text, its control strings, and rendering messages to text in a sandbox.

The same text is rendered here, saved beside the weights and written into GGUF files. Templates keep to the subset that
llama.cpp's own template engine understands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal, Protocol

from jinja2 import Template, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from studio.errors import BaseModelError, DatasetError

ROLES = ("system", "user", "assistant", "tool")
_TEMPLATES = Path(__file__).parent / "templates"


class MessageLike(Protocol):
    """What rendering needs of `studio.scenarios.Message`: role `system`, `user`, `assistant` or `tool`, and text."""

    @property
    def role(self) -> str: ...  # noqa: D102

    @property
    def content(self) -> str: ...  # noqa: D102


@dataclass(frozen=True)
class ChatTemplate:
    """How one family writes a conversation.

    Attributes:
        name: file name in templates/ without its suffix.
        source: the Jinja text.
        bos_token: text that opens every conversation; empty where the family has none.
        turn_start: control text that opens every turn.
        assistant_header: what stands between the start of an assistant turn and its content, `turn_start` included.
        end_of_turn: control token that closes every turn; trained, and the stop string when playing.
        adds_default_system: a conversation without a system message gets the family's own.
        system_joins_user: a system message shares the turn of the user message that follows it.
        unicode_form: normal form that the family's tokenizers expect, which llama.cpp does not apply itself.
        replacements: characters that this family's tokenizers cannot tell apart, and what is rendered instead.
    """

    name: str
    source: str
    turn_start: str
    assistant_header: str
    end_of_turn: str
    bos_token: str = ""
    adds_default_system: bool = False
    system_joins_user: bool = False
    unicode_form: Literal["", "NFC"] = ""
    replacements: Mapping[str, str] = field(default_factory=dict, hash=False)

    @cached_property
    def _compiled(self) -> Template:
        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
        return environment.from_string(self.source)

    def render(self, messages: Sequence[MessageLike], *, add_generation_prompt: bool = False) -> str:
        """The conversation as text; `add_generation_prompt` appends the header of the next assistant turn.

        Raises:
            DatasetError: a message has an unknown role.
            BaseModelError: the template itself fails.
        """
        for number, message in enumerate(messages, start=1):
            if message.role not in ROLES:
                raise DatasetError(
                    f"Message {number} has the unknown role {message.role!r}.",
                    next_step=f"Use one of {', '.join(ROLES)}.",
                )
        rows = [{"role": message.role, "content": message.content} for message in messages]
        try:
            return self._compiled.render(
                messages=rows, bos_token=self.bos_token, add_generation_prompt=add_generation_prompt
            )
        except TemplateError as error:
            raise BaseModelError("The chat template failed.", why=str(error), where=self.name) from error


def _chatml() -> ChatTemplate:
    return ChatTemplate(
        name="chatml",
        source=_source("chatml"),
        turn_start="<|im_start|>",
        assistant_header="<|im_start|>assistant\n",
        end_of_turn="<|im_end|>",
        adds_default_system=True,
    )


def _qwen() -> ChatTemplate:
    return ChatTemplate(
        name="qwen",
        source=_source("qwen"),
        turn_start="<|im_start|>",
        assistant_header="<|im_start|>assistant\n",
        end_of_turn="<|im_end|>",
        unicode_form="NFC",
    )


def _gemma3() -> ChatTemplate:
    return ChatTemplate(
        name="gemma3",
        source=_source("gemma3"),
        bos_token="<bos>",  # noqa: S106 - a token of text
        turn_start="<start_of_turn>",
        assistant_header="<start_of_turn>model\n",
        end_of_turn="<end_of_turn>",
        system_joins_user=True,
        # SentencePiece writes a space as U+2581: one typed by a user could not be told from a space.
        replacements={"\u2581": "_"},
    )


def _llama3() -> ChatTemplate:
    return ChatTemplate(
        name="llama3",
        source=_source("llama3"),
        bos_token="<|begin_of_text|>",  # noqa: S106 - a token of text
        turn_start="<|start_header_id|>",
        assistant_header="<|start_header_id|>assistant<|end_header_id|>\n\n",
        end_of_turn="<|eot_id|>",
    )


def _source(name: str) -> str:
    return (_TEMPLATES / f"{name}.jinja").read_text(encoding="utf-8")


def load_template(family: str) -> ChatTemplate:
    """The chat template of a base-model family.

    Raises:
        BaseModelError: the family is unknown.
    """
    match family:
        case "smollm2":
            return _chatml()
        case "qwen2.5" | "qwen3":
            return _qwen()
        case "gemma3":
            return _gemma3()
        case "llama3":
            return _llama3()
    raise BaseModelError(
        f"There is no chat template for the family {family!r}.",
        next_step="Use one of smollm2, llama3, gemma3, qwen2.5 or qwen3.",
    )
