import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from studio.bases import BaseModel
from studio.errors import PlayError
from studio.play import Done, HostOptions, ModelHost, Prefilled, Sampling, Token
from studio.workspace import PROJECT_ROOT, sha256_file

PROMPT = "<|im_start|>user\nCount slowly from one to one hundred, in words.<|im_end|>\n<|im_start|>assistant\n"
STORY = "<|im_start|>user\nTell me about the river and the old bridge." + " It was long ago." * 20 + "<|im_end|>\n"
GREEDY = Sampling(temperature=0, repeat_penalty=1, max_tokens=12)
LONG = Sampling(max_tokens=400)


def complete(
    host: ModelHost, prompt: str, sampling: Sampling = GREEDY, *, stop: tuple[str, ...] = (), fresh: bool = False
) -> tuple[str, Done]:
    events = list(host.generate(prompt, sampling, stop=stop, fresh=fresh))
    assert isinstance(events[0], Prefilled)
    assert isinstance(events[-1], Done)
    return "".join(one.text for one in events if isinstance(one, Token)), events[-1]


def signal_at_first_token(host: ModelHost, process: int, what: signal.Signals) -> None:
    sent = False
    for event in host.generate(PROMPT, LONG):
        if isinstance(event, Token) and not sent:
            os.kill(process, what)
            sent = True


def test_the_host_says_what_it_loaded(host: ModelHost, smollm2: BaseModel) -> None:
    info = host.info()
    assert info.sha256 == sha256_file(smollm2.directory / "base.gguf")
    assert info.context_tokens == 2048
    assert info.trained_context_tokens == 8192
    assert "im_start" in info.chat_template
    assert psutil.Process(info.process_id).is_running()


def test_a_reply_comes_in_pieces_and_ends_with_its_figures(host: ModelHost) -> None:
    events = list(host.generate(PROMPT, GREEDY, fresh=True))
    pieces = [one for one in events if isinstance(one, Token)]
    done = events[-1]
    assert isinstance(done, Done)
    assert len(pieces) > 2
    assert done.n_prompt == len(host.tokenize(PROMPT))
    assert done.n_reused == 0
    assert done.n_generated >= len(pieces)
    assert 0 < done.prefill_seconds <= done.ttft_seconds
    assert done.tokens_per_second > 0


def test_the_same_seed_gives_the_same_reply_and_another_seed_another(host: ModelHost) -> None:
    warm = Sampling(temperature=1.2, top_p=1, min_p=0, max_tokens=24)
    first, _ = complete(host, PROMPT, warm, fresh=True)
    again, _ = complete(host, PROMPT, warm, fresh=True)
    other, _ = complete(host, PROMPT, warm.model_copy(update={"seed": 8}), fresh=True)
    assert first == again
    assert first != other


def test_temperature_zero_ignores_the_seed(host: ModelHost) -> None:
    first, _ = complete(host, PROMPT, GREEDY, fresh=True)
    assert complete(host, PROMPT, GREEDY.model_copy(update={"seed": 99}), fresh=True)[0] == first


def test_a_reply_can_be_cancelled_in_the_middle_and_the_next_one_works(host: ModelHost) -> None:
    generation = host.generate(PROMPT, LONG)
    done = None
    for event in generation:
        if isinstance(event, Token):
            generation.cancel()
        done = event
    assert isinstance(done, Done)
    assert done.reason == "cancelled"
    assert done.n_generated < LONG.max_tokens
    assert complete(host, PROMPT)[1].n_generated > 0


def test_leaving_the_loop_cancels_the_reply(host: ModelHost) -> None:
    for event in host.generate(PROMPT, LONG):
        if isinstance(event, Token):
            break
    assert complete(host, PROMPT)[1].reason in ("length", "end_of_turn")
    assert not host.busy


def test_a_stop_string_ends_the_reply_and_is_not_shown(host: ModelHost) -> None:
    text, _ = complete(host, PROMPT, fresh=True)
    stop = text.split()[2]
    cut, done = complete(host, PROMPT, stop=(stop,), fresh=True)
    assert done.reason == "stop_string"
    assert cut == text[: text.index(stop)]


def test_a_longer_conversation_evaluates_only_its_new_tokens(host: ModelHost) -> None:
    complete(host, STORY, fresh=True)
    old = len(host.tokenize(STORY))
    _, done = complete(host, STORY + PROMPT)
    assert done.n_reused >= old
    assert done.n_prompt - done.n_reused <= len(host.tokenize(PROMPT))


def test_two_conversations_in_turn_do_not_read_each_other_out_of_the_cache(host: ModelHost) -> None:
    first, second = "<|im_start|>system\nA.<|im_end|>\n" + STORY, "<|im_start|>system\nB!<|im_end|>\n" + STORY
    complete(host, first, fresh=True)
    complete(host, second)
    for prompt in (first + PROMPT, second + PROMPT):
        _, done = complete(host, prompt)
        assert done.n_reused >= len(host.tokenize(STORY))


def test_replies_asked_for_at_once_do_not_mix(host: ModelHost) -> None:
    prompts = [PROMPT.replace("one hundred", word) for word in ("fifty", "ten", "seven", "a thousand")]
    alone = [complete(host, prompt, fresh=True)[0] for prompt in prompts]
    together = [""] * len(prompts)

    def ask(index: int) -> None:
        together[index] = complete(host, prompts[index], fresh=True)[0]

    threads = [threading.Thread(target=ask, args=(index,)) for index in range(len(prompts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == alone


def test_a_prompt_that_does_not_fit_is_refused_and_the_host_goes_on(host: ModelHost) -> None:
    with pytest.raises(PlayError) as caught:
        complete(host, "word " * 3000)
    assert caught.value.next_step
    assert complete(host, PROMPT)[1].n_generated > 0


def test_a_grammar_that_is_none_is_refused_and_the_host_goes_on(host: ModelHost) -> None:
    with pytest.raises(PlayError):
        list(host.generate(PROMPT, GREEDY, grammar="root = nonsense ("))
    assert complete(host, PROMPT)[1].n_generated > 0


def test_characters_of_several_bytes_arrive_whole(host: ModelHost) -> None:
    grammar = 'root ::= "🐉é" "日本" "ﬁn"'
    whole = list(host.generate(PROMPT, LONG, grammar=grammar))
    assert "".join(one.text for one in whole if isinstance(one, Token)) == "🐉é日本ﬁn"
    cut = list(host.generate(PROMPT, GREEDY.model_copy(update={"max_tokens": 1}), grammar=grammar))
    assert [one.text for one in cut if isinstance(one, Token)] in ([], ["🐉"])


@pytest.mark.slow
def test_a_host_killed_in_the_middle_of_a_reply_is_reported_and_replaced(smollm2: BaseModel) -> None:
    with ModelHost(smollm2.directory / "base.gguf", HostOptions(threads=1, context_tokens=512)) as host:
        process = host.info().process_id
        with pytest.raises(PlayError) as caught:
            signal_at_first_token(host, process, signal.SIGKILL)
        assert "SIGKILL" in caught.value.why
        assert caught.value.next_step
        assert complete(host, PROMPT)[1].n_generated > 0
        assert host.info().process_id != process
        assert host.restarts == 1


@pytest.mark.slow
def test_a_host_that_hangs_is_ended_and_replaced(smollm2: BaseModel) -> None:
    options = HostOptions(threads=1, context_tokens=512, stall_seconds=5)
    with ModelHost(smollm2.directory / "base.gguf", options) as host:
        process = host.info().process_id
        with pytest.raises(PlayError) as caught:
            signal_at_first_token(host, process, signal.SIGSTOP)
        assert caught.value.next_step
        assert not psutil.pid_exists(process)
        assert complete(host, PROMPT)[1].n_generated > 0


@pytest.mark.slow
def test_a_host_ends_when_the_process_that_started_it_is_killed(smollm2: BaseModel) -> None:
    program = (
        "import sys; from studio.play import ModelHost; host = ModelHost(sys.argv[1]);"
        "print(host.info().process_id, flush=True); [print(e.kind, flush=True) for e in host.generate('Once', )]"
    )
    command = [sys.executable, "-c", program, str(smollm2.directory / "base.gguf")]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=PROJECT_ROOT)
    assert parent.stdout is not None
    process = psutil.Process(int(parent.stdout.readline()))
    parent.stdout.readline()  # it is in the middle of a reply
    parent.kill()
    parent.wait()
    gone, _ = psutil.wait_procs([process], timeout=60)
    assert gone


@pytest.mark.parametrize("content", [b"", b"GGUF", b"not a model at all", b"GGUF\x03\x00\x00\x00" + b"\xff" * 64])
def test_a_file_that_is_no_model_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.gguf"
    path.write_bytes(content)
    with ModelHost(path) as host, pytest.raises(PlayError) as caught:
        host.info()
    assert caught.value.where == "broken.gguf"
    assert caught.value.next_step


def test_a_file_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PlayError):
        ModelHost(tmp_path / "nothing.gguf").info()
