import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from studio.errors import ConversionError, WorkspaceError
from studio.registry import (
    ModelFileChangedError,
    ModelFileMissingError,
    NotApprovedError,
    NothingToRollBackError,
    Registry,
    RegistryError,
)
from studio.workspace import Workspace, sha256_file
from tests.registry.conftest import ModelMaker, deployed

Approved = Callable[..., int]


def releases(workspace: Workspace) -> set[str]:
    return {path.name for path in (workspace.root / "models" / "deployed" / ".releases").iterdir()}


def test_a_registered_version_knows_its_content_and_its_parents(registry: Registry, make_model: ModelMaker) -> None:
    path = make_model("first")
    version = registry.register(path)
    assert version.sha256 == sha256_file(path)
    assert version.path == "first/first.Q8_0.gguf"
    assert version.name == "first.Q8_0"
    assert version.size == path.stat().st_size
    assert version.created == datetime.fromtimestamp(path.stat().st_mtime, UTC)
    assert version.parents == {"base": "b" * 64, "adapter": "a" * 64}
    assert version.approved is None


def test_registering_the_same_content_again_gives_the_same_version_where_it_now_lies(
    registry: Registry, make_model: ModelMaker
) -> None:
    path = make_model("first")
    first = registry.register(path)
    moved = path.with_name("renamed.gguf")
    path.rename(moved)
    again = registry.register(moved)
    assert again.id == first.id
    assert again.path == "first/renamed.gguf"
    assert registry.versions() == [again]


def test_an_approval_keeps_its_note_and_its_time(empty_workspace: Workspace, make_model: ModelMaker) -> None:
    at = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
    registry = Registry(empty_workspace, clock=lambda: at)
    version = registry.approve(registry.register(make_model("first")).id, " asks for rolls ")
    assert (version.approved, version.note) == (at, "asks for rolls")
    assert Registry(empty_workspace).version(version.id) == version


def test_an_approved_model_is_deployed_with_its_label_beside_it(
    registry: Registry, empty_workspace: Workspace, approved: Approved
) -> None:
    version_id = approved("first")
    done = registry.deploy(version_id)
    assert registry.current() == done
    label = deployed(empty_workspace)
    assert label is not None
    assert label["sha256"] == done.version.sha256
    assert label["name"] == "first.Q8_0"
    assert label["parents"] == done.version.parents
    assert datetime.fromisoformat(label["deployed"]) == done.deployed


def test_a_deployed_model_is_a_copy_that_later_changes_do_not_reach(
    registry: Registry, empty_workspace: Workspace, approved: Approved
) -> None:
    done = registry.deploy(approved("first"))
    source = empty_workspace.gguf_dir / done.version.path
    source.write_bytes(b"written over in place")
    assert deployed(empty_workspace)["sha256"] == done.version.sha256  # type: ignore[index]
    source.unlink()
    assert deployed(empty_workspace)["sha256"] == done.version.sha256  # type: ignore[index]


def test_channels_are_independent(registry: Registry, empty_workspace: Workspace, approved: Approved) -> None:
    first, second = approved("first"), approved("second")
    registry.deploy(first)
    registry.deploy(second, "phone")
    assert deployed(empty_workspace)["name"] == "first.Q8_0"  # type: ignore[index]
    assert deployed(empty_workspace, "phone")["name"] == "second.Q8_0"  # type: ignore[index]
    assert len(registry.history()) == 2
    assert len(registry.history("phone")) == 1
    assert registry.current("tablet") is None


def test_a_model_that_is_not_approved_is_refused(
    registry: Registry, empty_workspace: Workspace, make_model: ModelMaker, approved: Approved
) -> None:
    registry.deploy(approved("first"))
    before = deployed(empty_workspace)
    with pytest.raises(NotApprovedError) as caught:
        registry.deploy(registry.register(make_model("second")).id)
    assert "approve second.Q8_0" in caught.value.next_step
    assert deployed(empty_workspace) == before
    assert len(registry.history()) == 1


def test_the_approval_of_a_file_does_not_hold_for_another_content_at_its_place(
    registry: Registry, make_model: ModelMaker, approved: Approved
) -> None:
    approved("first")
    with pytest.raises(NotApprovedError) as caught:
        registry.deploy(registry.register(make_model("first", content=2.0)).id)
    assert caught.value.why


@pytest.mark.parametrize("same_size", [True, False])
def test_a_file_that_changed_after_its_approval_is_refused(
    registry: Registry, empty_workspace: Workspace, make_model: ModelMaker, approved: Approved, same_size: bool
) -> None:
    registry.deploy(approved("first"))
    before, kept = deployed(empty_workspace), releases(empty_workspace)
    second = approved("second")
    path = make_model("second", content=2.0)
    if not same_size:
        path.write_bytes(path.read_bytes() + b"\0" * 32)
    with pytest.raises(ModelFileChangedError) as caught:
        registry.deploy(second)
    assert caught.value.where == "second/second.Q8_0.gguf"
    assert deployed(empty_workspace) == before
    assert releases(empty_workspace) == kept
    assert len(registry.history()) == 1


def test_a_file_that_is_gone_is_refused(registry: Registry, empty_workspace: Workspace, approved: Approved) -> None:
    version_id = approved("first")
    (empty_workspace.gguf_dir / "first" / "first.Q8_0.gguf").unlink()
    with pytest.raises(ModelFileMissingError):
        registry.deploy(version_id)
    assert deployed(empty_workspace) is None
    assert registry.current() is None


def test_a_version_that_does_not_exist_is_refused(registry: Registry) -> None:
    for operation in (registry.approve, registry.deploy):
        with pytest.raises(RegistryError):
            operation(41)


def test_a_rollback_returns_to_the_version_before_and_further_back_when_asked_again(
    registry: Registry, empty_workspace: Workspace, approved: Approved
) -> None:
    first, second, third = (approved(run) for run in ("first", "second", "third"))
    for version_id in (first, second, third):
        registry.deploy(version_id)
    seen = []
    for _ in range(2):
        registry.rollback()
        seen.append(deployed(empty_workspace)["name"])  # type: ignore[index]
    assert seen == ["second.Q8_0", "first.Q8_0"]
    assert [one.action for one in registry.history()] == ["rollback", "rollback", "deploy", "deploy", "deploy"]
    with pytest.raises(NothingToRollBackError):
        registry.rollback()
    assert deployed(empty_workspace)["name"] == "first.Q8_0"  # type: ignore[index]


def test_a_rollback_needs_neither_model_file_any_more(
    registry: Registry, empty_workspace: Workspace, approved: Approved
) -> None:
    first, second = approved("first"), approved("second")
    registry.deploy(first)
    registry.deploy(second)
    shutil.rmtree(empty_workspace.gguf_dir)
    registry.rollback()
    assert deployed(empty_workspace)["name"] == "first.Q8_0"  # type: ignore[index]


def test_a_rollback_with_nothing_before_changes_nothing(
    registry: Registry, empty_workspace: Workspace, approved: Approved
) -> None:
    with pytest.raises(NothingToRollBackError):
        registry.rollback()
    registry.deploy(approved("first"))
    before = deployed(empty_workspace)
    with pytest.raises(NothingToRollBackError) as caught:
        registry.rollback()
    assert "first.Q8_0" in caught.value.what
    assert deployed(empty_workspace) == before


def test_a_rollback_whose_content_is_nowhere_left_changes_nothing(
    registry: Registry, empty_workspace: Workspace, approved: Approved
) -> None:
    first, second = approved("first"), approved("second")
    old = registry.deploy(first)
    registry.deploy(second)
    before = deployed(empty_workspace)
    shutil.rmtree(empty_workspace.root / "models" / "deployed" / ".releases" / old.release)
    (empty_workspace.gguf_dir / old.version.path).unlink()
    with pytest.raises(ModelFileMissingError):
        registry.rollback()
    assert deployed(empty_workspace) == before


def test_deploying_what_is_deployed_keeps_the_way_back(
    registry: Registry, empty_workspace: Workspace, approved: Approved
) -> None:
    first, second = approved("first"), approved("second")
    for version_id in (first, second, second):
        registry.deploy(version_id)
    registry.rollback()
    assert deployed(empty_workspace)["name"] == "first.Q8_0"  # type: ignore[index]


def test_old_releases_are_deleted_only_when_their_model_file_is_still_there(
    registry: Registry, empty_workspace: Workspace, approved: Approved
) -> None:
    runs = ["one", "seven", "twelve", "thirteen"]
    done = []
    for run in runs:
        done.append(registry.deploy(approved(run)))
        if run == "one":
            (empty_workspace.gguf_dir / "one" / "one.Q8_0.gguf").unlink()
    assert releases(empty_workspace) == {done[0].release, done[2].release, done[3].release}


def test_only_files_of_the_gguf_folder_can_be_registered(
    registry: Registry, empty_workspace: Workspace, make_model: ModelMaker, tmp_path: Path
) -> None:
    inside = make_model("first")
    outside = tmp_path / "elsewhere.gguf"
    inside.rename(outside)
    inside.symlink_to(outside)
    for path in (outside, inside):
        with pytest.raises(RegistryError):
            registry.register(path)


def test_a_file_that_is_no_model_cannot_be_registered(registry: Registry, make_model: ModelMaker) -> None:
    path = make_model("first")
    path.write_bytes(b"GGUF" + os.urandom(64))
    with pytest.raises(ConversionError):
        registry.register(path)
    assert registry.versions() == []


@pytest.mark.parametrize("channel", ["", "..", "../gguf", ".releases", "a/b", "nul", "\0"])
def test_a_channel_that_is_no_plain_name_is_refused(registry: Registry, approved: Approved, channel: str) -> None:
    version_id = approved("first")
    with pytest.raises(WorkspaceError):
        registry.deploy(version_id, channel)
    with pytest.raises(WorkspaceError):
        registry.rollback(channel)


def test_a_folder_of_somebody_elses_in_place_of_a_channel_is_left_alone(
    registry: Registry, empty_workspace: Workspace, approved: Approved
) -> None:
    foreign = empty_workspace.root / "models" / "deployed" / "phone"
    foreign.mkdir(parents=True)
    (foreign / "precious.txt").write_text("mine")
    with pytest.raises(RegistryError) as caught:
        registry.deploy(approved("first"), "phone")
    assert caught.value.where == "phone"
    assert (foreign / "precious.txt").read_text() == "mine"
    assert registry.current("phone") is None
