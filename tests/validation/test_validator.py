"""`ModelValidator`: the four questions of the design, over rows that were generated once."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio.errors import StudioError
from studio.scenarios import MarkdownParser
from studio.validation import BenchmarkSettings, ModelValidator, ReportCard
from studio.validation.rows import RowStore
from studio.validation.validator import TOOL_CALL_FIGURES
from studio.workspace import Workspace
from tests.validation.conftest import SETTINGS


@pytest.fixture
def validator(campaign: Workspace) -> ModelValidator:
    return ModelValidator(
        campaign, SETTINGS, BenchmarkSettings(context_lengths=(32,), threads=(1,), new_tokens=4, rounds=1)
    )


@pytest.mark.slow
def test_tool_calls_and_conversation_share_what_was_generated(
    validator: ModelValidator, evaluated: ReportCard, campaign: Workspace, base: Path
) -> None:
    store = RowStore.of(campaign, evaluated.models[0].model.sha256).path
    before = store.read_bytes()
    calls = validator.validate_tool_calls(base, [campaign.validation_dir])
    talk = validator.validate_conversation_quality(base, [campaign.validation_dir / "cellar.md"])
    assert store.read_bytes() == before
    figures = evaluated.models[0].summary.figures
    assert calls.figures == {name: figures[name] for name in TOOL_CALL_FIGURES}
    assert len(calls.decision.missed) == 3
    assert (calls.turns, talk.turns) == (7, 3)
    assert set(talk.figures) | set(calls.figures) == set(figures)
    assert [one.text for one in talk.verdicts] == [one.text for one in evaluated.models[0].verdicts[:3]]


@pytest.mark.slow
def test_scenarios_may_be_given_parsed(
    validator: ModelValidator, evaluated: ReportCard, campaign: Workspace, base: Path
) -> None:
    scenario = MarkdownParser().parse_scenario(campaign.validation_dir / "gate.md")
    report = validator.validate_tool_calls(base, [scenario])
    assert report.model == evaluated.models[0].model
    assert [one.text for one in report.verdicts] == [one.text for one in evaluated.models[0].verdicts[3:]]


@pytest.mark.slow
def test_a_benchmark_against_a_baseline_gives_ratios(validator: ModelValidator, base: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.gguf"
    copy.hardlink_to(base)
    report = validator.benchmark_performance(copy, baseline=base)
    rows = {one.model: one for one in report.rows}
    assert rows["smollm2-135m-instruct"].decode_ratio is None
    assert (rows["copy"].decode_ratio or 0) > 0
    assert rows["copy"].peak_memory_bytes > base.stat().st_size // 2


def test_the_cactus_check_takes_a_file(validator: ModelValidator, base: Path) -> None:
    assert validator.test_cactus_compatibility(base).passes


def test_what_is_not_there_is_refused(validator: ModelValidator, base: Path) -> None:
    for ask in (
        lambda: validator.validate_tool_calls("no such model", []),
        lambda: validator.validate_tool_calls(base, []),
        lambda: validator.validate_conversation_quality(base, ["nothing.md"]),
        lambda: validator.test_cactus_compatibility("no such model"),
    ):
        with pytest.raises(StudioError) as caught:
            ask()
        assert caught.value.next_step
