"""Several replies from one host at once: nobody waits for a whole reply, and nobody notices the others in the text."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from studio.bases import BaseModel
from studio.play import Branch, ChatSession, Done, HostOptions, ModelHost, Sampling, Token, play_turn
from studio.play.hosts.generation import TURN_TOKENS
from studio.play.hosts.process import HostReply, HostRequest
from studio.play.hosts.protocol import (
    REPLY,
    BranchDone,
    BranchesDone,
    BranchesRequest,
    CancelRequest,
    GenerateRequest,
    HostInfo,
    LoadAdapterRequest,
    PrefillProgress,
    TokenizeRequest,
    Tokens,
    line_of,
)
from studio.scenarios import Vocabulary
from studio.workspace import PROJECT_ROOT

ASK = "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"
PLACES = ("a river", "an old bridge", "the harbour", "a tower", "the mill", "a cave", "the market", "an inn")
LONG = Sampling(temperature=1, min_p=0, max_tokens=TURN_TOKENS + 10)
OPTIONS = HostOptions(threads=1, context_tokens=2048)
ENDS = (Done, BranchesDone, Tokens, HostInfo)


class Wire:
    """A host process and its two pipes: replies are seen in the order in which the host wrote them."""

    def __init__(self, file: Path) -> None:
        command = [sys.executable, "-m", "studio.play.hosts.host", str(file), *OPTIONS.arguments()]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=PROJECT_ROOT)
        self.read()

    def ask(self, *requests: HostRequest) -> None:
        assert self._process.stdin
        self._process.stdin.write(b"".join(map(line_of, requests)))
        self._process.stdin.flush()

    def read(self) -> HostReply:
        assert self._process.stdout
        return REPLY.validate_json(self._process.stdout.readline())

    def answers(self, *requests: HostRequest) -> list[HostReply]:
        """All replies up to the end of every request."""
        self.ask(*requests)
        return self.until_end_of(len(requests))

    def until_end_of(self, requests: int) -> list[HostReply]:
        found: list[HostReply] = []
        while sum(isinstance(one, ENDS) for one in found) < requests:
            found.append(self.read())
        return found

    def end(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(timeout=60)


@pytest.fixture(scope="module")
def wire(smollm2: BaseModel) -> Iterator[Wire]:
    wire = Wire(smollm2.directory / "base.gguf")
    yield wire
    wire.end()


def tell(number: int, *, sampling: Sampling = LONG, words: int = 0) -> GenerateRequest:
    """A request for a story; `words` makes the prompt so much longer."""
    place = PLACES[number % len(PLACES)]
    prompt = ASK.format(f"Tell a long story about {place}." + " And then?" * words)
    return GenerateRequest(id=number, prompt=prompt, sampling=sampling, fresh=True)


def text(replies: list[HostReply], number: int) -> str:
    return "".join(one.text for one in replies if isinstance(one, Token) and one.id == number)


def first_words(replies: list[HostReply]) -> list[int]:
    """The ids in the order of their first words."""
    return list(dict.fromkeys(one.id for one in replies if isinstance(one, Token)))


def test_replies_made_by_turns_are_word_for_word_those_made_alone(wire: Wire) -> None:
    greedy = LONG.model_copy(update={"temperature": 0, "repeat_penalty": 1.3})
    ruled = tell(4).model_copy(update={"grammar": 'root ::= ("one " | "two " | "three ")*'})
    asked = [tell(1), tell(2, sampling=greedy), tell(3, words=90), ruled]
    alone = [text(wire.answers(one), one.id) for one in asked]
    together = wire.answers(*asked)
    assert [text(together, one.id) for one in asked] == alone
    spoken = [one.id for one in together if isinstance(one, Token)]
    assert spoken != sorted(spoken)  # they did take turns


def test_eight_first_words_come_before_any_second_turn(wire: Wire) -> None:
    replies = wire.answers(*(tell(number) for number in range(10, 18)))
    assert first_words(replies) == list(range(10, 18))
    last_first = next(place for place, one in enumerate(replies) if isinstance(one, Token) and one.id == 17)
    before = [one.id for one in replies[:last_first] if isinstance(one, Token)]
    assert max(map(before.count, range(10, 17))) <= TURN_TOKENS + 8  # a longer conversation has a slightly longer turn


def test_a_long_prompt_lets_others_speak_while_it_is_read(wire: Wire) -> None:
    replies = wire.answers(tell(20, words=180), tell(21))
    assert first_words(replies) == [21, 20]
    assert any(isinstance(one, PrefillProgress) and one.id == 20 for one in replies)


def test_who_asks_alone_is_never_interrupted_and_token_ids_come_between_two_words(wire: Wire) -> None:
    wire.ask(tell(30))
    replies = [wire.read()]
    while not isinstance(replies[-1], Token):
        replies.append(wire.read())
    replies += wire.answers(TokenizeRequest(id=31, text="A river"))
    assert [one.id for one in replies if isinstance(one, Done)] == []
    assert isinstance(replies[-1], Tokens)
    done = wire.until_end_of(1)[-1]
    assert isinstance(done, Done)
    assert done.n_generated > TURN_TOKENS


def test_a_reply_that_is_cancelled_while_others_speak_ends_and_the_others_say_the_same(wire: Wire) -> None:
    alone = text(wire.answers(tell(41)), 41)
    wire.ask(tell(40), tell(41), tell(42))
    replies = [wire.read()]
    while not (isinstance(replies[-1], Token) and replies[-1].id == 42):
        replies.append(wire.read())
    wire.ask(CancelRequest(id=40))  # it has had a turn and waits for the next
    replies += wire.until_end_of(3)
    reasons = {one.id: one.reason for one in replies if isinstance(one, Done)}
    assert reasons[40] == "cancelled"
    assert text(replies, 41) == alone


def test_many_replies_at_once_and_another_adapter_keep_their_order_among_chats(wire: Wire) -> None:
    branches = BranchesRequest(id=50, branches=tuple(Branch(prompt=tell(n).prompt) for n in range(3)), max_tokens=16)
    alone = [one.text for one in wire.answers(branches) if isinstance(one, BranchDone)]
    chat = text(wire.answers(tell(51)), 51)
    replies = wire.answers(branches, tell(51), LoadAdapterRequest(id=52), tell(53))
    assert [one.text for one in replies if isinstance(one, BranchDone)] == alone
    assert text(replies, 51) == chat
    ended = [one.id for one in replies if isinstance(one, ENDS)]
    assert ended[2:] == [52, 53]
    assert next(one.id for one in replies if isinstance(one, Token)) == 51
    assert replies.index(next(one for one in replies if isinstance(one, Token))) < len(replies) // 2


@pytest.mark.slow
def test_eight_sessions_that_chat_at_once_lose_and_mix_nothing(
    host: ModelHost, smollm2: BaseModel, make_session: Callable[..., ChatSession], vocabulary: Vocabulary
) -> None:
    def sessions() -> list[ChatSession]:
        scenes = [f"<SYSTEM>\n# Location\nThe tale begins at {place}.\n</SYSTEM>\n" for place in PLACES]
        return [make_session(seed=number, text=scene) for number, scene in enumerate(scenes)]

    def chat(session: ChatSession, host: ModelHost) -> None:
        for line, tokens in (("I look around.", TURN_TOKENS + 4), ("I walk on and call for my friends.", 8)):
            session.settings.sampling = Sampling(max_tokens=tokens)
            for _ in play_turn(session, line, host, vocabulary):
                pass

    alone, together = sessions(), sessions()
    for one in alone:
        chat(one, host)
    with ModelHost(smollm2.directory / "base.gguf", HostOptions(threads=1)) as shared:
        threads = [threading.Thread(target=chat, args=(one, shared)) for one in together]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [one.messages for one in together] == [one.messages for one in alone]
    assert len({one.messages[-1].content for one in together}) == len(PLACES)
