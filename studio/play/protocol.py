"""What a model host and its client say to each other: pydantic messages, one JSON line each.

Requests go to the host's standard input, replies come from its standard output. Every request has an `id` that its
replies repeat. Only the host process imports llama_cpp; this module does not.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

StopReason = Literal["end_of_turn", "stop_string", "length", "context_full", "cancelled"]


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class Sampling(_Line):
    """How the next token is chosen. Temperature 0 is greedy; then only the repeat penalty and the grammar matter."""

    temperature: float = Field(0.7, ge=0, le=5)
    top_p: float = Field(0.95, gt=0, le=1)
    top_k: int = Field(40, ge=0, description="Most probable tokens to choose from; 0 means all.")
    min_p: float = Field(0.05, ge=0, le=1)
    repeat_penalty: float = Field(1.1, gt=0, le=5, description="Over the last 64 tokens of the reply; 1 means none.")
    seed: int = Field(7, ge=0, lt=2**32)
    max_tokens: int = Field(384, ge=1, le=131_072)


class GenerateRequest(_Line):
    """Continue `prompt`, which is the whole conversation as text, control tokens included."""

    kind: Literal["generate"] = "generate"
    id: int
    prompt: str
    sampling: Sampling = Sampling()
    stop: tuple[str, ...] = ()
    grammar: str = Field("", description="GBNF that the reply must follow; empty means free text.")
    fresh: bool = Field(False, description="Evaluate every token again instead of reusing a KV cache.")


class TokenizeRequest(_Line):
    """The token ids of a text, exactly as `GenerateRequest` would feed them."""

    kind: Literal["tokenize"] = "tokenize"
    id: int
    text: str


class CancelRequest(_Line):
    """End the generation with this id as soon as possible, waiting or running."""

    kind: Literal["cancel"] = "cancel"
    id: int


class HostInfo(_Line):
    """Said once, when the model is loaded."""

    kind: Literal["ready"] = "ready"
    id: int = 0
    path: str
    sha256: str
    size_bytes: int
    name: str = ""
    architecture: str = ""
    chat_template: str = ""
    tokenizer: str = Field("", description="`tokenizer.ggml.pre`: which pre-tokenizer the vocabulary was made for.")
    control_tokens: tuple[str, ...] = Field((), description="Texts that the vocabulary reads as one control token.")
    bos_token: str = ""
    adds_bos: bool = False
    context_tokens: int = Field(description="Size of the context window that was allocated.")
    trained_context_tokens: int
    threads: int
    load_seconds: float
    process_id: int
    parents: dict[str, str] = Field(default_factory=dict, description="GGUF metadata that says what it was made from.")


class Prefilled(_Line):
    """The prompt is in the KV cache: `n_reused` of its `n_prompt` tokens already were, the others were evaluated."""

    kind: Literal["prefilled"] = "prefilled"
    id: int
    n_prompt: int
    n_reused: int
    seconds: float


class PrefillProgress(_Line):
    """A part of a long prompt has been evaluated."""

    kind: Literal["prefilling"] = "prefilling"
    id: int
    done: int
    total: int


class Token(_Line):
    """More text of the reply; one or several tokens, never half a character."""

    kind: Literal["token"] = "token"
    id: int
    text: str


class Done(_Line):
    """A generation ended. Seconds are measured in the host, from the start of its own work on the request."""

    kind: Literal["done"] = "done"
    id: int
    reason: StopReason
    n_prompt: int = 0
    n_reused: int = 0
    n_generated: int = 0
    prefill_seconds: float = 0.0
    ttft_seconds: float = Field(0.0, description="Time to first token, waiting for other requests not included.")
    decode_seconds: float = Field(0.0, description="From the first token to the last.")
    peak_memory_bytes: int = 0

    @property
    def tokens_per_second(self) -> float:
        """Decoding speed after the first token; 0 when there were fewer than two."""
        return (self.n_generated - 1) / self.decode_seconds if self.decode_seconds > 0 else 0.0


class Tokens(_Line):
    """Answer to `TokenizeRequest`."""

    kind: Literal["tokens"] = "tokens"
    id: int
    ids: tuple[int, ...]


class Failed(_Line):
    """The request cannot be answered; the host goes on, unless it failed while loading (id 0)."""

    kind: Literal["failed"] = "failed"
    id: int
    what: str
    why: str = ""
    next_step: str = ""


Request = Annotated[GenerateRequest | TokenizeRequest | CancelRequest, Field(discriminator="kind")]
Reply = Annotated[
    HostInfo | Prefilled | PrefillProgress | Token | Done | Tokens | Failed,
    Field(discriminator="kind"),
]
REQUEST: TypeAdapter[GenerateRequest | TokenizeRequest | CancelRequest] = TypeAdapter(Request)
REPLY: TypeAdapter[HostInfo | Prefilled | PrefillProgress | Token | Done | Tokens | Failed] = TypeAdapter(Reply)


def line_of(message: BaseModel) -> bytes:
    """The message as it travels: one JSON object, then a newline."""
    return message.model_dump_json().encode() + b"\n"
