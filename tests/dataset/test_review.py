"""What waits for review is nowhere among what is learned, and every report says so."""

from __future__ import annotations

from pathlib import Path

from studio.bases import get_base
from studio.dataset import TrainingDataProcessor
from studio.dataset.exchange import export_scenarios
from studio.scenarios import MarkdownParser
from studio.scenarios.review import UNREVIEWED, as_reviewed, waits_for_review
from studio.workspace import Workspace
from tests.dataset.stories import story, write_stories

PENDING = "---\ntitle: Corrected\nreview: pending # by play\n---\n\n" + story("corrected")


def test_nothing_is_learned_from_a_scenario_until_somebody_has_looked_at_it(
    workspace: Workspace, tmp_path: Path
) -> None:
    folder = write_stories(workspace.scenarios_dir, 3)
    path = folder / "combat" / "corrected.md"
    processor = TrainingDataProcessor(
        workspace, get_base(workspace, "smollm2-135m-instruct"), 1024, validation_fraction=0.0
    )
    for text, waits in ((PENDING, True), (as_reviewed(PENDING), False)):
        path.write_text(text)
        dataset = processor.process_scenarios(folder)
        assert ("combat/corrected.md" in dataset.arrow("train").unique("source")) != waits
        reasons = [row.reason for row in dataset.manifest.report if row.source == "combat/corrected.md"]
        assert (UNREVIEWED in reasons) == waits
        exported = export_scenarios(workspace, folder, tmp_path / "out.jsonl", "messages")
        assert [one["reason"] for one in exported.left_out] == [UNREVIEWED] * waits
        assert bool(processor.create_training_pairs([MarkdownParser().parse_text(text)])) != waits


def test_marking_as_reviewed_changes_that_one_word() -> None:
    reviewed = as_reviewed(PENDING)
    assert reviewed == PENDING.replace("pending #", "done #")
    assert not waits_for_review(MarkdownParser().parse_text(reviewed).metadata)
    for text in ("", "review: pending", "---\ntitle: x\n---\n<User>review: pending</User>", reviewed):
        assert as_reviewed(text) == text
