"""The whole way: a bad reply is put right, looked at, and a run that goes on from the adapter that spoke learns it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from studio.bases import get_base
from studio.config import save_settings
from studio.dataset import ProcessedDataset, TrainingDataProcessor
from studio.jobs import JobQueue, launch
from studio.play.sessions.exporting import save_played
from studio.play.teaching.corrections import corrected_roll, correction, read_request, throw, words_before
from studio.scenarios import MarkdownParser, load_vocabulary
from studio.scenarios.library import ScenarioLibrary
from studio.scenarios.review import as_reviewed
from studio.training import Run, start_run
from studio.training.parent.learned import Learned
from studio.training.parent.replay import news_of
from studio.ui.feedback import origin, run_behind, waiting_scenarios
from studio.workspace import Workspace
from tests.jobs.test_job import wait_until_working
from tests.play.played import HIDES, ROLLED, played
from tests.training.conftest import PATIENCE, SETTINGS

ONE_STEP = SETTINGS.model_copy(update={"max_steps": 1, "eval_steps": 1})


@contextmanager
def busy(workspace: Workspace) -> Iterator[None]:
    """A run at work, so that the next one waits; whatever waits is taken out of the queue in the end."""
    run = Run(workspace.checkpoints_dir / "busy")
    save_settings(ONE_STEP, run.directory / "config.yaml")
    launch(run.directory, "tests.jobs.targets:work_until_stopped", {}, kind="train", title="busy")
    wait_until_working(run.job)
    try:
        yield
    finally:
        for entry in JobQueue(workspace).entries():
            if entry.is_waiting:
                JobQueue(workspace).cancel(entry.id)
        run.job.stop()
        assert run.job.wait(PATIENCE).is_finished


def dataset_now(workspace: Workspace) -> ProcessedDataset:
    processor = TrainingDataProcessor(workspace, get_base(workspace, SETTINGS.base_model), SETTINGS.max_seq_length)
    return processor.process_scenarios(workspace.scenarios_dir)


@pytest.mark.slow
def test_a_bad_reply_becomes_what_the_next_run_learns_once_somebody_has_looked_at_it(
    own_campaign: Workspace,
) -> None:
    session, vocabulary, library = played(ROLLED, HIDES), load_vocabulary(), ScenarioLibrary(own_campaign)
    request = read_request("stealth, dc=12", vocabulary)
    words = words_before(session, 1, vocabulary)
    instead = corrected_roll(words, request, throw(session, 1, request), "A board creaks under your boot.")
    made = correction(own_campaign, session, 1, instead, vocabulary, kind="should have rolled")
    kept = save_played(library, "mixed", "Hiding", made)
    source = f"{kept}.md"

    assert [one.id for one in waiting_scenarios(library)] == [kept]
    before = dataset_now(own_campaign)
    assert source not in before.arrow("train").unique("source")
    assert [(row.kind, "review" in row.reason) for row in before.manifest.report if row.source == source] == [
        ("excluded file", True)
    ]
    tavern = start_run(own_campaign, ONE_STEP, name="tavern")
    assert tavern.job.wait(PATIENCE).status == "done", tavern.job.tail_log()
    learned = tavern.adapter and Learned.beside(tavern.adapter)
    assert learned
    assert source not in learned.scenarios.values()

    stored = library.read(kept)
    library.save(kept, as_reviewed(stored.text), stored.revision)
    assert waiting_scenarios(library) == []
    after = dataset_now(own_campaign)
    assert news_of(after, learned).new == (source,)

    said = origin(MarkdownParser(vocabulary).parse_text(library.read(kept).text).metadata)
    assert run_behind(own_campaign, said) == "tavern"
    with busy(own_campaign):
        run = start_run(own_campaign, ONE_STEP, name="taught", parent=run_behind(own_campaign, said))
        assert run.state().is_waiting
        assert run.parent is not None
        assert [one.title for one in JobQueue(own_campaign).entries() if one.is_waiting] == ["taught"]
