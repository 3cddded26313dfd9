"""One reply of the model host, followed from an event loop: a thread waits for the host, the loop never does."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from studio.errors import StudioError
from studio.play.hosts.client import Generation, GenerationEvent, ModelHost
from studio.play.hosts.protocol import Done, HostInfo, Sampling, Token
from studio.play.serving.answers import fingerprint_of
from studio.play.serving.requests import ApiError, ChatRequest
from studio.play.turns.prompt import PromptRenderer


@dataclass(frozen=True)
class WholeReply:
    """A finished reply."""

    text: str
    done: Done


class Reply:
    """A reply in the making. Its thread lives from `start` to the end of the reply; `cancel` may be called any time.

    Attributes:
        fingerprint: says which file answers; known when `started` or `whole` has returned.
    """

    def __init__(
        self, host: ModelHost, request: ChatRequest, sampling: Sampling, at_end: Callable[[Reply], None]
    ) -> None:
        """Must be made inside a running event loop; `at_end` is called from the reply's thread."""
        self._host = host
        self._request = request
        self._sampling = sampling
        self._at_end = at_end
        self._loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[GenerationEvent | ApiError | None] = asyncio.Queue()
        self._generation: Generation | None = None
        self._cancelled = threading.Event()
        self._ended = threading.Event()
        self.fingerprint = ""

    def start(self) -> None:
        """Send the request to the host, behind those that wait already."""
        threading.Thread(target=self._follow, name="reply", daemon=True).start()

    async def started(self) -> None:
        """Wait until the prompt has been evaluated. Raises `ApiError`."""
        await self._next()

    async def texts(self) -> AsyncIterator[str | Done]:
        """Pieces of text, then `Done`. Raises `ApiError`, also when the reply was cancelled."""
        while (event := await self._next()) is not None:
            if isinstance(event, Token):
                yield event.text
            elif isinstance(event, Done):
                if event.reason == "cancelled":
                    raise ApiError(503, "The reply was ended because the server stops.", "server_stopping")
                yield event

    async def whole(self) -> WholeReply:
        """The finished reply. Raises `ApiError`."""
        text = ""
        async for piece in self.texts():
            if isinstance(piece, Done):
                return WholeReply(text, piece)
            text += piece
        raise ApiError(503, "The reply ended without a last word.", "model_failed")

    def cancel(self) -> None:
        """End the reply as soon as possible, waiting or running; nothing happens when it has ended."""
        self._cancelled.set()
        if self._generation is not None and not self._ended.is_set():
            self._generation.cancel()

    async def _next(self) -> GenerationEvent | None:
        event = await self._events.get()
        if isinstance(event, ApiError):
            raise event
        return event

    def _follow(self) -> None:
        try:
            for event in self._generate():
                self._put(event)
        except ApiError as error:
            self._put(error)
        except StudioError as error:
            self._put(ApiError(503, str(error), "model_failed"))
        finally:
            self._ended.set()
            self._at_end(self)
            self._put(None)

    def _generate(self) -> Generation:
        info = self._host.info()
        self.fingerprint = fingerprint_of(info)
        renderer = PromptRenderer.for_file(info)
        prompt = self._prompt(renderer, info)
        stop = (*renderer.stop_strings, *self._request.stop_strings)
        generation = self._host.generate(prompt, self._sampling, stop=stop)
        self._generation = generation
        if self._cancelled.is_set():
            generation.cancel()
        return generation

    def _prompt(self, renderer: PromptRenderer, info: HostInfo) -> str:
        """The conversation as training rendered it."""
        try:
            prompt = renderer.prompt(self._request.conversation)
        except StudioError as error:
            raise ApiError(400, str(error), "invalid_value", "messages") from error
        tokens = len(self._host.tokenize(prompt))
        if tokens >= info.context_tokens:
            raise ApiError(
                400,
                f"The conversation has {tokens} tokens and the context window holds {info.context_tokens}. Send "
                "fewer messages (a smaller context size in the client), or start the server with a larger --context.",
                "context_length_exceeded",
                "messages",
            )
        return prompt

    def _put(self, event: GenerationEvent | ApiError | None) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended with the server
            self._loop.call_soon_threadsafe(self._events.put_nowait, event)
