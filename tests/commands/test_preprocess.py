"""`preprocess`: rows on disk, the same once more, and a report of everything that is left out."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from studio.config import BalanceConfig, DatasetConfig, save_dataset_config
from studio.dataset import DatasetManifest
from studio.workspace import PROJECT_ROOT, Workspace
from tests.commands.running import Outcome, Studio

SHIPPED = PROJECT_ROOT / "data" / "scenarios" / "combat"


@pytest.fixture
def campaign(workspace: Workspace) -> Workspace:
    """A workspace with three shipped scenarios."""
    shutil.copytree(SHIPPED, workspace.scenarios_dir / "combat")
    return workspace


def preprocess(studio: Studio, campaign: Workspace, *arguments: object) -> Outcome:
    return studio("--workspace", campaign.root, "preprocess", *arguments)


def test_scenarios_become_rows_on_disk(studio: Studio, campaign: Workspace) -> None:
    outcome = preprocess(studio, campaign, "--json")
    manifest = DatasetManifest.model_validate(outcome.document)
    folder = campaign.processed_dir / manifest.fingerprint
    assert (outcome.status, outcome.err) == (0, "")
    assert sum(split.scenarios for split in manifest.counts.values()) == 3
    assert DatasetManifest.model_validate_json((folder / "dataset.json").read_bytes()) == manifest


def test_splits_pairs_and_recap_are_options(studio: Studio, campaign: Workspace) -> None:
    outcome = preprocess(
        studio, campaign, "--json", "--validation-fraction=0.3", "--test-fraction=0.2", "--pairs", "--recap"
    )
    settings = DatasetManifest.model_validate(outcome.document).settings
    assert (settings.validation_fraction, settings.test_fraction) == (0.3, 0.2)
    assert (settings.pairs, settings.recap) == (True, True)


@pytest.mark.parametrize("share", ["-0.1", "0.6", "a tenth", "nan"])
def test_a_share_that_makes_no_sense_is_wrong_usage(studio: Studio, share: str) -> None:
    outcome = studio("preprocess", f"--test-fraction={share}")
    assert outcome.status == 2
    assert "share from 0 to 0.5" in outcome.err


def test_words_that_stand_on_both_sides_are_named(studio: Studio, campaign: Workspace) -> None:
    brawl = (SHIPPED / "tavern-brawl.md").read_text()
    leak = "Seven grey herons rise from the reeds and turn east over the drowned chapel roofs before dawn breaks again."
    campaign.validation_dir.mkdir(parents=True)
    kept = (SHIPPED.parent / "roleplay" / "noble-court.md").read_text()
    (campaign.validation_dir / "court.md").write_text(kept.replace("</DM>", f" {leak}</DM>", 1))
    (campaign.scenarios_dir / "combat" / "tavern-brawl.md").write_text(brawl.replace("</DM>", f" {leak}</DM>", 1))
    outcome = preprocess(studio, campaign)
    assert "Leaks: 1 of 1 held-out scenarios" in outcome.out
    assert "validation/court.md and combat/tavern-brawl.md" in outcome.out


def test_the_summary_says_where_the_rows_are(studio: Studio, campaign: Workspace) -> None:
    outcome = preprocess(studio, campaign)
    last = outcome.out.splitlines()[-1]
    assert (campaign.root / last.removeprefix("Written to ").removesuffix(".")).is_dir()
    assert "TRAINED" in outcome.out


def test_the_same_scenarios_give_the_same_dataset_without_work(studio: Studio, campaign: Workspace) -> None:
    first = preprocess(studio, campaign, "--json")
    written = {path: path.stat().st_mtime_ns for path in campaign.processed_dir.rglob("*")}
    assert preprocess(studio, campaign, "--json") == first
    assert {path: path.stat().st_mtime_ns for path in campaign.processed_dir.rglob("*")} == written


def test_what_is_left_out_is_said_with_file_and_line(studio: Studio, campaign: Workspace) -> None:
    broken = campaign.scenarios_dir / "combat" / "broken.md"
    broken.write_text((SHIPPED / "tavern-brawl.md").read_text().replace("= *15*", "= *25*"))
    outcome = preprocess(studio, campaign)
    assert outcome.status == 1
    line = broken.read_text().split("*25*")[0].count("\n") + 1
    assert f"combat/broken.md:{line}: excluded file." in outcome.out


def test_a_folder_that_is_not_there_and_a_base_that_is_not_there_are_named(
    studio: Studio, workspace: Workspace, tmp_path: Path
) -> None:
    assert "nowhere" in preprocess(studio, workspace, tmp_path / "nowhere").err
    outcome = preprocess(studio, workspace, SHIPPED, "--base", "gemma3-270m")
    assert outcome.status == 1
    assert "has not been imported" in outcome.err


@pytest.mark.parametrize("length", ["0", "-5", "many", "1e3"])
def test_a_row_length_that_makes_no_sense_is_wrong_usage(studio: Studio, length: str) -> None:
    outcome = studio("preprocess", f"--max-seq-length={length}")
    assert outcome.status == 2
    assert "whole number from 64" in outcome.err


def test_options_go_before_the_workspaces_settings(studio: Studio, campaign: Workspace) -> None:
    save_dataset_config(campaign, DatasetConfig(validation_fraction=0.2, test_fraction=0.1, pairs=True, recap=True))
    configured = preprocess(studio, campaign, "--json").document["settings"]
    assert (configured["validation_fraction"], configured["test_fraction"]) == (0.2, 0.1)
    assert (configured["pairs"], configured["recap"]) == (True, True)
    changed = preprocess(studio, campaign, "--json", "--no-pairs", "--test-fraction=0").document["settings"]
    assert (changed["validation_fraction"], changed["test_fraction"]) == (0.2, 0.0)
    assert (changed["pairs"], changed["recap"]) == (False, True)


def test_balancing_shows_the_shares_before_and_after(studio: Studio, campaign: Workspace) -> None:
    shutil.copytree(SHIPPED.parent / "roleplay", campaign.scenarios_dir / "roleplay")
    plain = preprocess(studio, campaign, "--json").document
    outcome = preprocess(studio, campaign, "--balance=type", "--balance-cap=50", "--json")
    balance = outcome.document.pop("balance")
    assert outcome.document.keys() - {"balance"} == plain.keys()
    assert balance["asked"] == {"by": ["type"], "method": "weights", "strength": 1.0, "cap": 50.0}
    shares = {row["label"]: row["share"] for row in balance["after"] if row["margin"] == "type"}
    assert shares == pytest.approx({"combat": 0.5, "roleplay": 0.5}, abs=0.01)
    text = preprocess(studio, campaign, "--balance=type", "--balance-cap=50").out
    (line,) = [line for line in text.splitlines() if line.split()[:2] == ["type", "roleplay"]]
    assert line.split()[-2:] == ["50.0%", f"{shares['roleplay']:.1%}"]


def test_rows_that_a_cap_leaves_out_are_named(studio: Studio, campaign: Workspace) -> None:
    shutil.copy(SHIPPED.parent / "roleplay" / "noble-court.md", campaign.scenarios_dir / "court.md")
    options = ("--balance=type,call", "--balance-method=caps", "--max-seq-length=1024")
    named = preprocess(studio, campaign, *options, "--json").document["balance"]["left_out"]
    assert named
    out = preprocess(studio, campaign, *options).out
    assert all(f"Left out: {name}\n" in out for name in named)


def test_configured_balancing_is_shown_and_can_be_switched_off(studio: Studio, campaign: Workspace) -> None:
    save_dataset_config(campaign, DatasetConfig(balance=BalanceConfig(by=["outcome"])))
    assert preprocess(studio, campaign, "--json").document["balance"]["asked"]["by"] == ["outcome"]
    assert "balance" not in preprocess(studio, campaign, "--json", "--balance=none").document


@pytest.mark.parametrize("option", ["--balance=luck", "--balance=type,", "--balance-cap=0.5", "--balance-strength=two"])
def test_a_balance_that_makes_no_sense_is_wrong_usage(studio: Studio, option: str) -> None:
    assert studio("preprocess", option).status == 2


def test_how_to_balance_without_what_is_refused(studio: Studio, campaign: Workspace) -> None:
    outcome = preprocess(studio, campaign, "--balance-method=caps")
    assert outcome.status == 2
    assert "--balance" in outcome.err


def test_pruning_says_what_was_freed(studio: Studio, campaign: Workspace) -> None:
    assert preprocess(studio, campaign, "--max-seq-length=1024").status == 0
    old = time.time() - 7200
    for path in campaign.processed_dir.rglob("*"):
        os.utime(path, (old, old))
    outcome = preprocess(studio, campaign, "--prune", "--json")
    assert outcome.status == 0
    assert "datasets that no run needs (1), scenarios prepared with other settings (1)" in outcome.err
    assert [path.name for path in campaign.processed_dir.iterdir() if path.name != "prepared"] == [
        outcome.document["fingerprint"]
    ]
