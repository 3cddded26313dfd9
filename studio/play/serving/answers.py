"""The JSON documents of OpenAI's chat API that the server sends: models, completions, chunks of a stream, usage."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from studio.play.hosts.protocol import Done, HostInfo, StopReason

_FINISH: dict[StopReason, Literal["stop", "length"]] = {
    "end_of_turn": "stop",
    "stop_string": "stop",
    "length": "length",
    "context_full": "length",
}


@dataclass(frozen=True)
class AnswerHead:
    """What every document of one answer repeats.

    Attributes:
        created: Unix time in seconds.
        fingerprint: says which file answered, by content.
    """

    id: str
    created: int
    model: str
    fingerprint: str

    def completion(self, text: str, done: Done) -> dict[str, Any]:
        """The answer as one document."""
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish_reason(done)}
        return {**self._shared("chat.completion"), "choices": [choice], "usage": usage(done)}

    def chunk(self, delta: dict[str, str], done: Done | None = None) -> dict[str, Any]:
        """One piece of a stream; the last one names the reason why the reply ended."""
        reason = finish_reason(done) if done else None
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return {**self._shared("chat.completion.chunk"), "choices": [choice]}

    def usage_chunk(self, done: Done) -> dict[str, Any]:
        """The piece after the last one, with the token counts, for clients that ask for it."""
        return {**self._shared("chat.completion.chunk"), "choices": [], "usage": usage(done)}

    def _shared(self, kind: str) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": self.fingerprint,
        }


def finish_reason(done: Done) -> Literal["stop", "length"]:
    """Why a reply ended, in OpenAI's words."""
    return _FINISH.get(done.reason, "stop")


def usage(done: Done) -> dict[str, Any]:
    """Token counts; prompt tokens that were still in the KV cache are the cached ones."""
    return {
        "prompt_tokens": done.n_prompt,
        "completion_tokens": done.n_generated,
        "total_tokens": done.n_prompt + done.n_generated,
        "prompt_tokens_details": {"cached_tokens": done.n_reused},
    }


def model_entry(name: str, created: int) -> dict[str, Any]:
    """The served model as /v1/models lists it."""
    return {"id": name, "object": "model", "created": created, "owned_by": "dnd-model-studio"}


def fingerprint_of(info: HostInfo) -> str:
    """The beginning of the file's SHA-256."""
    return f"fp_{info.sha256[:16]}"


def event_of(document: dict[str, Any] | str) -> str:
    """One server-sent event."""
    text = document if isinstance(document, str) else json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return f"data: {text}\n\n"
