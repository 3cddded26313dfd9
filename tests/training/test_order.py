"""Balanced rows in training: how often each is read, in an order that a resumed run finds again."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.config import BalanceConfig, DatasetConfig, load_dataset_config, save_dataset_config
from studio.dataset import Balance, ProcessedDataset, RowFeatures, TrainingRow, balance_of
from studio.dataset.balancing import balance
from studio.errors import TrainingError
from studio.jobs import MessageEvent, StepEvent, latest_by_step, of_type
from studio.training import ModelTrainer, Run, start_run
from studio.training.order import BalancedSampler, rows_of_pass
from studio.workspace import Workspace
from tests.training.conftest import PATIENCE, SETTINGS

EVEN = DatasetConfig(balance=BalanceConfig(by=["type"], cap=10))


def of_types(sizes: dict[str, int], **options: object) -> Balance:
    rows = [RowFeatures(f"{kind}{n}", {"type": {kind: 1.0}}) for kind, count in sizes.items() for n in range(count)]
    return balance(rows, {"type": "even"}, **options)  # type: ignore[arg-type]


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 30), min_size=1),
    st.floats(1, 20),
    st.integers(0, 2**32 - 1),
    st.integers(0, 1000),
)
@settings(deadline=None, max_examples=60)
def test_a_pass_by_weight_reads_each_row_as_often_as_its_weight_says(
    sizes: dict[str, int], cap: float, seed: int, epoch: int
) -> None:
    made = of_types(sizes, cap=cap)
    rows = rows_of_pass(made, seed, epoch)
    expected = made.weights * len(made.weights)
    read = np.bincount(rows, minlength=len(expected))
    assert len(rows) == len(expected)
    assert (read >= np.floor(expected - 1e-6)).all()
    assert (read <= np.ceil(expected + 1e-6)).all()


def test_over_many_passes_every_row_is_read_in_its_share() -> None:
    made = of_types({"combat": 7, "mixed": 2})
    passes = 4000
    read = sum(np.bincount(rows_of_pass(made, 7, epoch), minlength=9) for epoch in range(passes))
    assert read / passes == pytest.approx(made.weights * 9, abs=0.04)


@pytest.mark.parametrize("method", ["repeats", "caps"])
def test_copies_are_the_same_in_every_pass_and_their_order_is_another(method: str) -> None:
    made = of_types({"combat": 12, "mixed": 4}, method=method)
    passes = [rows_of_pass(made, 7, epoch).tolist() for epoch in range(5)]
    assert made.copies
    assert all(Counter(one) == Counter({row: n for row, n in enumerate(made.copies) if n}) for one in passes)
    assert len({tuple(one) for one in passes}) == 5


def test_a_pass_can_be_found_again_by_its_number() -> None:
    made = of_types({"combat": 30, "mixed": 10})
    sampler = BalancedSampler(made, seed=3)
    first, passes = list(sampler), []
    for epoch in (4, 0, 4):
        sampler.set_epoch(epoch)
        passes.append(list(sampler))
    assert first == passes[1]
    assert passes[0] == passes[2] == rows_of_pass(made, 3, 4).tolist()
    assert passes[0] not in (passes[1], rows_of_pass(made, 4, 4).tolist())
    assert len(sampler) == 40


def test_the_model_reads_the_rows_that_the_balance_draws(
    campaign: Workspace, rows: list[TrainingRow], tmp_path: Path
) -> None:
    """With a rate too small to change anything, each step's loss is that of the rows which the order names."""
    made = of_types({"combat": 4, "mixed": 1}, cap=10)
    config = SETTINGS.model_copy(
        update={"learning_rate": 1e-12, "lora_dropout": 0.0, "gradient_accumulation_steps": 1, "max_steps": 10}
    )
    trainer = ModelTrainer(config, tmp_path)
    base = trainer.load_base_model(campaign.base_dir / SETTINGS.base_model)
    alone = [trainer.evaluate(base, [row]) for row in rows]
    losses: list[float] = []
    trainer.train(rows, callbacks=[_losses(losses)], balance=made)
    order = [row for epoch in range(2) for row in rows_of_pass(made, config.seed, epoch)]
    assert losses == pytest.approx([alone[row] for row in order], abs=2e-3)
    assert order.count(4) > 2  # the only one of its type is read more than once in a pass


def test_a_balance_of_other_rows_is_refused(campaign: Workspace, rows: list[TrainingRow], tmp_path: Path) -> None:
    trainer = ModelTrainer(SETTINGS, tmp_path)
    trainer.load_base_model(campaign.base_dir / SETTINGS.base_model)
    with pytest.raises(TrainingError) as caught:
        trainer.train(rows, balance=of_types({"combat": 4}))
    assert "4 rows" in caught.value.why


def test_the_trainer_balances_a_dataset_as_its_settings_say(
    balanced_campaign: Workspace, tmp_path: Path, balanced: Run
) -> None:
    dataset = _dataset_of(balanced_campaign, balanced)
    config = balanced.config().model_copy(update={"max_steps": 4})
    losses: list[list[float]] = []
    for given_balance in (None, balance_of(dataset, EVEN.balance, config.seed)):
        trainer = ModelTrainer(config, tmp_path / str(len(losses)))
        trainer.load_base_model(balanced_campaign.base_dir / SETTINGS.base_model)
        losses.append([])
        trainer.train(dataset, callbacks=[_losses(losses[-1])], balance=given_balance)
    assert losses[0] == losses[1]
    assert losses[0][:2] == pytest.approx([one.loss for one in _steps(balanced)[:2]], abs=1e-4)  # later rates differ


def test_a_run_keeps_what_was_decided_when_it_began_and_tells_what_balancing_did(
    balanced_campaign: Workspace, balanced: Run
) -> None:
    save_dataset_config(balanced_campaign, DatasetConfig(pairs=True))
    assert balanced.config().dataset == EVEN
    told = json.loads((balanced.directory / "balance.json").read_text())
    shares = {
        side: {row["label"]: row["share"] for row in told[side] if row["margin"] == "type"}
        for side in ("before", "after")
    }
    assert shares["before"]["roleplay"] < 0.3
    assert shares["after"] == pytest.approx({"mixed": 0.5, "roleplay": 0.5}, abs=0.01)
    assert (told["asked"]["by"], told["rows"], told["left_out"]) == (["type"], 5, [])
    (message,) = [one.text for one in of_type(balanced.job.events().events, MessageEvent) if "Balanced" in one.text]
    assert "roleplay" in message
    assert "50%" in message


def test_a_run_without_balance_takes_the_workspaces_settings_and_leaves_no_table(
    finished: Run, campaign: Workspace
) -> None:
    assert finished.config().dataset == load_dataset_config(campaign) == DatasetConfig()
    assert not (finished.directory / "balance.json").exists()


def test_a_balanced_run_goes_on_in_the_middle_of_a_pass_as_if_nothing_had_happened(
    balanced_campaign: Workspace, balanced: Run, tmp_path: Path
) -> None:
    checkpoint = balanced.directory / "checkpoint-38"  # of three steps in a pass, the second
    assert round(_steps(balanced)[37].epoch % 1, 3) == 0.8
    trainer = ModelTrainer(balanced.config(), tmp_path)
    trainer.load_base_model(balanced_campaign.base_dir / SETTINGS.base_model)
    losses: list[float] = []
    trainer.train(_dataset_of(balanced_campaign, balanced), callbacks=[_losses(losses)], resume=checkpoint)
    assert losses == pytest.approx([one.loss for one in _steps(balanced)[38:]], abs=1e-5)
    assert len(losses) == 2


@pytest.fixture(scope="module")
def balanced_campaign(campaign: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The campaign once more, with one of its five scenes of another type, and balanced by type."""
    workspace = Workspace(tmp_path_factory.mktemp("balanced"))
    for folder in (campaign.base_dir, campaign.scenarios_dir, campaign.validation_dir):
        shutil.copytree(folder, workspace.root / folder.relative_to(campaign.root))
    other = workspace.scenarios_dir / "roleplay"
    other.mkdir()
    (workspace.scenarios_dir / "place-4.md").rename(other / "place-4.md")
    save_dataset_config(workspace, EVEN)
    return workspace


@pytest.fixture(scope="module")
def balanced(balanced_campaign: Workspace) -> Run:
    """An uninterrupted run of `SETTINGS`, balanced."""
    run = start_run(balanced_campaign, SETTINGS, name="balanced")
    assert run.job.wait(PATIENCE).status == "done", run.job.tail_log()
    return run


def _dataset_of(workspace: Workspace, run: Run) -> ProcessedDataset:
    began_with = ProcessedDataset.load(run.directory)
    return ProcessedDataset.load(workspace.processed_dir / began_with.fingerprint)


def _steps(run: Run) -> list[StepEvent]:
    return latest_by_step(of_type(run.job.events().events, StepEvent))


def _losses(into: list[float]) -> object:
    from transformers import TrainerCallback

    class Listener(TrainerCallback):  # type: ignore[misc]
        def on_log(self, args: object, state: object, control: object, logs: dict[str, float], **_: object) -> None:
            if "loss" in logs:
                into.append(logs["loss"])

    return Listener()
