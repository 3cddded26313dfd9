"""Play against bare llama.cpp with the same file and threads: decoding, and the first token of a later turn.

And against the same host when it answers one request after another: eight players at once.
"""

from __future__ import annotations

import itertools
import threading
import time
from pathlib import Path

from benchmarks.measure import Ratio, interleaved
from studio.bases import get_base
from studio.jobs import usable_cores
from studio.play import Done, HostOptions, ModelHost, Sampling, Token
from studio.workspace import PROJECT_ROOT, Workspace

CONTEXT = 2048
ROUNDS = 7
DECODED = 96
HISTORY_TOKENS = 1500
PLAYERS, PLAYER_TOKENS, PLAYER_ROUNDS = 8, 96, 3
NEW = "The innkeeper looks up from the ledger and waits for an answer. Somebody upstairs drops a tray. "
STORY = "The road climbs out of the valley between walls of dripping stone, and the mule complains at every bend. "


def main() -> list[Ratio]:
    base = get_base(Workspace.find(PROJECT_ROOT), "smollm2-135m-instruct")
    assert base.gguf
    threads = usable_cores()
    with ModelHost(base.gguf, HostOptions(context_tokens=CONTEXT, threads=threads)) as host:
        bare = BareLoop(base.gguf, threads)
        return [decoding(host, bare), later_turn(host), *eight_players(host, base.gguf, threads)]


def decoding(host: ModelHost, bare: BareLoop) -> Ratio:
    """Tokens per second after the first; greedy, so both write the same."""
    return interleaved(
        "decoding in the playground", "tokens/s", "bare llama.cpp loop",
        lambda: generated(host, STORY * 4, DECODED, fresh=True).tokens_per_second,
        lambda: bare.tokens_per_second(STORY * 4, DECODED), rounds=ROUNDS,
    )  # fmt: skip


def later_turn(host: ModelHost) -> Ratio:
    """Seconds to the first token: of a turn behind a long history, and of its new text alone."""
    per_story = len(host.tokenize(STORY))
    history = STORY * (HISTORY_TOKENS // per_story)
    numbers = itertools.count()

    def new() -> str:
        """Another one each time: what was said in an earlier round is still in memory."""
        return f"{next(numbers)} knocks at the door. {NEW * 2}"

    def behind_a_history() -> float:
        generated(host, history, 1, fresh=True)
        return generated(host, history + new(), 1, fresh=False).ttft_seconds

    def alone() -> float:
        generated(host, "Once.", 1, fresh=True)  # the long conversation is put away before the clock starts
        return generated(host, new(), 1, fresh=True).ttft_seconds

    return interleaved(
        f"first token behind {HISTORY_TOKENS} tokens of history", "s", "the new text alone",
        behind_a_history, alone, rounds=ROUNDS,
    )  # fmt: skip


def eight_players(host: ModelHost, file: Path, threads: int) -> list[Ratio]:
    """What taking turns costs, and what it brings: seconds until all have their replies, and until the last first word.

    A host without memory for conversations that are put aside answers one request after the other.
    """
    with ModelHost(file, HostOptions(context_tokens=CONTEXT, threads=threads, parked_bytes=0)) as in_a_row:
        peer, rounds = "one after the other", PLAYER_ROUNDS
        return [
            interleaved(
                f"{PLAYERS} replies of {PLAYER_TOKENS} tokens at once, all of them", "s", peer,
                lambda: Players(host).all_seconds, lambda: Players(in_a_row).all_seconds, rounds=rounds,
            ),
            interleaved(
                f"{PLAYERS} replies of {PLAYER_TOKENS} tokens at once, the last first word", "s", peer,
                lambda: Players(host).last_first_word, lambda: Players(in_a_row).last_first_word, rounds=rounds,
            ),
        ]  # fmt: skip


class Players:
    """So many players who ask at the same moment; made when all have their replies."""

    def __init__(self, host: ModelHost) -> None:
        self._host = host
        self._first_words: list[float] = []
        self._started = time.perf_counter()
        threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(PLAYERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.all_seconds = time.perf_counter() - self._started
        self.last_first_word = max(self._first_words)

    def _ask(self, number: int) -> None:
        sampling = Sampling(temperature=0, repeat_penalty=1, max_tokens=PLAYER_TOKENS)
        events = self._host.generate(f"Player {number} speaks. {STORY * 4}", sampling, fresh=True)
        first = 0.0
        for event in events:
            if isinstance(event, Token) and not first:
                first = time.perf_counter() - self._started
        self._first_words.append(first)


def generated(host: ModelHost, prompt: str, tokens: int, *, fresh: bool) -> Done:
    sampling = Sampling(temperature=0, repeat_penalty=1, max_tokens=tokens)
    return next(event for event in host.generate(prompt, sampling, fresh=fresh) if isinstance(event, Done))


class BareLoop:
    """llama-cpp-python's own greedy loop, nothing around it."""

    def __init__(self, file: Path, threads: int) -> None:
        import llama_cpp

        self._llama = llama_cpp.Llama(
            str(file), n_ctx=CONTEXT, n_threads=threads, n_threads_batch=threads, verbose=False, n_gpu_layers=0
        )

    def tokens_per_second(self, prompt: str, tokens: int) -> float:
        ids = self._llama.tokenize(prompt.encode(), add_bos=False)
        first = 0.0
        for number, _ in enumerate(self._llama.generate(ids, temp=0, repeat_penalty=1, reset=True)):
            first = first or time.perf_counter()
            if number == tokens - 1:
                break
        return (tokens - 1) / (time.perf_counter() - first)
