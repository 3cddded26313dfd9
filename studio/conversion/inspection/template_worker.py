"""The process in which a chat template that nobody vouches for renders a short conversation, in Jinja's sandbox.

The sandbox keeps it from attributes and functions of Python; the memory limit here and the caller's timeout keep it
from filling the memory or looping without end.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NoReturn

from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import BaseModel

from studio.conversion.inspection.worker_limits import limit_memory
from studio.conversion.worker_process import Report, serve
from studio.errors import ConversionError

MEMORY_BYTES = 1 << 30
MAX_TEXT = 20_000
QUESTION, ANSWER = "I open the old door.", "It creaks. Behind it waits a goblin."
CONVERSATION = (
    {"role": "system", "content": "You are a Dungeon Master."},
    {"role": "user", "content": QUESTION},
    {"role": "assistant", "content": ANSWER},
    {"role": "user", "content": "I draw my sword."},
)


class TemplateRequest(BaseModel):
    """The template's text, and the texts of the tokens that open and close a conversation."""

    source: str
    bos_token: str = ""
    eos_token: str = ""


class TemplateAnswer(BaseModel):
    """What it made of the conversation."""

    text: str


def render_limited(request: TemplateRequest, _report: Report) -> TemplateAnswer:
    """`render_template` with a limit to the memory of the whole process."""
    limit_memory(MEMORY_BYTES)
    return render_template(request)


def render_template(request: TemplateRequest) -> TemplateAnswer:
    """Render a system message, a turn of each side and a question; without the system message if it takes none.

    Raises:
        ConversionError: it is no Jinja template, does what the sandbox forbids, fails, or leaves the words out.
    """
    try:
        text = _render(request)
    except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
        told = (str(error) or type(error).__name__)[:300].rstrip(".")
        raise ConversionError(f"The template fails: {told}.") from error
    except (MemoryError, RecursionError) as error:
        raise ConversionError("The template wants more memory than a template may have.") from error
    if QUESTION not in text:
        raise ConversionError("The template leaves out what the player says.")
    return TemplateAnswer(text=text[:MAX_TEXT])


def _render(request: TemplateRequest) -> str:
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.globals |= {"raise_exception": _refuse, "strftime_now": _now}
    template = environment.from_string(request.source)

    def attempt(messages: Sequence[dict[str, str]]) -> str:
        return template.render(
            messages=list(messages), add_generation_prompt=True, tools=None,
            bos_token=request.bos_token, eos_token=request.eos_token,
        )  # fmt: skip

    try:
        return attempt(CONVERSATION)
    except _RefusalError:
        return attempt(CONVERSATION[1:])


class _RefusalError(TemplateError):
    """The template itself says that it does not take these messages."""


def _refuse(message: Any = "") -> NoReturn:
    raise _RefusalError(str(message))


def _now(form: str) -> str:
    return datetime.now(UTC).strftime(form)


if __name__ == "__main__":
    sys.exit(serve(TemplateRequest, render_limited))
