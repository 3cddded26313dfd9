"""What a name stands for: a file, or an adapter that is made ready to be laid over its base."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from studio.bases import BaseModel
from studio.conversion import PlayableModel, adapter_folders, list_models, playable, resolve_playable, write_lora
from studio.conversion.formats.gguf_header import read_header
from studio.errors import ConversionError
from studio.workspace import Workspace
from tests.adapters import put_checkpoint, write_adapter


@pytest.fixture
def checkpoint(workspace: Workspace, smollm2: BaseModel) -> Path:
    """Step 40 of a training that is not finished."""
    return put_checkpoint(workspace, smollm2)


def test_a_checkpoint_is_its_base_with_an_adapter_over_it(workspace: Workspace, checkpoint: Path) -> None:
    found = resolve_playable(workspace, "tavern/checkpoint-40")
    assert found == resolve_playable(workspace, checkpoint) == resolve_playable(workspace, str(checkpoint))
    assert found == resolve_playable(workspace, "models/checkpoints/tavern/checkpoint-40")
    assert (found.name, found.path.name) == ("tavern/checkpoint-40", "base.gguf")
    assert found.adapter is not None
    header = read_header(found.adapter)
    assert header.text("general.name") == "tavern/checkpoint-40"
    assert header.text("studio.run") == "tavern"
    assert header.text("studio.base.name") == "smollm2-135m-instruct"


def test_it_is_made_once_and_again_when_the_adapter_changes(
    workspace: Workspace, smollm2: BaseModel, checkpoint: Path
) -> None:
    first = overlay(resolve_playable(workspace, checkpoint))
    inode = first.stat().st_ino
    assert overlay(resolve_playable(workspace, checkpoint)).stat().st_ino == inode
    write_adapter(checkpoint, smollm2, seed=6)
    assert overlay(resolve_playable(workspace, checkpoint)) != first
    config = checkpoint / "adapter_config.json"
    config.write_text(config.read_text().replace('"lora_alpha": 8', '"lora_alpha": 4'))
    assert len({overlay(resolve_playable(workspace, checkpoint)), *first.parent.iterdir()}) == 3


def overlay(model: PlayableModel) -> Path:
    assert model.adapter is not None
    return model.adapter


def test_those_not_used_for_longest_are_forgotten(
    workspace: Workspace, smollm2: BaseModel, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(playable, "KEPT_OVERLAYS", 2)
    made = [overlay(resolve_playable(workspace, checkpoint))]
    for step in (41, 42):
        made.append(overlay(resolve_playable(workspace, put_checkpoint(workspace, smollm2, step=step, seed=step))))
        overlay(resolve_playable(workspace, checkpoint))  # used again
    assert [path.exists() for path in made] == [True, False, True]


def test_a_run_without_a_file_is_told_how_to_try_it(workspace: Workspace, checkpoint: Path) -> None:
    with pytest.raises(ConversionError) as caught:
        resolve_playable(workspace, "tavern")
    assert "tavern/checkpoint-40" in caught.value.next_step


@pytest.mark.parametrize("name", ["nothing", "../../etc", "tavern/checkpoint-41", "tavern/.."])
def test_what_is_not_there_is_refused(workspace: Workspace, checkpoint: Path, name: str) -> None:
    with pytest.raises(ConversionError):
        resolve_playable(workspace, name)


def test_half_a_checkpoint_is_refused(workspace: Workspace, checkpoint: Path) -> None:
    weights = checkpoint / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(ConversionError):
        resolve_playable(workspace, checkpoint)
    assert not (workspace.state_dir / "adapters").exists()


def test_a_base_that_came_without_a_gguf_cannot_be_laid_under(
    tiny_llama: BaseModel, borrow: Callable[[BaseModel], BaseModel], empty_workspace: Workspace
) -> None:
    checkpoint = put_checkpoint(empty_workspace, borrow(tiny_llama))
    with pytest.raises(ConversionError) as caught:
        resolve_playable(empty_workspace, checkpoint)
    assert "convert" in caught.value.next_step


def test_the_adapter_of_a_run_as_a_file_is_no_model_but_plays(workspace: Workspace, smollm2: BaseModel) -> None:
    put_checkpoint(workspace, smollm2).rename(workspace.checkpoints_dir / "tavern" / "adapter")
    made = write_lora(workspace, "tavern")
    assert made.path == workspace.gguf_dir / "tavern" / "tavern.lora.gguf"
    assert [one.name for one in list_models(workspace)] == ["smollm2-135m-instruct"]
    found = resolve_playable(workspace, made.path)
    assert (found.path.name, found.adapter) == ("base.gguf", made.path)


def test_the_adapters_of_runs_are_listed_newest_first(workspace: Workspace, smollm2: BaseModel) -> None:
    first, second = (put_checkpoint(workspace, smollm2, step=step) for step in (40, 80))
    parent = write_adapter(workspace.checkpoints_dir / "tavern" / "parent", smollm2)
    assert adapter_folders(workspace) == [second, first]
    assert parent.is_dir()
