import json
import shutil
from collections.abc import Callable
from typing import Any

import pytest

from studio.cli import main
from studio.workspace import Workspace
from tests.registry.conftest import ModelMaker, deployed

Run = Callable[..., tuple[int, Any]]


@pytest.fixture
def run(empty_workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> Run:
    """`run("deploy", "first")` -> exit status and the JSON document it prints."""

    def run_it(*arguments: str) -> tuple[int, Any]:
        status = main(["--workspace", str(empty_workspace.root), *arguments, "--json"])
        return status, json.loads(capsys.readouterr().out)

    return run_it


def test_a_model_goes_into_use_and_back_by_commands(
    run: Run, empty_workspace: Workspace, make_model: ModelMaker
) -> None:
    for name in ("first", "second"):
        make_model(name)
        assert run("approve", name, "--note", "good")[0] == 0
        assert run("deploy", f"{name}.Q8_0", "--channel", "phone")[0] == 0
    status, document = run("rollback", "--channel", "phone")
    assert status == 0
    assert document["version"]["name"] == "first.Q8_0"
    assert document["version"]["note"] == "good"
    status, document = run("deployments", "--channel", "phone")
    assert status == 0
    assert [(one["action"], one["version"]["name"]) for one in document] == [
        ("rollback", "first.Q8_0"),
        ("deploy", "second.Q8_0"),
        ("deploy", "first.Q8_0"),
    ]
    assert deployed(empty_workspace, "phone")["name"] == "first.Q8_0"  # type: ignore[index]


def test_the_history_is_a_table_that_marks_what_is_in_use(
    empty_workspace: Workspace, make_model: ModelMaker, capsys: pytest.CaptureFixture[str]
) -> None:
    make_model("first")
    for arguments in (["approve", "first"], ["deploy", "first"], ["deployments"]):
        assert main(["--workspace", str(empty_workspace.root), *arguments]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if "first.Q8_0" in line and line.endswith("in use")] == [lines[-1]]


def test_closed_gates_end_with_status_1(run: Run, make_model: ModelMaker) -> None:
    make_model("first")
    status, document = run("deploy", "first")
    assert (status, document["error"]) == (1, "NotApprovedError")
    status, document = run("rollback")
    assert (status, document["error"]) == (1, "NothingToRollBackError")
    assert run("approve", "nobody")[0] == 1
    run("approve", "first")
    make_model("first", content=3.0)
    status, document = run("deploy", "first")
    assert (status, document["error"]) == (1, "NotApprovedError")


def test_a_deployment_that_is_not_in_its_place_is_a_finding(
    run: Run, empty_workspace: Workspace, make_model: ModelMaker
) -> None:
    make_model("first")
    run("approve", "first")
    run("deploy", "first")
    shutil.rmtree(empty_workspace.root / "models" / "deployed")
    shutil.rmtree(empty_workspace.gguf_dir)
    assert run("deployments")[0] == 1


def test_a_base_model_is_no_version_of_the_campaign(run: Run, workspace: Workspace) -> None:
    status, document = run("approve", "smollm2-135m-instruct")
    assert (status, document["error"]) == (1, "RegistryError")
