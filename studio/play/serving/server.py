"""An OpenAI-compatible endpoint for one GGUF on the loopback address: /v1/models and /v1/chat/completions.

Prompts are rendered by the training template, not by llama.cpp, and replies come from a `ModelHost`, so a file that
crashes llama.cpp takes down its host process only. Replies that are asked for at once are made by turns.
Web pages cannot use it: there is no CORS, other names than localhost are refused (DNS rebinding), and a body must say
that it is JSON. It protects nothing against other programs of the same machine unless an API key is set.
"""

from __future__ import annotations

import asyncio
import hmac
import re
import secrets
import socket
import time
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from studio.errors import PlayError
from studio.play.hosts.client import ModelHost
from studio.play.hosts.protocol import Done
from studio.play.serving.answers import AnswerHead, event_of, model_entry
from studio.play.serving.replies import Reply
from studio.play.serving.requests import ApiError, ChatRequest, read_request

LOOPBACK = "127.0.0.1"
MAX_BODY_BYTES = 1 << 20
MAX_OPEN_REPLIES = 32
_DRAINED_BYTES = 16 << 20
"""A body that is too long is read and thrown away up to here, so that the client gets to see the answer."""
_ALLOWED_HOST = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?", re.IGNORECASE)
_CLIENT_IS_GONE = 499
_BODY_UNREAD = frozenset({401, 403, 404, 405, 413, 415})
"""Answered without the whole body: the connection is closed, else uvicorn would go on reading whatever comes."""
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class ServerSettings:
    """How the model is served.

    Attributes:
        name: the model's name in /v1/models and in requests.
        api_key: what clients must send as a bearer token; empty means no key.
        created: when the model file was made, Unix time in seconds.
    """

    name: str
    api_key: str = ""
    created: int = 0


class ModelService:
    """The served model and its open replies."""

    def __init__(
        self, host: ModelHost, settings: ServerSettings, *, new_seed: Callable[[], int] = lambda: secrets.randbits(32)
    ) -> None:
        self._host = host
        self._settings = settings
        self._new_seed = new_seed
        self._open: set[Reply] = set()

    def application(self) -> Starlette:
        """The ASGI application."""
        routes = [
            Route("/v1/models", self._list_models, methods=["GET"]),
            Route("/v1/models/{name:path}", self._show_model, methods=["GET"]),
            Route("/v1/chat/completions", self._chat, methods=["POST"]),
        ]
        handlers: dict[Any, Callable[[Request, Exception], Response]] = {
            ApiError: _error_answer,
            HTTPException: _http_error_answer,
            ClientDisconnect: lambda request, error: Response(status_code=_CLIENT_IS_GONE),
            Exception: _unexpected_error_answer,
        }
        gate = Middleware(Gate, api_key=self._settings.api_key)
        return Starlette(routes=routes, middleware=[gate], exception_handlers=handlers)

    @property
    def open_replies(self) -> tuple[Reply, ...]:
        """The replies that wait or run."""
        return tuple(self._open)

    def cancel_all(self) -> None:
        """End all replies, waiting and running."""
        for reply in self.open_replies:
            reply.cancel()

    async def _list_models(self, request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [model_entry(self._settings.name, self._settings.created)]})

    async def _show_model(self, request: Request) -> Response:
        self._check_name(request.path_params["name"])
        return JSONResponse(model_entry(self._settings.name, self._settings.created))

    async def _chat(self, request: Request) -> Response:
        order = read_request(await _read_body(request))
        self._check_name(order.model)
        reply = self._start(order)
        handed_over = False
        try:
            if not order.stream:
                whole = await _unless_gone(request, reply.whole())
                return JSONResponse(self._head(reply).completion(whole.text, whole.done))
            await _unless_gone(request, reply.started())
            handed_over = True
            return _EventStream(reply, self._head(reply), include_usage=order.include_usage)
        finally:
            if not handed_over:
                reply.cancel()

    def _start(self, order: ChatRequest) -> Reply:
        if len(self._open) >= MAX_OPEN_REPLIES:
            raise ApiError(429, f"{MAX_OPEN_REPLIES} requests are waiting already. Try again later.", "busy")
        reply = Reply(self._host, order, order.sampling(self._new_seed()), self._open.discard)
        self._open.add(reply)
        reply.start()
        return reply

    def _head(self, reply: Reply) -> AnswerHead:
        return AnswerHead(f"chatcmpl-{uuid.uuid4().hex}", int(time.time()), self._settings.name, reply.fingerprint)

    def _check_name(self, name: str | None) -> None:
        if name not in (None, "", self._settings.name):
            raise ApiError(
                404, f"There is no model {name!r} here; this server has {self._settings.name!r}.", "model_not_found",
                "model",
            )  # fmt: skip


class Gate:
    """Middleware before everything else: the Host header, then the API key."""

    def __init__(self, app: ASGIApp, api_key: str) -> None:
        self._app = app
        self._expected = f"Bearer {api_key}".encode() if api_key else b""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on or answer it with 403 or 401."""
        if scope["type"] != "http":
            return
        refusal = self._refusal(Headers(scope=scope))
        await (_error_answer(None, refusal) if refusal else self._app)(scope, receive, send)

    def _refusal(self, headers: Headers) -> ApiError | None:
        if not _ALLOWED_HOST.fullmatch(headers.get("host", "")):
            return ApiError(403, "This server answers to localhost and 127.0.0.1 only.", "host_not_allowed")
        given = headers.get("authorization", "").encode("latin-1")
        if self._expected and not hmac.compare_digest(given, self._expected):
            return ApiError(401, "The API key is missing or wrong. Send it as a bearer token.", "invalid_api_key")
        return None


class _EventStream(StreamingResponse):
    """A reply as server-sent events. However the response ends, the reply ends with it."""

    def __init__(self, reply: Reply, head: AnswerHead, *, include_usage: bool) -> None:
        self._reply = reply
        super().__init__(_events(reply, head, include_usage), media_type="text/event-stream")
        self.headers["cache-control"] = "no-store"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._reply.cancel()


async def _events(reply: Reply, head: AnswerHead, include_usage: bool) -> AsyncIterator[str]:
    yield event_of(head.chunk({"role": "assistant", "content": ""}))
    try:
        async for piece in reply.texts():
            if not isinstance(piece, Done):
                yield event_of(head.chunk({"content": piece}))
                continue
            yield event_of(head.chunk({}, piece))
            if include_usage:
                yield event_of(head.usage_chunk(piece))
        yield event_of("[DONE]")
    except ApiError as error:
        yield event_of(error.body())


async def _read_body(request: Request) -> bytes:
    """The whole body. Raises `ApiError` when it does not say that it is JSON, or is too long."""
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
        raise ApiError(415, "Send the request as JSON, with the header Content-Type: application/json.", "not_json")
    body, size = bytearray(), 0
    async for piece in request.stream():
        size += len(piece)
        if size <= MAX_BODY_BYTES:
            body += piece
        if size > _DRAINED_BYTES:
            break
    if size > MAX_BODY_BYTES:
        raise ApiError(413, f"The request is longer than {MAX_BODY_BYTES} bytes. Send fewer messages.", "too_large")
    return bytes(body)


async def _unless_gone(request: Request, work: Coroutine[Any, Any, _Result]) -> _Result:
    """The result of `work`. Raises `ClientDisconnect` as soon as the client has left; the body must have been read."""
    task, gone = asyncio.create_task(work), asyncio.create_task(_until_gone(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        task.cancel()
        gone.cancel()


async def _until_gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _error_answer(request: Request | None, error: Exception) -> Response:
    assert isinstance(error, ApiError)  # noqa: S101 - Starlette's handlers take any exception
    headers = {"connection": "close"} if error.status in _BODY_UNREAD else {}
    return JSONResponse(error.body(), status_code=error.status, headers=headers)


def _http_error_answer(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    message = f"{request.method} {request.url.path} is not offered. See GET /v1/models and POST /v1/chat/completions."
    return _error_answer(request, ApiError(status, message, "not_offered"))


def _unexpected_error_answer(request: Request, error: Exception) -> Response:
    return _error_answer(request, ApiError(500, "Something went wrong in the server; its window says what.", "fault"))


def listen_on_loopback(port: int) -> socket.socket:
    """A listening socket on 127.0.0.1; port 0 takes a free one.

    Raises:
        PlayError: the port is taken or may not be used.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((LOOPBACK, port))
        listener.listen(64)
    except OSError as error:
        listener.close()
        raise PlayError(
            f"Port {port} cannot be used.",
            why=f"Another program may be listening on it ({error.strerror}).",
            next_step="Choose another one, for example --port 8090, or end the other program.",
            where="--port",
        ) from error
    return listener


class _Server(uvicorn.Server):
    """Ends open replies when it stops, instead of waiting for them."""

    def __init__(self, service: ModelService) -> None:
        super().__init__(
            uvicorn.Config(
                service.application(), http="h11", ws="none", loop="asyncio", lifespan="off", log_config=None,
                log_level="error", access_log=False, server_header=False, proxy_headers=False,
                timeout_graceful_shutdown=5,
            )
        )  # fmt: skip
        self._service = service

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._service.cancel_all()
        await super().shutdown(sockets)


def server_for(service: ModelService) -> uvicorn.Server:
    """A server; `run(sockets=[listener])` serves until `should_exit` is set or a signal comes."""
    return _Server(service)
