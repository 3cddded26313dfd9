"""Chat records -> messages: OpenAI messages and ShareGPT, with the spellings of roles that are found in the wild.

What it does not read: pictures and sound in a message, preference pairs (`chosen`/`rejected`), Alpaca's `instruction`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from studio.dataset.exchange.models import Format, Record, RejectedError
from studio.dataset.exchange.tool_calls import answer_of, request_of, tool_of
from studio.scenarios import SCENARIO_TYPES, Message, Role, Tool, Vocabulary

_ROLES: dict[str, Role] = {
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("user", "human", "player", "prompter"), "user"),
    **dict.fromkeys(("assistant", "gpt", "chatgpt", "bing", "bard", "model", "bot", "ai", "dm", "gm"), "assistant"),
    **dict.fromkeys(("tool", "function", "tool_response", "function_response", "observation"), "tool"),
}  # fmt: skip
_CALLS = frozenset({"function_call", "tool_call"})
_LISTS = ("messages", "conversations", "conversation")
_KEPT = ("tags", "author")


def format_of(value: object) -> Format | None:
    """The format of one JSON value, None when it is none of ours."""
    if isinstance(value, Mapping):
        if "before_utterances" in value or "after_utterances" in value:
            return "fireball"
        value = next((value[key] for key in _LISTS if key in value), None)
    if not isinstance(value, list):
        return None
    first = next((one for one in value if isinstance(one, Mapping)), {})
    return "sharegpt" if "from" in first else "messages"


def read_conversation(value: Any, record: Record, vocabulary: Vocabulary) -> None:
    """Fill `record` from a value of either chat format.

    Raises:
        RejectedError: it holds no conversation that can be read, and why.
    """
    turns = value
    if isinstance(value, Mapping):
        turns = next((value[key] for key in _LISTS if key in value), None)
        _read_metadata(value, record)
    if not isinstance(turns, list) or not turns:
        raise RejectedError("It holds no list of messages.")
    reader = _Reader(record, vocabulary)
    if isinstance(value, Mapping) and isinstance(value.get("system"), str) and value["system"].strip():
        reader.add("system", value["system"])
    for number, turn in enumerate(turns, start=1):
        reader.read(turn, number)
    record.messages = reader.messages


def _read_metadata(value: Mapping[str, Any], record: Record) -> None:
    nested = value.get("metadata")
    metadata = {**(nested if isinstance(nested, Mapping) else {}), **{k: v for k, v in value.items() if k in _ABOUT}}
    for key in ("title", "id"):
        if isinstance(metadata.get(key), str) and not record.title:
            record.title = metadata[key]
    if metadata.get("scenario_type") in SCENARIO_TYPES:
        record.scenario_type = metadata["scenario_type"]
    record.metadata.update({key: metadata[key] for key in _KEPT if _is_plain(metadata.get(key))})


_ABOUT = ("title", "id", "scenario_type", *_KEPT)


def _is_plain(value: object) -> bool:
    """Whether a value may go into front matter: a word or a list of words."""
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(one, str) for one in value))


class _Reader:
    def __init__(self, record: Record, vocabulary: Vocabulary) -> None:
        self._record, self._vocabulary = record, vocabulary
        self._tools: dict[str, Tool | None] = {}
        self.messages: list[Message] = []

    def add(self, role: Role, content: str) -> None:
        self.messages.append(Message(role, content.strip()))

    def read(self, turn: object, number: int) -> None:
        if not isinstance(turn, Mapping):
            raise RejectedError(f"Message {number} is no object.")
        written = str(turn.get("role", turn.get("from", turn.get("speaker", "")))).strip().lower()
        content = self._content(turn, number)
        if written in _CALLS:
            self._append_requests(self._calls_in(content), "")
            return
        role = _ROLES.get(written)
        if role is None:
            raise RejectedError(f"Message {number} has the unknown role {written[:40]!r}.")
        if role == "system" and self.messages:
            raise RejectedError(f"Message {number} is a second system message; a scenario has one, at the top.")
        if role == "assistant" and (calls := self._calls(turn)):
            self._append_requests(calls, content)
        elif role == "tool":
            self._answer(turn, content)
        elif content.strip():
            self.add(role, content)
        else:
            self._record.note(f"Message {number} ({written}) is empty and was left out.")

    def _content(self, turn: Mapping[str, Any], number: int) -> str:
        content = turn.get("content", turn.get("value", turn.get("text")))
        if content is None:
            return ""
        if isinstance(content, list):
            texts = [one.get("text") if isinstance(one, Mapping) else one for one in content]
            if not all(isinstance(one, str) for one in texts):
                raise RejectedError(f"Message {number} holds something that is not text.")
            return "\n\n".join(str(one) for one in texts)
        if not isinstance(content, str):
            raise RejectedError(f"Message {number} holds something that is not text.")
        return content

    def _calls(self, turn: Mapping[str, Any]) -> list[object]:
        calls = turn.get("tool_calls")
        if isinstance(calls, list):
            return list(calls)
        return [turn["function_call"]] if isinstance(turn.get("function_call"), Mapping) else []

    def _calls_in(self, content: str) -> list[object]:
        try:
            value = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise RejectedError("A function call is not JSON.") from error
        return list(value) if isinstance(value, list) else [value]

    def _append_requests(self, calls: list[object], content: str) -> None:
        """The words of the turn and below them its requests; a call without words follows the DM's words before it."""
        requests = []
        for call in calls:
            request, name = request_of(call, self._vocabulary), _name_of(call)
            if request is None:
                self._record.note(f"The tool call {name!r} was left out: config/tools.yaml has nothing like it.")
                continue
            tool = tool_of(call, self._vocabulary)
            self._tools.update({str(call.get("id", "")): tool, "": tool} if isinstance(call, Mapping) else {})
            requests.append(request)
        if not content.strip() and self.messages and self.messages[-1].role == "assistant":
            content = self.messages.pop().content
        text = "\n\n".join(one for one in (content.strip(), "\n".join(requests)) if one)
        if text:
            self.add("assistant", text)

    def _answer(self, turn: Mapping[str, Any], content: str) -> None:
        """One TOOLCALL turn holds all answers to a DM turn, where OpenAI has a message for each call."""
        tool = self._tools.get(str(turn.get("tool_call_id", "")), self._vocabulary.find(str(turn.get("name", ""))))
        text = answer_of(content, tool)
        if turn.get("tool_call_id") and self.messages and self.messages[-1].role == "tool":
            text = f"{self.messages.pop().content}\n{text.strip()}"
        if text.strip():
            self.add("tool", text)


def _name_of(call: object) -> str:
    function = call.get("function", call) if isinstance(call, Mapping) else {}
    return str(function.get("name", "?"))[:60] if isinstance(function, Mapping) else "?"
