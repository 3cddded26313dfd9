"""Going on from an earlier adapter: what is new to it, what is read again against forgetting, whether it got worse."""

from __future__ import annotations

import json
import math
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.scenes import write_scenes
from studio.dataset import Balance, ProcessedDataset
from studio.jobs import EvaluationEvent, MessageEvent, StepEvent, Worker, of_type, read_events
from studio.jobs.state import load_state
from studio.training import Provenance, Run
from studio.training.parent.adapter import read_parent
from studio.training.parent.learned import LEARNED_FILE, Learned
from studio.training.parent.regression import ParentComparison, RowLoss, compare_rows
from studio.training.parent.replay import (
    REPLAY_FILE,
    News,
    Replay,
    ReplaySampler,
    in_turn,
    news_of,
    replay_of,
    replay_told,
    rows_again,
)
from studio.workspace import Workspace
from tests.training.conftest import SETTINGS
from tests.training.test_best import dataset_of, run_here


@given(st.integers(1, 200), st.integers(1, 200), st.floats(0, 0.99))
def test_known_rows_make_up_their_share_of_a_pass_where_there_are_so_many(fresh: int, known: int, share: float) -> None:
    again = rows_again(fresh, known, share)
    assert 0 <= again <= known
    assert (again == 0) == (share == 0)
    if 1 < again < known:
        assert again / (fresh + again) == pytest.approx(share, abs=1 / (fresh + again))


@given(st.integers(1, 30), st.data(), st.integers(1, 40), st.integers(0, 2**31))
def test_known_rows_come_round_in_turn(known: int, data: st.DataObject, passes: int, seed: int) -> None:
    count = data.draw(st.integers(0, known))
    rows = np.arange(100, 100 + known)
    read = [in_turn(rows, count, seed, epoch).tolist() for epoch in range(passes)]
    assert all(len(set(one)) == count for one in read)
    often = Counter(row for one in read for row in one)
    assert max(often.values(), default=0) - min(often.get(int(row), 0) for row in rows) <= 1


def passes(sampler: ReplaySampler, count: int) -> list[list[int]]:
    read = []
    for epoch in range(count):
        sampler.set_epoch(epoch)
        read.append(list(sampler))
    return read


def test_every_pass_reads_all_that_is_new_and_other_known_rows_each_time() -> None:
    replay = Replay(fresh_rows=(1, 4, 6), known_rows=(0, 2, 3, 5, 7, 8), share=0.4)
    read = passes(ReplaySampler(replay, None, 7), 3)
    assert read == passes(ReplaySampler(replay, None, 7), 3)
    assert read != passes(ReplaySampler(replay, None, 8), 3)
    assert all(len(one) == len(set(one)) == len(ReplaySampler(replay, None, 7)) == 5 for one in read)
    assert all({1, 4, 6} < set(one) for one in read)
    known = [set(one) - {1, 4, 6} for one in read]
    assert known[0] | known[1] | known[2] == {0, 2, 3, 5, 7, 8}


def test_a_balance_counts_among_the_rows_of_a_pass() -> None:
    replay = Replay(fresh_rows=(0, 1), known_rows=(2, 3), share=0.5)
    copies = Balance(np.full(4, 0.25), [3, 1, 2, 0], [], [])
    read = passes(ReplaySampler(replay, copies, 7), 4)
    assert [Counter(one)[0] for one in read] == [3] * 4
    assert all(3 not in one for one in read)
    weights = Balance(np.array([0.7, 0.1, 0.1, 0.1]), None, [], [])
    read = passes(ReplaySampler(replay, weights, 7), 4)
    assert [len(one) for one in read] == [4] * 4
    assert all(Counter(one)[0] >= 2 for one in read)


def learned(dataset: ProcessedDataset, *names: str) -> Learned:
    texts = dataset.manifest.scenarios
    return Learned(dataset="x", scenarios={texts[name]: name for name in names})


def test_what_is_new_changed_and_known_is_told_by_the_text(dataset: ProcessedDataset) -> None:
    before = learned(dataset, "place-0.md", "place-3.md")
    before.scenarios["0" * 64] = "place-1.md"  # that text is gone: it was corrected
    news = news_of(dataset, before)
    assert (news.changed, news.new) == (("place-1.md",), ("place-2.md", "place-4.md"))
    assert (news.known, news.known_rows, news.fresh_rows) == (("place-0.md", "place-3.md"), (0, 3), (1, 2, 4))
    assert replay_of(news, 0.5) == Replay((1, 2, 4), (0, 3), 0.5)
    assert replay_of(news, 1.0) is None


def test_where_all_is_new_or_all_is_known_every_pass_reads_all(dataset: ProcessedDataset) -> None:
    none, all_of_it = Learned(dataset="x", scenarios={}), Learned.of(dataset)
    assert replay_of(news_of(dataset, none), 0.5) is None
    assert replay_of(news_of(dataset, all_of_it), 0.5) is None
    assert not news_of(dataset, all_of_it).fresh_rows


def test_what_is_replayed_is_said_in_plain_words() -> None:
    news = News(("a",), ("b", "c"), ("d",) * 11, (0, 1, 2), tuple(range(3, 14)))
    said = replay_told(news, replay_of(news, 0.5), "tavern", 3)
    assert said.startswith("3 scenarios are new or changed since tavern. ")
    assert "3 of the 11 rows of the 11 scenarios" in said
    assert "forget" in replay_told(news, replay_of(news, 0), "tavern", 0)
    assert "No scenario is new" in replay_told(News((), (), ("d",), (), (0,)), None, "tavern", 0)


def test_what_an_adapter_learned_is_believed_only_for_its_own_dataset(finished: Run, tmp_path: Path) -> None:
    assert finished.adapter
    found = Learned.beside(finished.adapter)
    assert found
    assert sorted(found.scenarios.values()) == [f"place-{n}.md" for n in range(5)]  # without what is held out
    adapter = Path(shutil.copytree(finished.adapter, tmp_path / "run" / "adapter"))
    assert Learned.beside(adapter) is None
    found.model_copy(update={"dataset": "0" * 64}).write(tmp_path / "run")
    assert Learned.beside(adapter) is None
    found.write(tmp_path / "run")
    assert Learned.beside(adapter) == found
    (tmp_path / "run" / LEARNED_FILE).write_text("?")
    assert Learned.beside(adapter) is None


def test_a_run_from_an_adapter_reads_what_is_new_replays_and_warns_when_it_got_worse(
    own_campaign: Workspace, finished: Run, worker: Worker
) -> None:
    """A learning rate that spoils it; the parent is the finished run, and two of six scenarios are news to it."""
    assert finished.adapter
    read_parent(finished.adapter).copy_into(worker.directory / "parent")
    old = Learned.beside(finished.adapter)
    assert old
    scenes = own_campaign.scenarios_dir
    corrected = (scenes / "place-3.md").read_text().replace("Fresh tracks", "Tracks of a wolf, an hour old")
    (scenes / "place-3.md").write_text(corrected)
    write_scenes(
        scenes / "more", {"the stable": (13, "A mare with a burnt saddle stands here, and nobody knows whose.")}
    )
    changes = {"max_steps": 0, "epochs": 2, "eval_steps": 0, "sample_turns": 0, "warmup_steps": 0}
    run = run_here(worker, own_campaign, learning_rate=0.1, replay_share=0.4, **changes)

    told = json.loads((run.directory / REPLAY_FILE).read_text())
    assert (told["new"], told["changed"], told["known_rows_in_a_pass"]) == (["more/place-0.md"], ["place-3.md"], 1)
    dataset = ProcessedDataset.load(dataset_of(own_campaign, run))
    news = news_of(dataset, old)
    sampler = ReplaySampler(Replay(news.fresh_rows, news.known_rows, 0.4), None, SETTINGS.seed)
    lengths = [len(row.input_ids) for row in dataset.rows("train")]
    expected = [sum(lengths[row] for row in one) for one in passes(sampler, 2)]
    events = read_events(run.directory / "events.jsonl").events
    steps = of_type(events, StepEvent)
    assert [one.tokens_seen for one in steps if one.epoch == int(one.epoch)] == [expected[0], sum(expected)]

    start = of_type(events, EvaluationEvent)[0]
    last = of_type(read_events(finished.directory / "events.jsonl").events, EvaluationEvent)[-1]
    assert (start.step, start.loss) == (0, pytest.approx(last.loss, rel=1e-5))
    verdict = ParentComparison.model_validate(load_state(run.directory).result["against_parent"])
    assert (verdict.verdict, verdict.all_worse, verdict.scenarios) == ("too few scenarios", True, 1)
    assert verdict.loss == pytest.approx(min(one.loss for one in of_type(events, EvaluationEvent)[1:]), rel=1e-4)
    warned = [one.text for one in events if isinstance(one, MessageEvent) and one.level == "warning"]
    assert verdict.text in warned
    assert run.adapter
    mine = Learned.beside(run.adapter)
    assert mine
    assert mine.scenarios.keys() >= old.scenarios.keys()
    assert len(mine.scenarios) == len(old.scenarios) + 2
    assert Provenance.read(run.adapter).parent_adapter_sha256


def rows(losses: dict[str, list[float]], tokens: int = 50) -> list[RowLoss]:
    """Rows of scenarios with these losses per token."""
    return [
        RowLoss(source=name, turns=(number, number + 1), nats=loss * tokens, tokens=tokens)
        for name, of_rows in losses.items()
        for number, loss in enumerate(of_rows)
    ]


def compared(before: list[float], after: list[float]) -> ParentComparison:
    """One row per scenario."""
    both = [rows({str(n): [loss] for n, loss in enumerate(losses)}) for losses in (before, after)]
    found = compare_rows("tavern", *both)
    assert found
    return found


def test_a_parent_is_beaten_or_not_by_the_changes_of_its_own_rows() -> None:
    before = [1.0, 2.0, 3.0, 4.0, 1.5, 2.5, 3.5]
    shift = [0.10, 0.14, 0.09, 0.12, 0.11, 0.08, 0.13]
    worse, better = (compared(before, [b + sign * s for b, s in zip(before, shift, strict=True)]) for sign in (1, -1))
    assert (worse.verdict, worse.level) == ("worse", "warning")
    assert (better.verdict, better.level) == ("better", "info")
    assert worse.low == pytest.approx(-(better.high or 0))
    assert worse.loss - worse.parent_loss == pytest.approx(sum(shift) / 7)
    mixed = compared(before, [b + s * (-1) ** n for n, (b, s) in enumerate(zip(before, shift, strict=True))])
    assert (mixed.verdict, mixed.level) == ("no difference shown", "info")
    assert compared(before, before).verdict == "no difference shown"


def test_with_few_scenarios_nothing_is_claimed_but_a_rise_everywhere_is_warned_of() -> None:
    both = compared([1.0, 2.0], [1.5, 2.5])
    one = compared([1.0, 2.0], [1.5, 1.9])
    assert both.verdict == one.verdict == "too few scenarios"
    assert (both.level, one.level) == ("warning", "info")
    assert both.low is None


def test_many_rows_of_few_scenarios_are_not_many_scenarios() -> None:
    before = rows({name: [2.0] * 30 for name in "ab"})
    after = rows({name: [2.1] * 30 for name in "ab"})
    found = compare_rows("tavern", before, after)
    assert found
    assert (found.verdict, found.rows, found.scenarios) == ("too few scenarios", 60, 2)
    assert compare_rows("tavern", before, []) is None


def test_an_adapter_that_is_as_good_is_rarely_called_better_or_worse() -> None:
    """Ten scenarios of three rows that rise and fall together: 5 % of such runs may be called different."""
    chance, false_alarms, runs = np.random.default_rng(3), 0, 400
    for _ in range(runs):
        drift = chance.normal(0, 0.1, 10)
        before = {str(n): [2.0, 2.5, 3.0] for n in range(10)}
        after = {name: [loss + drift[int(name)] for loss in losses] for name, losses in before.items()}
        found = compare_rows("tavern", rows(before), rows(after))
        assert found
        false_alarms += found.verdict != "no difference shown"
    assert false_alarms / runs <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)
