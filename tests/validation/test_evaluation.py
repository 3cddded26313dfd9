"""Real evaluations of the real SmolLM2: repeatable, resumable, and honest about a model that cannot do it."""

import math
import os
import signal
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from studio.bases import BaseModel, ConversationRenderer, load_template
from studio.errors import EvaluationError
from studio.jobs import Job
from studio.metrics import TurnCase, scenario_cases
from studio.play import ModelHost
from studio.scenarios import MarkdownParser, Vocabulary, to_messages
from studio.validation import EvaluationSettings, ReportCard, load_report, start_evaluation
from studio.validation.evaluation import (
    EvaluationStoppedError,
    Generator,
    by_scenario,
    group_fingerprint,
    host_options,
)
from studio.validation.request import ModelFile, model_files, scenario_files
from studio.validation.rows import GeneratedTurn, RowStore, read_lines
from studio.workspace import Workspace, sha256_file
from tests.validation.conftest import SETTINGS, evaluate, lasting


def rows_of(workspace: Workspace, model: Path) -> Path:
    return RowStore.of(workspace, sha256_file(model)).path


def wait_for_rows(path: Path, job: Job) -> bytes:
    """The first rows that a running job has stored."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and not job.state().is_finished:
        if path.exists() and (content := path.read_bytes()):
            return content
        time.sleep(0.05)
    raise AssertionError(f"no rows came: {job.state()}\n{job.tail_log()}")


def row(key: str, text: str = "Rain.") -> GeneratedTurn:
    return GeneratedTurn(model_sha256="a", key=key, fingerprint="b", text=text, reason="end_of_turn")


@pytest.mark.slow
def test_evaluating_twice_gives_the_same_figures(evaluated: ReportCard, other_campaign: Workspace, base: Path) -> None:
    assert lasting(evaluate(other_campaign, base)) == lasting(evaluated)


@pytest.mark.slow
def test_a_second_evaluation_of_the_same_turns_generates_nothing(
    evaluated: ReportCard, campaign: Workspace, base: Path
) -> None:
    before = rows_of(campaign, base).read_bytes()
    again = evaluate(campaign, base)
    assert again == evaluated  # the seconds of the work too: they are the stored ones
    assert rows_of(campaign, base).read_bytes() == before


@pytest.mark.slow
def test_the_base_model_never_asks_for_dice(evaluated: ReportCard) -> None:
    figures = evaluated.models[0].summary.figures
    assert (figures["call_recall"].hits, figures["call_recall"].total) == (0, 3)
    assert (figures["call_exact"].hits, figures["call_exact"].total) == (0, 3)
    assert (figures["outcome_told"].hits, figures["outcome_told"].total) == (0, 2)
    assert figures["empty"].hits == 0  # it does talk
    assert evaluated.models[0].work.generated_tokens == 7 * SETTINGS.max_tokens


@pytest.mark.slow
def test_the_authors_turns_are_scored_over_the_tokens_that_training_puts_loss_on(
    evaluated: ReportCard, campaign: Workspace, smollm2: BaseModel
) -> None:
    renderer = ConversationRenderer(smollm2.tokenizer(), load_template("smollm2"))
    messages = [to_messages(MarkdownParser().parse_scenario(path)) for path in scenario_files(campaign)]
    trained = sum(sum(renderer.render(one).mask) for one in messages)
    model = evaluated.models[0]
    scored = [one.likelihood for one in model.verdicts if one.likelihood]
    assert (len(scored), sum(one.tokens for one in scored)) == (7, trained)
    figure = model.summary.figures["perplexity"]
    assert figure.value == pytest.approx(math.exp(sum(one.nats for one in scored) / trained))
    assert 2 < figure.value < 100  # it knows English, and not these scenarios


@pytest.mark.slow
def test_stopping_inside_a_scenario_keeps_the_whole_ones_and_going_on_gives_the_same_rows(
    evaluated: ReportCard, campaign: Workspace, base: Path, vocabulary: Vocabulary, tmp_path: Path
) -> None:
    scenarios = [MarkdownParser().parse_scenario(path) for path in scenario_files(campaign)]
    groups = by_scenario(scenario_cases(scenarios, vocabulary))
    store, done = RowStore(tmp_path / "rows.jsonl"), list[int]()
    with ModelHost(base, host_options(SETTINGS)) as host:
        generator = Generator(ModelFile.of(base), host, vocabulary, SETTINGS, store)
        with pytest.raises(EvaluationStoppedError):
            generator.generate(groups, done.append, lambda: bool(done) and done[-1] > len(groups[0]))
        assert len(store) == len(groups[0])
        rows = generator.generate(groups)
    unbroken = RowStore.of(campaign, sha256_file(base))
    work = {"prefill_seconds", "decode_seconds", "peak_memory_bytes"}
    for row in rows:
        other = unbroken.get(row.identity)
        assert other is not None
        assert row.model_dump(exclude=work) == other.model_dump(exclude=work)
    assert done == sorted(done)
    assert len(groups[0]) < done[-1] < len(rows)


@pytest.mark.slow
def test_the_report_names_the_file_by_content_and_the_model_by_its_folder(evaluated: ReportCard, base: Path) -> None:
    stamp = evaluated.models[0].model
    assert (stamp.label, stamp.sha256) == ("smollm2-135m-instruct", sha256_file(base))
    assert (stamp.threads, stamp.context_tokens) == (1, 1024)


@pytest.mark.slow
def test_an_evaluation_that_is_killed_goes_on_and_ends_as_an_unbroken_one(
    evaluated: ReportCard, other_campaign: Workspace, base: Path
) -> None:
    job = start_evaluation(other_campaign, [base], settings=SETTINGS)
    path = rows_of(other_campaign, base)
    kept = wait_for_rows(path, job)
    os.killpg(job.state().pid or 0, signal.SIGKILL)
    assert job.wait(60).status == "interrupted"
    with path.open("ab") as stream:
        stream.write(b'{"model_sha256": "torn by the ki')
    again = start_evaluation(other_campaign, [base], settings=SETTINGS)
    assert again.directory == job.directory
    assert again.wait(300).status == "done", again.tail_log()
    assert lasting(load_report(job.directory)) == lasting(evaluated)
    assert path.read_bytes().startswith(kept)
    assert set(Counter(one.key for one in read_lines(path, GeneratedTurn)).values()) == {1}
    assert (job.directory / "report.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


@pytest.mark.slow
def test_a_running_evaluation_is_joined_and_a_stopped_one_keeps_its_rows(other_campaign: Workspace, base: Path) -> None:
    job = start_evaluation(other_campaign, [base], settings=SETTINGS)
    assert start_evaluation(other_campaign, [base], settings=SETTINGS) == job
    kept = wait_for_rows(rows_of(other_campaign, base), job)
    job.stop()
    state = job.wait(300)
    assert state.status == "stopped"
    assert rows_of(other_campaign, base).read_bytes() == kept
    with pytest.raises(EvaluationError) as caught:
        load_report(job.directory)
    assert caught.value.next_step


@pytest.mark.slow
def test_a_turn_that_does_not_fit_is_counted_as_empty_and_not_asked(other_campaign: Workspace, base: Path) -> None:
    (other_campaign.validation_dir / "gate.md").unlink()
    cellar = other_campaign.validation_dir / "cellar.md"
    long = cellar.read_text(encoding="utf-8").replace("another way out", "a way out, " + "slowly, " * 300)
    cellar.write_text(long, encoding="utf-8")
    settings = SETTINGS.model_copy(update={"context_tokens": 512})
    figures = evaluate(other_campaign, base, settings=settings).models[0].summary.figures
    assert (figures["empty"].hits, figures["empty"].total) == (1, 3)
    assert figures["empty"].faults == ("cellar.md#5",)


def test_rows_torn_by_a_kill_are_passed_over_and_closed(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    RowStore(path).add([row("one"), row("two")])
    path.write_bytes(path.read_bytes()[:-20])
    store = RowStore(path)
    assert len(store) == 1
    store.add([row("two", "Snow.")])
    after = RowStore(path)
    assert [one and one.text for one in map(after.get, [("a", "one", "b"), ("a", "two", "b")])] == ["Rain.", "Snow."]
    assert len(path.read_bytes().splitlines()) == 3


def test_two_stores_of_one_file_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    first, second = RowStore(path), RowStore(path)
    first.add([row("one")])
    second.add([row("two")])
    first.add([row("three")])
    assert len(RowStore(path)) == 3


def test_what_decides_a_reply_decides_its_fingerprint(held_out: list[TurnCase]) -> None:
    template = load_template("smollm2").source
    first, second = by_scenario(held_out)[:2]
    more = SETTINGS.model_copy(update={"max_tokens": 11})
    narrow = SETTINGS.model_copy(update={"context_tokens": 512})
    asked = [
        group_fingerprint(first, SETTINGS, 1, template),
        group_fingerprint(second, SETTINGS, 1, template),
        group_fingerprint(first[:-1], SETTINGS, 1, template),
        group_fingerprint([*first[:-1], replace(first[-1], authored="Rain.")], SETTINGS, 1, template),
        group_fingerprint(first, more, 1, template),
        group_fingerprint(first, narrow, 1, template),
        group_fingerprint(first, SETTINGS, 2, template),
        group_fingerprint(first, SETTINGS, 1, template + " "),
    ]
    assert len(set(asked)) == len(asked)
    reseeded = SETTINGS.model_copy(update={"seed": 8, "stress": True})
    assert group_fingerprint(first, reseeded, 1, template) == asked[0]


def test_models_of_one_name_get_labels_that_tell_them_apart(other_campaign: Workspace) -> None:
    for number, folder in enumerate(("first", "second")):
        path = other_campaign.gguf_dir / folder / "tuned.gguf"
        path.parent.mkdir(parents=True)
        path.write_bytes(bytes([number]))
    files = model_files(other_campaign, ["models/gguf/first/tuned.gguf", "models/gguf/second/tuned.gguf"])
    assert len({one.label for one in files}) == 2
    assert ModelFile.of(files[0].path).label == "tuned"


@pytest.mark.parametrize("models", [[], ["models/gguf/nothing.gguf"]])
def test_a_model_that_is_not_there_is_refused(other_campaign: Workspace, models: list[str]) -> None:
    with pytest.raises(EvaluationError) as caught:
        start_evaluation(other_campaign, models)
    assert caught.value.next_step


def test_an_evaluation_without_scenarios_is_refused(tmp_path: Path, base: Path) -> None:
    with pytest.raises(EvaluationError) as caught:
        start_evaluation(Workspace(tmp_path), [base], settings=EvaluationSettings())
    assert "data/validation" in caught.value.next_step
