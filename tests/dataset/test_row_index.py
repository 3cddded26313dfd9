"""What is known of all rows without reading their tokens equals what counting them one by one gives."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from studio.bases import BaseModel
from studio.config import BalanceConfig, DatasetConfig, save_dataset_config
from studio.dataset import SPLITS, ProcessedDataset, Split, TrainingDataProcessor, balance_of
from studio.dataset.balancing import features_of
from studio.dataset.coverage import row_coverage
from studio.dataset.row_index import row_coverage as counted_in_arrow
from studio.dataset.rows_store import SCHEMA
from studio.errors import DatasetError
from studio.scenarios import MarkdownParser, TrainingScenario
from studio.workspace import PROJECT_ROOT, Workspace

SCENARIOS = PROJECT_ROOT / "data" / "scenarios"
LIMIT = 900


@pytest.fixture(scope="module", params=[False, True], ids=["conversations", "pairs"])
def dataset(
    request: pytest.FixtureRequest, smollm2: BaseModel, tmp_path_factory: pytest.TempPathFactory
) -> ProcessedDataset:
    """The shipped scenarios, so short of room that most are cut."""
    workspace = Workspace(tmp_path_factory.mktemp("rows"))
    processor = TrainingDataProcessor(workspace, smollm2, LIMIT, validation_fraction=0.2, pairs=request.param)
    return processor.process_scenarios(SCENARIOS)


@pytest.fixture(scope="module")
def scenarios() -> dict[str, TrainingScenario]:
    parser = MarkdownParser()
    return {path.relative_to(SCENARIOS).as_posix(): parser.parse_scenario(path) for path in SCENARIOS.rglob("*.md")}


def test_features_are_those_of_the_trained_turns_of_each_row(
    dataset: ProcessedDataset, scenarios: dict[str, TrainingScenario]
) -> None:
    seen = set()
    for split in ("train", "validation"):
        rows, features = list(dataset.rows(split)), dataset.features(split)
        assert len(rows) == len(features)
        for row, found in zip(rows, features, strict=True):
            first = row.turns[1] - 1 if dataset.manifest.settings.pairs else row.turns[0]
            scenario = scenarios[row.source].model_copy(update={"scenario_type": row.scenario_type})
            expected = features_of(scenario, turns=(first, row.turns[1]), trained=row.trained_tokens)
            assert found.amounts == expected.amounts
            assert found.name.startswith(row.source)
            seen |= set(found.amounts["tool"]) | set(found.amounts["outcome"]) | set(found.amounts["call"])
        assert len({one.name for one in features}) == len(features)
    assert seen >= {"attack", "success", "failed", "call", "no call"}


def test_all_rows_of_a_scenario_together_count_what_the_scenario_counts(
    dataset: ProcessedDataset, scenarios: dict[str, TrainingScenario]
) -> None:
    left_out = {row.source for row in dataset.manifest.report if row.kind.startswith("excluded")}
    for source in set(scenarios) - left_out:
        rows = [
            features.amounts
            for split in SPLITS
            for head, features in zip(dataset.listing(split, count=10**6), dataset.features(split), strict=True)
            if head.source == source
        ]
        whole = features_of(scenarios[source]).amounts
        for margin in ("tool", "outcome", "call"):
            assert {label: sum(one[margin].get(label, 0) for one in rows) for label in whole[margin]} == whole[margin]


def test_coverage_is_that_of_counting_row_by_row(dataset: ProcessedDataset) -> None:
    def rows(*splits: Split) -> Iterator[tuple[str, int, int, int]]:
        for split in splits:
            for row in dataset.rows(split):
                yield row.source, row.turns[0], len(row.input_ids), row.trained_tokens

    assert dataset.coverage("train") == row_coverage(rows("train"), LIMIT)
    assert dataset.coverage() == row_coverage(rows(*SPLITS), LIMIT)
    assert dataset.coverage().near_limit > 0
    assert dataset.coverage("test").rows == 0


def test_of_many_rows_near_the_limit_the_longest_are_named() -> None:
    lengths = [95 + number * 7 % 6 for number in range(300)]
    columns = {
        "source": [f"{number % 40:02}.md" for number in range(300)],
        "scenario_type": ["combat"] * 300,
        "turns": [[number, number + 1] for number in range(300)],
        "input_ids": [[1] * length for length in lengths],
        "loss_mask": [[True] * length for length in lengths],
        "trained": lengths,
        "tools": [[]] * 300,
        "outcomes": [[]] * 300,
        "calls": [[]] * 300,
    }
    one_by_one = ((f"{n % 40:02}.md", n, length, length) for n, length in enumerate(lengths))
    assert counted_in_arrow(pa.table(columns, schema=SCHEMA), 100) == row_coverage(one_by_one, 100)


def test_a_listing_shows_any_part_of_the_rows_without_their_tokens(dataset: ProcessedDataset) -> None:
    rows = list(dataset.rows("train"))
    whole = dataset.listing("train", count=10**6)
    assert [(one.number, one.source, one.turns, one.tokens, one.trained) for one in whole] == [
        (number, row.source, row.turns, len(row.input_ids), row.trained_tokens) for number, row in enumerate(rows)
    ]
    assert dataset.listing("train", 3, 4) == whole[3:7]
    assert dataset.listing("train", len(rows), 4) == []
    wanted = [one for one in whole if "combat/t" in one.source]
    assert wanted
    assert dataset.listing("train", 1, 2, "COMBAT/T") == wanted[1:3]
    assert dataset.matches("train", "combat/t") == len(wanted)
    assert dataset.matches("train") == len(rows)
    assert dataset.listing("train", contains="combat.t") == []  # what is typed is text, not a pattern


def test_one_row_is_read_by_its_number(dataset: ProcessedDataset) -> None:
    rows = list(dataset.rows("train"))
    assert [dataset.row("train", number) for number in range(len(rows))] == rows
    for number in (-1, len(rows)):
        with pytest.raises(DatasetError):
            dataset.row("train", number)


def test_a_damaged_file_of_rows_is_a_clear_error(workspace: Workspace, smollm2: BaseModel) -> None:
    made = TrainingDataProcessor(workspace, smollm2, LIMIT).process_scenarios(SCENARIOS / "combat")
    (made.directory / "train.arrow").write_text("no rows")
    with pytest.raises(DatasetError):
        made.row("train", 0)
    with pytest.raises(DatasetError):
        made.features("train")


def test_a_dataset_is_balanced_as_its_settings_ask(dataset: ProcessedDataset) -> None:
    assert balance_of(dataset, BalanceConfig()) is None
    made = balance_of(dataset, BalanceConfig(by=["type"], cap=100, strength=0.5))
    full = balance_of(dataset, BalanceConfig(by=["type"], cap=100))
    assert made
    assert full
    assert full.met
    shares = [
        {row.label: row.share for row in table if row.margin == "type"}
        for table in (full.before, made.after, full.after)
    ]
    for kind, before in shares[0].items():
        assert min(before, shares[2][kind]) - 0.01 <= shares[1][kind] <= max(before, shares[2][kind]) + 0.01
    assert list(shares[2].values()) == pytest.approx([1 / len(shares[2])] * len(shares[2]), abs=0.01)


def test_balancing_takes_the_workspaces_settings_or_the_type(
    workspace: Workspace, smollm2: BaseModel, dataset: ProcessedDataset
) -> None:
    processor = TrainingDataProcessor(workspace, smollm2, LIMIT)
    by_type = processor.balance_dataset(dataset)
    assert {row.margin for row in by_type.after if row.target is not None} == {"type"}
    save_dataset_config(workspace, DatasetConfig(balance=BalanceConfig(by=["call"], method="caps")))
    by_call = processor.balance_dataset(dataset)
    assert {row.margin for row in by_call.after if row.target is not None} == {"call"}
    assert by_call.rows_per_pass < len(by_call.weights)
    assert len(by_call.left_out) == len(by_call.weights) - by_call.rows_per_pass


def test_the_configured_processor_makes_what_the_workspaces_file_says(
    workspace: Workspace, smollm2: BaseModel, tmp_path: Path
) -> None:
    asked = DatasetConfig(validation_fraction=0.25, test_fraction=0.1, pairs=True, recap=True, split_seed=3)
    save_dataset_config(workspace, asked)
    from_file = TrainingDataProcessor.configured(workspace, smollm2, LIMIT)
    given = TrainingDataProcessor.configured(Workspace(tmp_path / "other"), smollm2, LIMIT, asked)
    by_hand = TrainingDataProcessor(
        workspace, smollm2, LIMIT, validation_fraction=0.25, test_fraction=0.1, pairs=True, recap=True, split_seed=3
    )
    assert from_file.settings == given.settings == by_hand.settings
