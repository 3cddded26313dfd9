"""What clients of the OpenAI-compatible server may send, read from untrusted JSON, and the errors they get back.

Unknown fields are ignored, as every client sends some of its own; known fields with impossible values are refused.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from studio.play.hosts.protocol import Sampling
from studio.scenarios import Message, Role

_ROLES: dict[str, Role] = {"developer": "system", "function": "tool"}
_SEEDS = 2**32
_SAMPLING = ("temperature", "top_p", "top_k", "min_p", "repeat_penalty")
StopText = Annotated[str, StringConstraints(min_length=1, max_length=256)]


class ApiError(Exception):
    """A request that is answered with an error, in the form of OpenAI's API.

    Args:
        status: HTTP status.
        message: what happened and what to do, in plain words.
        code: for programs.
        param: the field that is wrong.
    """

    def __init__(self, status: int, message: str, code: str, param: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.param = param

    def body(self) -> dict[str, Any]:
        """The JSON document."""
        kind = "server_error" if self.status >= 500 else "invalid_request_error"
        return {"error": {"message": str(self), "type": kind, "param": self.param, "code": self.code}}


class _Incoming(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, protected_namespaces=())


class TextPart(_Incoming):
    """A piece of text; pictures and sound are refused."""

    type: Literal["text"]
    text: str


class IncomingMessage(_Incoming):
    """One message of the conversation; the newest is last."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[TextPart] | None = None

    def as_message(self) -> Message:
        """The form that rendering takes."""
        parts = self.content if isinstance(self.content, list) else []
        text = self.content if isinstance(self.content, str) else "".join(part.text for part in parts)
        return Message(_ROLES.get(self.role) or self.role, text)  # type: ignore[arg-type]


class StreamOptions(_Incoming):
    """`include_usage`: a last chunk with the token counts."""

    include_usage: bool = False


class ChatRequest(_Incoming):
    """The body of POST /v1/chat/completions."""

    model: str | None = None
    messages: list[IncomingMessage] = Field(min_length=1)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: int | None = Field(None, ge=1, le=1, description="One reply at a time.")
    stop: StopText | Annotated[list[StopText], Field(max_length=16)] | None = None
    seed: int | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    repeat_penalty: float | None = None

    @property
    def conversation(self) -> list[Message]:
        """The messages as rendering takes them."""
        return [one.as_message() for one in self.messages]

    @property
    def stop_strings(self) -> tuple[str, ...]:
        """The texts at which the reply ends."""
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())

    @property
    def include_usage(self) -> bool:
        """Whether a stream ends with the token counts."""
        return self.stream_options is not None and self.stream_options.include_usage

    def sampling(self, fallback_seed: int) -> Sampling:
        """How to choose tokens: what was sent, else the studio's own settings. Raises `ApiError`."""
        limit = self.max_completion_tokens if self.max_completion_tokens is not None else self.max_tokens
        seed = fallback_seed if self.seed is None else self.seed
        values: dict[str, Any] = {"seed": seed % _SEEDS, "max_tokens": limit}
        values |= {name: getattr(self, name) for name in _SAMPLING}
        try:
            return Sampling.model_validate({name: value for name, value in values.items() if value is not None})
        except ValidationError as error:
            raise _refusal(error) from error


def read_request(body: bytes) -> ChatRequest:
    """A request from its body. Raises `ApiError` with status 400."""
    try:
        return ChatRequest.model_validate_json(body)
    except ValidationError as error:
        raise _refusal(error) from error


def _refusal(error: ValidationError) -> ApiError:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    if first["type"] == "json_invalid":
        return ApiError(400, f"The body cannot be read. {first['msg']}.", "invalid_json")
    param = ".".join(str(part) for part in first["loc"])
    return ApiError(400, f"{param or 'The body'}: {first['msg']}.", "invalid_value", param or None)
