"""What is left when a deployment is cut off, when two meet, and when somebody meddles with the folder."""

import shutil
from collections.abc import Callable

import pytest

from studio.registry import Registry
from studio.workspace import Workspace
from tests.registry.conftest import deployed, in_a_process

Approved = Callable[..., int]
DIE = """
from studio.registry import records
from studio.registry.releases import Releases
registry = Registry(Workspace(Path(sys.argv[1])))
place, name, before = {"Releases": Releases, "records": records}[sys.argv[2]], sys.argv[3], sys.argv[4] == "before"
real = getattr(place, name)
def die(*arguments, **options):
    if not before:
        real(*arguments, **options)
    os._exit(9)
setattr(place, name, die)
registry.deploy(int(sys.argv[5])) if sys.argv[5] != "rollback" else registry.rollback()
"""
DEPLOY_IN_TURN = """
registry = Registry(Workspace(Path(sys.argv[1])))
print("ready", flush=True)
for number in range(6):
    done = registry.deploy(int(sys.argv[2 + number % 2]))
print("done", flush=True)
"""


@pytest.mark.parametrize(
    ("place", "step", "moment", "new"),
    [
        ("Releases", "stage", "before", False),
        ("Releases", "stage", "after", False),
        ("records", "add_deployment", "after", False),
        ("Releases", "finish", "before", True),
        ("Releases", "finish", "after", True),
        ("Releases", "publish", "before", True),
        ("Releases", "publish", "after", True),
    ],
)
@pytest.mark.parametrize("action", ["deploy", "rollback"])
def test_a_deployment_killed_between_its_steps_leaves_the_old_or_the_new_one(
    empty_workspace: Workspace, registry: Registry, approved: Approved,
    place: str, step: str, moment: str, new: bool, action: str,
) -> None:  # fmt: skip
    first, second, third = (approved(run) for run in ("first", "second", "third"))
    registry.deploy(first)
    registry.deploy(second)
    order = "rollback" if action == "rollback" else str(third)
    target = "first.Q8_0" if action == "rollback" else "third.Q8_0"
    process = in_a_process(DIE, empty_workspace.root, place, step, moment, order)
    _, errors = process.communicate()
    assert process.returncode == 9, errors
    assert deployed(empty_workspace)["name"] in {"second.Q8_0", target}  # type: ignore[index]
    reopened = Registry(empty_workspace)
    expected = target if new else "second.Q8_0"
    assert deployed(empty_workspace)["name"] == expected  # type: ignore[index]
    assert reopened.current().version.name == expected  # type: ignore[union-attr]
    assert reopened.problems() == []
    assert not list((empty_workspace.root / "models" / "deployed" / ".releases").glob(".staging-*"))
    reopened.deploy(second)
    assert deployed(empty_workspace)["name"] == "second.Q8_0"  # type: ignore[index]


def test_a_registry_that_is_already_open_goes_on_after_the_death_of_another(
    empty_workspace: Workspace, registry: Registry, approved: Approved
) -> None:
    first, second = approved("first"), approved("second")
    process = in_a_process(DIE, empty_workspace.root, "Releases", "finish", "before", str(first))
    assert process.wait() == 9
    registry.deploy(second)
    shutil.rmtree(empty_workspace.gguf_dir)
    registry.rollback()
    assert deployed(empty_workspace)["name"] == "first.Q8_0"  # type: ignore[index]


def test_two_processes_that_deploy_at_once_both_get_through_and_leave_one_truth(
    empty_workspace: Workspace, registry: Registry, approved: Approved
) -> None:
    versions = [approved("first"), approved("second")]
    processes = [
        in_a_process(DEPLOY_IN_TURN, empty_workspace.root, *order) for order in (versions, versions[::-1])
    ]  # fmt: skip
    for process in processes:
        _, errors = process.communicate()
        assert process.returncode == 0, errors
    history = registry.history()
    assert len(history) == 12
    assert deployed(empty_workspace)["sha256"] == history[0].version.sha256  # type: ignore[index]
    by_id = {one.id: one for one in history}
    for one in history:
        assert one.previous_id is None or by_id[one.previous_id].version.id != one.version.id
    assert registry.problems() == []


def test_a_damaged_deployment_is_made_again_from_the_registered_file(
    empty_workspace: Workspace, registry: Registry, approved: Approved
) -> None:
    done = registry.deploy(approved("first"))
    folder = empty_workspace.root / "models" / "deployed"
    (folder / "default" / "model.gguf").unlink()
    (folder / "default").unlink()
    assert len(registry.problems()) == 1
    reopened = Registry(empty_workspace)
    assert deployed(empty_workspace)["sha256"] == done.version.sha256  # type: ignore[index]
    assert reopened.problems() == []


def test_a_deployment_that_cannot_be_made_again_is_told_and_another_channel_does_not_suffer(
    empty_workspace: Workspace, registry: Registry, approved: Approved
) -> None:
    lost = registry.deploy(approved("first"))
    registry.deploy(approved("second"), "phone")
    (empty_workspace.root / "models" / "deployed" / "phone").unlink()
    shutil.rmtree(empty_workspace.root / "models" / "deployed" / ".releases" / lost.release)
    shutil.rmtree(empty_workspace.gguf_dir / "first")
    reopened = Registry(empty_workspace)
    assert [one.where for one in reopened.problems()] == ["models/deployed/default"]
    assert deployed(empty_workspace, "phone")["name"] == "second.Q8_0"  # type: ignore[index]
