"""Prepared scenarios are made once: kept by content, taken over after a kill, and the same from any history."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pyarrow
import pytest

from studio.bases import BaseModel
from studio.dataset import DatasetManifest, ProcessedDataset, TrainingDataProcessor, TrainingRow
from studio.errors import DatasetError
from studio.workspace import PROJECT_ROOT, Workspace
from tests.dataset.stories import story, write_stories

SCRIPT = """
import sys
from pathlib import Path
from studio.bases import BaseModel
from studio.dataset import TrainingDataProcessor, workers
from studio.workspace import Workspace

if __name__ == "__main__":
    root, base, scenarios, files = sys.argv[1:]

    workers.BUNDLE_FILES = int(files)
    processor = TrainingDataProcessor(Workspace(Path(root)), BaseModel.load(Path(base)), 1024, workers=2)
    processor.process_scenarios(Path(scenarios), lambda done, total: print(done, flush=True))
"""


@pytest.fixture
def folder(workspace: Workspace) -> Path:
    return write_stories(workspace.scenarios_dir, 6)


def process(workspace: Workspace, base: BaseModel, folder: Path, **options: object) -> ProcessedDataset:
    return TrainingDataProcessor(workspace, base, 1024, **options).process_scenarios(folder)  # type: ignore[arg-type]


def prepared_files(workspace: Workspace) -> dict[Path, int]:
    found = (workspace.processed_dir / "prepared").rglob("*.arrow")
    return {path: path.stat().st_mtime_ns for path in found}


def prepared_scenarios(workspace: Workspace) -> int:
    """Scenarios in all shards, each as often as it was prepared."""
    facts = (workspace.processed_dir / "prepared").rglob("*.facts.arrow")
    return sum(pyarrow.ipc.open_stream(path.read_bytes()).read_all().num_rows for path in facts)


def test_an_added_file_leaves_the_others_as_they_were_prepared(
    workspace: Workspace, smollm2: BaseModel, folder: Path
) -> None:
    process(workspace, smollm2, folder)
    before = prepared_files(workspace)
    (folder / "combat" / "later.md").write_text(story("later"))
    dataset = process(workspace, smollm2, folder)
    after = prepared_files(workspace)
    assert {path: after[path] for path in before} == before
    assert len(after) == len(before) + 2  # one shard: rows and facts
    assert sum(split.scenarios for split in dataset.manifest.counts.values()) == 7
    assert prepared_scenarios(workspace) == 7


def test_a_renamed_file_and_another_split_need_nothing_new(
    workspace: Workspace, smollm2: BaseModel, folder: Path
) -> None:
    process(workspace, smollm2, folder)
    before = prepared_files(workspace)
    (folder / "combat" / "story-000.md").rename(folder / "combat" / "renamed.md")
    dataset = process(workspace, smollm2, folder, validation_fraction=0.4)
    assert prepared_files(workspace) == before
    assert "combat/renamed.md" in dataset.manifest.scenarios


def test_another_row_length_is_prepared_apart(workspace: Workspace, smollm2: BaseModel, folder: Path) -> None:
    process(workspace, smollm2, folder)
    TrainingDataProcessor(workspace, smollm2, 512).process_scenarios(folder)
    assert len(list((workspace.processed_dir / "prepared").iterdir())) == 2


def test_the_rows_are_the_same_bytes_from_any_history(
    workspace: Workspace, smollm2: BaseModel, folder: Path, tmp_path: Path
) -> None:
    process(workspace, smollm2, folder)
    write_stories(folder, 3, kind="roleplay", start=50)
    grown = process(workspace, smollm2, folder)
    at_once = process(Workspace(tmp_path / "other"), smollm2, folder, workers=2)
    assert at_once.fingerprint == grown.fingerprint
    assert at_once.manifest == grown.manifest
    for split in ("train", "validation"):
        name = f"{split}.arrow"
        assert (at_once.directory / name).read_bytes() == (grown.directory / name).read_bytes()


def test_rows_are_a_memory_mapped_hugging_face_dataset(workspace: Workspace, smollm2: BaseModel, folder: Path) -> None:
    dataset = process(workspace, smollm2, folder)
    mapped = dataset.arrow("train")
    assert [row.model_dump(mode="json") for row in dataset.rows("train")] == list(
        mapped.select_columns(list(TrainingRow.model_fields))
    )
    assert mapped["trained"][:] == [row.trained_tokens for row in dataset.rows("train")]
    assert mapped.cache_files == [{"filename": str(dataset.directory / "train.arrow")}]


def test_a_shard_that_was_cut_short_is_made_again(workspace: Workspace, smollm2: BaseModel, folder: Path) -> None:
    first = process(workspace, smollm2, folder)
    (rows,) = (path for path in prepared_files(workspace) if path.name.endswith(".rows.arrow"))
    expected = (first.directory / "train.arrow").read_bytes()
    rows.write_bytes(rows.read_bytes()[:1000])
    for path in first.directory.iterdir():
        path.unlink()
    again = process(workspace, smollm2, folder)
    assert (again.directory / "train.arrow").read_bytes() == expected


def test_stopping_by_the_progress_callback_keeps_what_is_finished(
    workspace: Workspace, smollm2: BaseModel, folder: Path
) -> None:
    class StopNowError(Exception):
        pass

    def stop(done: int, total: int) -> None:
        raise StopNowError

    with pytest.raises(StopNowError):
        TrainingDataProcessor(workspace, smollm2, 1024).process_scenarios(folder, stop)
    before = prepared_files(workspace)
    assert before
    process(workspace, smollm2, folder)
    assert prepared_files(workspace) == before


def test_a_dataset_of_an_earlier_version_is_a_clear_error(
    workspace: Workspace, smollm2: BaseModel, folder: Path
) -> None:
    dataset = process(workspace, smollm2, folder)
    old = dataset.manifest.settings.model_copy(update={"format_version": 1})
    earlier = ProcessedDataset(dataset.directory, dataset.manifest.model_copy(update={"settings": old}))
    assert DatasetManifest.model_validate_json(earlier.manifest.model_dump_json()) == earlier.manifest
    with pytest.raises(DatasetError) as caught:
        list(earlier.rows("train"))
    assert "earlier version" in caught.value.what


@pytest.mark.slow
def test_a_kill_keeps_finished_shards_and_takes_the_workers_along(
    workspace: Workspace, smollm2: BaseModel, tmp_path: Path
) -> None:
    folder = write_stories(workspace.scenarios_dir, 120)
    script = tmp_path / "process.py"
    script.write_text(SCRIPT)
    process_with = [sys.executable, str(script), str(workspace.root), str(smollm2.directory), str(folder), "4"]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT_ROOT)}
    running = subprocess.Popen(process_with, stdout=subprocess.PIPE, text=True, env=environment)
    assert running.stdout
    while int(running.stdout.readline()) < 12:
        pass
    workers = psutil.Process(running.pid).children(recursive=True)
    running.send_signal(signal.SIGKILL)
    running.wait()
    gone, alive = psutil.wait_procs(workers, timeout=60)
    assert len(gone) >= 2
    assert not alive
    kept = prepared_files(workspace)
    finished = prepared_scenarios(workspace)
    assert 12 <= finished < 120
    calls: list[int] = []
    processor = TrainingDataProcessor(workspace, smollm2, 1024)
    dataset = processor.process_scenarios(folder, lambda done, total: calls.append(done))
    assert calls[0] == finished
    assert {path: prepared_files(workspace)[path] for path in kept} == kept
    fresh = process(Workspace(tmp_path / "fresh"), smollm2, folder)
    assert (dataset.directory / "train.arrow").read_bytes() == (fresh.directory / "train.arrow").read_bytes()


def test_two_machines_give_the_same_fingerprint_and_the_same_bytes(smollm2: BaseModel, tmp_path: Path) -> None:
    """Two processes with other hash seeds, languages, time zones and folders; one writes its files in another order."""
    script = tmp_path / "process.py"
    script.write_text(SCRIPT)
    machines = {
        "first": {"PYTHONHASHSEED": "1", "LC_ALL": "C", "TZ": "UTC"},
        "a second, far away": {"PYTHONHASHSEED": "4242", "LC_ALL": "tr_TR.UTF-8", "TZ": "Pacific/Kiritimati"},
    }
    made: list[ProcessedDataset] = []
    for name, environment in machines.items():
        root = tmp_path / name
        kinds = ("combat", "roleplay", "Ödland")
        for kind in kinds if not made else reversed(kinds):
            write_stories(root / "scenes", 4, kind=kind, start=10 * kinds.index(kind))
        command = [sys.executable, str(script), str(root), str(smollm2.directory), str(root / "scenes"), "4"]
        inherited = {**os.environ, "PYTHONPATH": str(PROJECT_ROOT)}
        subprocess.run(command, cwd=root, env={**inherited, **environment}, check=True, timeout=300)
        (folder,) = (path for path in (root / "data" / "processed").iterdir() if path.name != "prepared")
        made.append(ProcessedDataset.load(folder))
    one, other = made
    assert one.manifest == other.manifest
    assert one.fingerprint == one.directory.name == other.directory.name
    for file in ("dataset.json", "train.arrow", "validation.arrow", "test.arrow"):
        assert (one.directory / file).read_bytes() == (other.directory / file).read_bytes()
    assert sum(counts.scenarios for counts in one.manifest.counts.values()) == 12
