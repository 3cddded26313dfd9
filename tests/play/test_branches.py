"""Many replies at once: what is planned, that they are those asked for alone, and what authors' turns are worth."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.bases import BaseModel, load_template, render_conversation
from studio.errors import PlayError
from studio.play import Branch, BranchDone, Done, HostOptions, ModelHost, PromptRenderer, Sampling, Token
from studio.play.hosts.branch_plan import PlannedBranch, cells_needed, chains, waves
from studio.play.hosts.logits import likeliest, negative_log_likelihood
from studio.scenarios import Message
from studio.workspace import PROJECT_ROOT

TALK = [
    Message("system", "You are the Dungeon Master."),
    Message("user", "I open the door."),
    Message("assistant", "It creaks. A goblin looks up from its soup."),
    Message("user", "I greet it."),
    Message("assistant", '"Soup?" it asks, and holds out the ladle.'),
    Message("user", "Is it hot?"),
]
TOKENS = 8


def planned(index: int, prompt: Sequence[int], target: Sequence[int] = (), most: int = 4) -> PlannedBranch:
    return PlannedBranch(index, [*prompt, *target], len(prompt), most)


@pytest.fixture(scope="module")
def single(smollm2: BaseModel) -> Iterator[ModelHost]:
    """One thread: the sums are then always made in the same order."""
    options = HostOptions(threads=1, context_tokens=512, parked_bytes=0, flash_attention=True)
    with ModelHost(smollm2.directory / "base.gguf", options) as host:
        yield host


@pytest.fixture(scope="module")
def together(single: ModelHost) -> list[BranchDone]:
    """The replies to the talk's three branches, asked for as the first thing."""
    return replies(single, talk(single))


def talk(host: ModelHost) -> list[Branch]:
    """The two DM turns of the talk with the author's words, and an open end."""
    renderer = PromptRenderer.for_file(host.info())
    return [
        Branch(
            prompt=renderer.prompt(TALK[:place]),
            target=renderer.answer(TALK[:place], TALK[place].content) if place < len(TALK) else "",
        )
        for place in (2, 4, 6)
    ]


def replies(host: ModelHost, branches: Sequence[Branch], tokens: int = TOKENS) -> list[BranchDone]:
    stop = ("<|im_end|>",)
    found = [one for one in host.branches(branches, tokens, stop=stop) if isinstance(one, BranchDone)]
    return sorted(found, key=lambda one: one.index)


def alone(host: ModelHost, prompt: str) -> tuple[str, Done]:
    sampling = Sampling(temperature=0, repeat_penalty=1, max_tokens=TOKENS)
    events = list(host.generate(prompt, sampling, stop=("<|im_end|>",), fresh=True))
    done = events[-1]
    assert isinstance(done, Done)
    return "".join(one.text for one in events if isinstance(one, Token)), done


def lasting(found: Sequence[BranchDone]) -> list[dict[str, object]]:
    return [one.model_dump(exclude={"id", "prefill_seconds", "decode_seconds", "peak_memory_bytes"}) for one in found]


def test_branches_that_continue_each_other_are_one_chain() -> None:
    first, second = planned(0, [1, 2], [3]), planned(1, [1, 2, 3, 4], [5])
    other, short = planned(2, [1, 2, 4, 4, 4, 4]), planned(3, [1, 2])
    assert chains([first, second, other, short]) == [[first, second], [other], [short]]
    assert cells_needed([first, second, other]) == 5 + 6 + 3 * 4
    assert (list(first.scored), list(short.scored)) == ([1], [])


@given(
    st.lists(st.lists(st.integers(0, 1), min_size=1, max_size=6), min_size=1, max_size=12),
    st.integers(1, 40),
    st.integers(1, 5),
)
def test_waves_keep_the_order_and_never_need_more_than_there_is(
    prompts: list[list[int]], cells: int, most: int
) -> None:
    branches = [planned(index, prompt) for index, prompt in enumerate(prompts)]
    found = waves(branches, cells, most)
    assert [one for wave in found for one in wave] == branches
    assert all(0 < len(wave) <= most for wave in found)
    assert all(len(wave) == 1 or cells_needed(wave) <= cells for wave in found)
    assert max(map(len, found)) - min(map(len, found)) <= 1


def test_the_log_softmax_of_many_rows_is_scipys() -> None:
    from scipy.special import log_softmax

    rows = np.random.default_rng(0).normal(0, 20, (40, 300)).astype(np.float32)
    tokens = list(range(0, 120, 3))
    expected = -log_softmax(rows.astype(np.float64), axis=-1)[np.arange(40), tokens]
    assert negative_log_likelihood(rows, tokens) == pytest.approx(expected, rel=1e-6)
    assert negative_log_likelihood(rows[:0], []).size == 0
    assert likeliest(np.array([[1, 3, 3], [5, 0, 5]], np.float32)) == [1, 0]


def test_replies_written_side_by_side_are_those_asked_for_alone(single: ModelHost, together: list[BranchDone]) -> None:
    expected = [alone(single, one.prompt) for one in talk(single)]
    assert [one.text for one in together] == [text for text, _ in expected]
    assert [(one.reason, one.n_generated, one.n_prompt) for one in together] == [
        (done.reason, done.n_generated, done.n_prompt) for _, done in expected
    ]
    assert [one.index for one in together] == [0, 1, 2]


def test_a_conversation_is_read_once(single: ModelHost, together: list[BranchDone]) -> None:
    read = [one.n_prompt - one.n_reused + one.target_tokens for one in together]
    assert sum(read) == len(single.tokenize(talk(single)[-1].prompt))


def test_the_same_request_gives_the_same_replies_whatever_was_asked_before(
    single: ModelHost, together: list[BranchDone]
) -> None:
    alone(single, "<|im_start|>user\nAnother story.<|im_end|>\n<|im_start|>assistant\n")
    assert lasting(replies(single, talk(single))) == lasting(together)


def test_the_likelihood_of_the_authors_turns_is_the_loss_of_training(
    together: list[BranchDone], smollm2: BaseModel
) -> None:
    rendered = render_conversation(TALK[:5], smollm2.tokenizer(), load_template("smollm2"))
    assert sum(one.target_tokens for one in together) == sum(rendered.mask)
    assert together[-1].target_tokens == 0
    expected = transformers_loss(smollm2.hf, rendered.ids, rendered.mask)
    assert sum(one.target_nats for one in together) == pytest.approx(expected, rel=0.01)


def test_a_prompt_that_does_not_fit_is_refused_and_the_host_goes_on(single: ModelHost) -> None:
    with pytest.raises(PlayError) as caught:
        replies(single, [*talk(single), Branch(prompt="word " * 600)])
    assert caught.value.next_step
    assert len(replies(single, talk(single)[:1], 1)) == 1


def test_leaving_in_the_middle_cancels_the_rest(single: ModelHost) -> None:
    events = single.branches(talk(single), 400)
    next(events)
    events.close()
    assert len(replies(single, talk(single)[:1], 1)) == 1
    assert not single.busy


def test_a_cache_that_cannot_be_forked_gives_the_same_one_by_one(
    smollm2: BaseModel, single: ModelHost, together: list[BranchDone]
) -> None:
    program = """
import json, sys
from pathlib import Path
from studio.play.hosts.branch_replies import BranchReplies
from studio.play.hosts.engine import Engine
from studio.play.hosts.protocol import BranchDone, BranchesRequest
class Recurrent(Engine):
    forkable = False
engine = Recurrent(Path(sys.argv[1]), context_tokens=512, threads=1, parked_bytes=0)
request = BranchesRequest.model_validate_json(sys.argv[2])
done = [one for one in BranchReplies(engine, request, lambda number: False).run() if isinstance(one, BranchDone)]
print(json.dumps([(one.text, one.reason, one.n_reused, one.target_tokens, one.target_nats) for one in done]))
"""
    request = {"id": 1, "branches": [one.model_dump() for one in talk(single)], "max_tokens": TOKENS}
    command = [sys.executable, "-c", program, str(smollm2.directory / "base.gguf"), json.dumps(request)]
    printed = subprocess.run(command, capture_output=True, text=True, cwd=PROJECT_ROOT, check=True).stdout
    for (text, reason, reused, tokens, nats), one in zip(json.loads(printed), together, strict=True):
        assert (text, reason, reused, tokens) == (one.text, one.reason, 0, one.target_tokens)
        assert nats == pytest.approx(one.target_nats, rel=0.01)  # measured: 0.0014


def test_a_host_killed_in_the_middle_is_reported_and_replaced(single: ModelHost) -> None:
    events = single.branches(talk(single), 400)
    next(events)
    os.kill(single.info().process_id, signal.SIGKILL)
    with pytest.raises(PlayError) as caught:
        list(events)
    assert "SIGKILL" in caught.value.why
    assert len(replies(single, talk(single)[:1], 1)) == 1


def transformers_loss(folder: Path, ids: list[int], mask: list[bool]) -> float:
    """Sum of the cross entropy over the tokens that carry loss, as training has it; in a process of its own."""
    program = """
import sys, json, torch
from transformers import AutoModelForCausalLM
folder, ids, mask = json.load(sys.stdin)
torch.set_num_threads(1)
model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
labels = torch.tensor([[one if trained else -100 for one, trained in zip(ids, mask)]])
with torch.no_grad():
    loss = model(input_ids=torch.tensor([ids]), labels=labels).loss
print(float(loss) * sum(mask[1:]))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps([str(folder), ids, mask]),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return float(done.stdout)
