"""An adapter is judged and measured as a model of its own, through the same host as a file."""

from __future__ import annotations

import pytest

from studio.bases import BaseModel
from studio.play import HostInfo
from studio.play.hosts.protocol import AdapterInfo, joint_sha256
from studio.validation import ModelValidator, speed
from studio.validation.card import ModelStamp
from studio.validation.request import ModelFile, model_files
from studio.validation.rows import RowStore
from studio.workspace import Workspace, sha256_file
from tests.adapters import put_checkpoint
from tests.conftest import link_into
from tests.validation.conftest import SETTINGS, make_campaign


@pytest.fixture(scope="module")
def crew(tmp_path_factory: pytest.TempPathFactory, smollm2: BaseModel) -> Workspace:
    """Two scenarios, SmolLM2, and step 40 of a training."""
    workspace = make_campaign(tmp_path_factory.mktemp("crew"))
    put_checkpoint(workspace, link_into(workspace, smollm2))
    return workspace


@pytest.fixture
def checkpoint(crew: Workspace) -> ModelFile:
    return model_files(crew, ["models/checkpoints/tavern/checkpoint-40"])[0]


def test_base_and_adapter_are_one_model_with_one_hash(crew: Workspace, checkpoint: ModelFile) -> None:
    assert checkpoint.adapter is not None
    assert (checkpoint.label, checkpoint.path.name) == ("tavern/checkpoint-40", "base.gguf")
    (alone,) = model_files(crew, [checkpoint.path])
    assert alone.adapter is None
    assert checkpoint.sha256 == joint_sha256(alone.sha256, sha256_file(checkpoint.adapter)) != alone.sha256
    assert checkpoint.size_bytes == alone.size_bytes + checkpoint.adapter.stat().st_size


def test_two_checkpoints_of_one_base_keep_their_names_apart(
    crew: Workspace, smollm2: BaseModel, checkpoint: ModelFile
) -> None:
    folders = [put_checkpoint(crew, smollm2, step=step, seed=step) for step in (50, 60)]
    found = model_files(crew, [*folders, checkpoint.path])
    assert [one.label for one in found] == ["tavern/checkpoint-50", "tavern/checkpoint-60", "smollm2-135m-instruct"]
    assert len({one.sha256 for one in found}) == 3


def test_the_stamp_of_a_report_stands_for_both_files(checkpoint: ModelFile) -> None:
    assert checkpoint.adapter is not None
    over = AdapterInfo(path=str(checkpoint.adapter), sha256="a" * 64, size_bytes=10, name="tavern/checkpoint-40")
    info = HostInfo(
        path=str(checkpoint.path), sha256="b" * 64, size_bytes=100, context_tokens=512, trained_context_tokens=2048,
        threads=1, load_seconds=0.1, process_id=1, adapter=over,
    )  # fmt: skip
    stamp = ModelStamp.of(checkpoint, info)
    assert (stamp.adapter, stamp.size_bytes) == ("tavern/checkpoint-40", 110)
    assert stamp.sha256 == joint_sha256("b" * 64, "a" * 64)


@pytest.mark.slow
def test_a_checkpoint_is_evaluated_by_its_name_and_kept_apart_from_its_base(
    crew: Workspace, checkpoint: ModelFile
) -> None:
    settings = SETTINGS.model_copy(update={"max_turns": 1, "max_tokens": 8})
    validator = ModelValidator(crew, settings)
    cellar = crew.validation_dir / "cellar.md"
    tuned = validator.validate_tool_calls("tavern/checkpoint-40", [cellar])
    alone = validator.validate_tool_calls("smollm2-135m-instruct", [cellar])
    assert tuned.model.sha256 == checkpoint.sha256
    assert tuned.model.adapter == "tavern/checkpoint-40"
    assert tuned.verdicts[0].text != alone.verdicts[0].text
    assert [len(RowStore.of(crew, one.model.sha256)) for one in (tuned, alone)] == [1, 1]


def test_speed_is_measured_with_the_adapter_over_the_base(checkpoint: ModelFile) -> None:
    assert checkpoint.adapter is not None
    assert speed.host_options(checkpoint, 512, 1).adapter == checkpoint.adapter
