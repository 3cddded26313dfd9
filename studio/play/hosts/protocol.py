"""What a model host and its client say to each other: pydantic messages, one JSON line each.

Requests go to the host's standard input, replies come from its standard output. Every request has an `id` that its
replies repeat. Only the host process imports llama_cpp; this module does not.
"""

from __future__ import annotations

import hashlib
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
    grammar_from: str = Field("", description="The grammar holds from this text on only, which is part of it.")
    fresh: bool = Field(False, description="Evaluate every token again instead of reusing a KV cache.")


class TokenizeRequest(_Line):
    """The token ids of a text, exactly as `GenerateRequest` would feed them."""

    kind: Literal["tokenize"] = "tokenize"
    id: int
    text: str


class Branch(_Line):
    """One reply to write, and the words of the author that stand in its place."""

    prompt: str = Field(description="The whole conversation as text, as in `GenerateRequest`.")
    target: str = Field("", description="What the author wrote as the reply, end of turn included; empty: none.")


class BranchesRequest(_Line):
    """Greedy replies to many prompts at once, and the likelihood of what their authors wrote instead.

    Prompts that begin alike and stand together are read once as far as they are alike.
    """

    kind: Literal["branches"] = "branches"
    id: int
    branches: tuple[Branch, ...] = Field(min_length=1)
    max_tokens: int = Field(ge=1, le=131_072)
    stop: tuple[str, ...] = ()


class LoadAdapterRequest(_Line):
    """Lay another adapter over the loaded model, or none; answered by a new `HostInfo`."""

    kind: Literal["load_adapter"] = "load_adapter"
    id: int
    path: str = Field("", description="A LoRA in GGUF form; empty plays the model alone.")


class CancelRequest(_Line):
    """End the generation with this id as soon as possible, waiting or running."""

    kind: Literal["cancel"] = "cancel"
    id: int


class AdapterInfo(_Line):
    """A LoRA GGUF that is laid over the loaded file, as it describes itself."""

    path: str
    sha256: str
    size_bytes: int
    name: str = ""
    parents: dict[str, str] = Field(default_factory=dict, description="Its metadata under `studio.`.")


class HostInfo(_Line):
    """Said when the model is loaded, and again when an adapter is laid over it. `sha256` is the model file's alone."""

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
    parents: dict[str, str] = Field(
        default_factory=dict, description="GGUF metadata that says what it was made from, the adapter's included."
    )
    adapter: AdapterInfo | None = None

    @property
    def played_sha256(self) -> str:
        """What is played, by content: the file's hash, or with an adapter one that stands for both files."""
        return joint_sha256(self.sha256, self.adapter.sha256) if self.adapter else self.sha256


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


class BranchProgress(_Line):
    """How much of a `BranchesRequest` is done: tokens read and written, of those to read and at most to write."""

    kind: Literal["branch_progress"] = "branch_progress"
    id: int
    done: int
    total: int


class BranchDone(_Line):
    """One reply of a `BranchesRequest` is complete.

    Seconds are this reply's share: of reading by its tokens, of every common step by the replies in it.
    """

    kind: Literal["branch"] = "branch"
    id: int
    index: int = Field(description="Place of the branch in the request, from 0.")
    text: str
    reason: StopReason
    n_prompt: int
    n_reused: int
    n_generated: int
    prefill_seconds: float
    decode_seconds: float
    peak_memory_bytes: int
    target_nats: float = Field(0.0, description="Negative log-likelihood of the target, natural logarithm.")
    target_tokens: int = Field(0, description="Tokens of the target; 0 where there was none, or it does not fit.")


class BranchesDone(_Line):
    """A `BranchesRequest` ended. Replies that were not complete when it was cancelled are not sent."""

    kind: Literal["branches_done"] = "branches_done"
    id: int
    cancelled: bool = False


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


Request = Annotated[
    GenerateRequest | BranchesRequest | TokenizeRequest | LoadAdapterRequest | CancelRequest,
    Field(discriminator="kind"),
]
Reply = Annotated[
    HostInfo
    | Prefilled
    | PrefillProgress
    | Token
    | Done
    | BranchProgress
    | BranchDone
    | BranchesDone
    | Tokens
    | Failed,
    Field(discriminator="kind"),
]
REQUEST: TypeAdapter[GenerateRequest | BranchesRequest | TokenizeRequest | LoadAdapterRequest | CancelRequest] = (
    TypeAdapter(Request)
)
REPLY: TypeAdapter[
    HostInfo | Prefilled | PrefillProgress | Token | Done | BranchProgress | BranchDone | BranchesDone | Tokens | Failed
] = TypeAdapter(Reply)


def joint_sha256(model: str, adapter: str) -> str:
    """One SHA-256 for a model file with an adapter over it, from the two files' own."""
    return hashlib.sha256(f"{model}+{adapter}".encode()).hexdigest()


def line_of(message: BaseModel) -> bytes:
    """The message as it travels: one JSON object, then a newline."""
    return message.model_dump_json().encode() + b"\n"
