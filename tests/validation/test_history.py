"""History over versions: what belongs together, in which order, what came before, and whether it became worse."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from studio.bases import BaseModel
from studio.conversion.merging.adapter import LoraAdapter, Provenance
from studio.conversion.metadata import ADAPTER, BASE_NAME, PARENT_ADAPTER, RUN, provenance_values
from studio.errors import EvaluationError, JobError, StudioError
from studio.jobs import JobState, Status
from studio.jobs.process import acquire_lock
from studio.jobs.state import save_state
from studio.metrics import TurnCase
from studio.scenarios import Vocabulary
from studio.validation import EvaluationSettings, ReportCard
from studio.validation.card import REPORT_FILE, ModelStamp
from studio.validation.digest import (
    DIGEST_FILE,
    HEADLINES,
    Measured,
    ReportDigest,
    digest_of,
    identify_test_set,
    read_digest,
)
from studio.validation.history import Lineage, Version, card_between, lineages
from studio.validation.jobs import BENCHMARK_KIND, EVALUATION_KIND
from studio.validation.reports import (
    change_of,
    compare_versions,
    delete_measurement,
    find_version,
    known_parents,
    read_history,
    read_reports,
)
from studio.workspace import Workspace, atomic_write
from tests.validation.conftest import card_of, make_campaign

NO_FIGURES: dict[str, object] = {}
OVERLAY = {ADAPTER: "a", BASE_NAME: "smol", RUN: "tavern"}


def model(label: str, run: str = "", type_: str = "Q8_0", **more: object) -> Measured:
    """A model without figures; one with a run has an adapter of its own and the base `smol`."""
    origin = {"base": "smol", "run": run, "adapter": f"adapter of {run}"} if run else {}
    known = {"label": label, "sha256": label, "size_bytes": 1, "quantization": type_, "figures": NO_FIGURES}
    return Measured.model_validate({**known, **origin, **more})


BASE = model("smol", type_="Q4_1", base="smol", is_base=True)


def report(created: float, *models: Measured, test_set: str = "one") -> tuple[str, ReportDigest]:
    named = f"evaluate-{created:g}"
    return named, ReportDigest(created=created, test_set=test_set, turns=23, tone="same", models=models)


def shape(lineage: Lineage) -> list[tuple[str, str]]:
    """Every version with the one before it, by the files' labels."""
    labels = {one.model.identity: one.model.label for one in lineage.versions}
    return [(one.model.label, labels.get(one.before, "")) for one in lineage.versions]


# -- lineages


def test_versions_of_one_base_stand_in_the_order_of_their_first_measurement_after_the_base() -> None:
    first, second = model("first", "first"), model("second", "second")
    (found,) = lineages([report(3, first, second), report(1, BASE, first), report(2, BASE, second)])
    assert found.title == "Trained from smol"
    assert shape(found) == [("smol", ""), ("first", "smol"), ("second", "first")]
    assert [one.report for one in found.versions] == ["evaluate-2", "evaluate-3", "evaluate-3"]


def test_a_file_that_is_older_comes_first_though_it_was_measured_later() -> None:
    first, second = model("first", "first", made=10.0), model("second", "second", made=20.0)
    (found,) = lineages([report(30, second), report(40, first)])
    assert shape(found) == [("first", ""), ("second", "first")]
    (unknown,) = lineages([report(30, second), report(40, first.model_copy(update={"made": 0.0}))])
    assert shape(unknown) == [("second", ""), ("first", "second")]


def test_runs_that_went_on_from_each_other_are_a_lineage_of_their_own() -> None:
    first, other = model("first", "first"), model("other", "other")
    second = model("second", "second", parent_adapter=first.adapter)
    third = model("third", "third", parent_adapter=second.adapter)
    found = {
        one.title: shape(one)
        for one in lineages([report(1, BASE, first), report(2, third), report(3, second), report(4, other)])
    }
    assert found == {
        "first and what goes on from it": [("smol", ""), ("first", "smol"), ("second", "first"), ("third", "second")],
        "Trained from smol": [("smol", ""), ("other", "smol")],
    }


def test_a_run_that_is_not_measured_is_bridged_where_its_folder_still_says_what_it_went_on_from() -> None:
    first = model("first", "first")
    third = model("third", "third", parent_adapter="adapter of second")
    known = {"adapter of second": first.adapter}
    (found,) = lineages([report(1, first), report(2, third)], known)
    assert shape(found) == [("first", ""), ("third", "first")]
    assert found.title.startswith("first")


def test_two_runs_from_one_are_both_compared_with_it() -> None:
    first = model("first", "first")
    left, right = (model(name, name, parent_adapter=first.adapter) for name in ("left", "right"))
    (found,) = lineages([report(1, first), report(2, left), report(3, right)])
    assert shape(found) == [("first", ""), ("left", "first"), ("right", "first")]


def test_adapters_that_name_each_other_as_parents_do_not_hang_it() -> None:
    first = model("first", "first", parent_adapter="adapter of second")
    second = model("second", "second", parent_adapter="adapter of first")
    assert sum(len(one.versions) for one in lineages([report(1, first), report(2, second)])) == 2


def test_files_of_one_run_are_one_version_and_follow_their_own_type() -> None:
    small, large = model("first.Q8_0", "first"), model("first.f16", "first", "F16", size_bytes=9)
    (found,) = lineages(
        [
            report(1, BASE, small, large),
            report(2, model("second.f16", "second", "F16"), model("second.Q8_0", "second")),
            report(3, model("third.Q4_0", "third", "Q4_0")),
        ]
    )
    assert dict(shape(found)) == {
        "smol": "",
        "first.Q8_0": "smol",
        "first.f16": "smol",
        "second.Q8_0": "first.Q8_0",
        "second.f16": "first.f16",
        "third.Q4_0": "second.f16",
    }
    assert [one.step for one in found.versions] == [0, 1, 1, 2, 2, 3]
    assert [one.model.label for one in found.newest] == ["third.Q4_0"]


def test_figures_of_different_test_sets_are_never_beside_each_other() -> None:
    first, second = model("first", "first"), model("second", "second")
    (found,) = lineages([report(1, BASE, first), report(2, BASE, second, test_set="two")])
    before = {(one.model.label, one.test_set): found.before(one) for one in found.versions}
    assert [(key, one.model.label if one else "") for key, one in before.items()] == [
        (("smol", "one"), ""),
        (("smol", "two"), ""),
        (("first", "one"), "smol"),
        (("second", "two"), "smol"),
    ]
    assert all(one.test_set == test_set for (_, test_set), one in before.items() if one)
    assert {one.model.label for one in found.newest} == {"first", "second"}


def test_a_model_measured_twice_counts_once_with_its_newest_report() -> None:
    (found,) = lineages([report(5, model("first", "first")), report(1, model("renamed", "first", sha256="first"))])
    (version,) = found.versions
    assert (version.report, version.first_measured, version.model.label) == ("evaluate-5", 1, "first")


def test_a_file_from_elsewhere_and_an_untrained_base_are_lineages_of_their_own() -> None:
    found = lineages([report(1, BASE), report(2, model("found-on-a-stick"))])
    assert [one.title for one in found] == ["found-on-a-stick", "smol, untrained"]
    assert lineages([]) == []


# -- digests


@pytest.fixture
def answered(held_out: list[TurnCase], vocabulary: Vocabulary) -> Callable[..., ReportCard]:
    """A report over texts that no model wrote; `weather` of every turn's texts are about the weather only."""

    def make(created: float, **weather: int) -> ReportCard:
        authors = [case.authored for case in held_out]
        texts = {label: ["It rains."] * lost + authors[lost:] for label, lost in weather.items()}
        card = card_of(held_out, vocabulary, **texts)
        return card.model_copy(update={"created": created, "models": tuple(map(_trained, card.models))})

    return make


def _trained(result: object) -> object:
    stamp = result.model  # type: ignore[attr-defined]
    origin = {BASE_NAME: "smol", ADAPTER: f"adapter of {stamp.label}", RUN: stamp.label}
    return result.model_copy(update={"model": stamp.model_copy(update={"parents": origin})})  # type: ignore[attr-defined]


def test_a_digest_has_the_headline_figures_and_the_origin_of_a_file(answered: Callable[..., ReportCard]) -> None:
    card = answered(7.0, old=0, new=23)
    digest = digest_of(card)
    assert (digest.created, digest.turns, digest.tone) == (7.0, 23, "worse")
    assert [one.label for one in digest.models] == ["old", "new"]
    for kept, result in zip(digest.models, card.models, strict=True):
        assert {name: (one.value, one.interval) for name, one in kept.figures.items()} == {
            name: (result.summary.figures[name].value, result.summary.figures[name].interval) for name in HEADLINES
        }
        assert all(one.turns == one.faults == () for one in kept.figures.values())
    assert len(digest.model_dump_json()) * 5 < len(card.model_dump_json())


@pytest.mark.parametrize(
    ("stamp", "expected"),
    [
        ({"file": "first.Q4_K_M.gguf", "label": "first.Q4_K_M"}, ("Q4_K_M", "", False)),
        ({"file": "stick.gguf", "label": "stick", "quantization": "IQ4_NL"}, ("IQ4_NL", "", False)),
        ({"file": "base.gguf", "label": "smol/base ab12cd"}, ("", "smol", True)),
        ({"file": "base.gguf", "label": "x", "adapter": "x", "parents": OVERLAY}, ("", "smol", False)),
        ({"file": "small.Q2_K.gguf", "label": "small", "parents": {BASE_NAME: "smol"}}, ("Q2_K", "smol", True)),
    ],
)
def test_type_and_base_of_a_model(
    stamp: dict[str, str], expected: tuple[str, str, bool], answered: Callable[..., ReportCard]
) -> None:
    result = answered(1.0, old=0).models[0]
    known = ModelStamp.model_validate({"sha256": "s", "size_bytes": 1, **stamp})
    found = Measured.of(result.model_copy(update={"model": known}))
    assert (found.quantization, found.base, found.is_base) == expected
    assert found.run == stamp.get("adapter", "")


def test_a_file_says_which_adapter_its_training_went_on_from(smollm2: BaseModel, tmp_path: Path) -> None:
    (tmp_path / "adapter_model.safetensors").write_bytes(b"")
    origin = Provenance(base=smollm2.name, parent_adapter_sha256="a" * 64, run="second")
    values = provenance_values(smollm2, LoraAdapter(tmp_path, {}, origin))
    assert (values[PARENT_ADAPTER], values[RUN], values[BASE_NAME]) == ("a" * 64, "second", smollm2.name)
    assert PARENT_ADAPTER not in provenance_values(smollm2, LoraAdapter(tmp_path, {}, Provenance()))


def test_what_was_asked_decides_the_test_set(answered: Callable[..., ReportCard]) -> None:
    card = answered(1.0, old=0)
    known, turn = identify_test_set(card), card.turns[0]

    def changed(**values: object) -> str:
        return identify_test_set(card.model_copy(update=values))

    moved = turn.model_copy(update={"line": turn.line + 1})
    assert changed(turns=(moved, *card.turns[1:]), created=9.0, models=()) == known
    others = [turn.model_copy(update={"authored": "Else."}), turn.model_copy(update={"before": ()})]
    found = {changed(turns=(one, *card.turns[1:])) for one in others}
    found |= {changed(turns=card.turns[1:]), changed(settings=EvaluationSettings(max_tokens=11))}
    assert len(found | {known}) == 5


def test_a_digest_is_kept_and_made_anew_when_the_report_is(answered: Callable[..., ReportCard], tmp_path: Path) -> None:
    atomic_write(tmp_path / REPORT_FILE, answered(1.0, old=0).model_dump_json())
    first = read_digest(tmp_path)
    kept = (tmp_path / DIGEST_FILE).read_bytes()
    assert read_digest(tmp_path) == first == ReportDigest.model_validate_json(kept)
    atomic_write(tmp_path / DIGEST_FILE, kept.replace(b'"label":"old"', b'"label":"kept"'))
    assert read_digest(tmp_path).models[0].label == "kept"  # so the report itself is not read again
    atomic_write(tmp_path / REPORT_FILE, answered(2.0, new=0).model_dump_json())
    assert [one.label for one in read_digest(tmp_path).models] == ["new"]
    atomic_write(tmp_path / DIGEST_FILE, "{")
    assert read_digest(tmp_path).created == 2.0
    atomic_write(tmp_path / REPORT_FILE, "{")
    with pytest.raises(EvaluationError):
        read_digest(tmp_path)


# -- comparisons across reports


def test_two_models_of_different_reports_are_compared_turn_by_turn(answered: Callable[..., ReportCard]) -> None:
    before, after = answered(1.0, old=0, other=3), answered(2.0, new=12)
    card = card_between(before, "old+adapter of old", after, "new+adapter of new")
    assert [one.model.label for one in card.models] == ["old", "new"]
    assert card.models[0].comparisons == ()
    together = answered(3.0, old=0, new=12)
    assert card.models[1].comparisons == together.models[1].comparisons
    assert card.models[1].by_type == together.models[1].by_type
    assert card.models[1].regressions
    assert card.created == 2.0


def test_models_of_one_name_are_told_apart(answered: Callable[..., ReportCard]) -> None:
    card = answered(1.0, same=0)
    remade = _trained(card.models[0].model_copy(update={"model": card.models[0].model.model_copy()}))
    stamp = remade.model.model_copy(update={"sha256": "f" * 64})  # type: ignore[attr-defined]
    other = card.model_copy(update={"models": (remade.model_copy(update={"model": stamp}),)})  # type: ignore[attr-defined]
    found = card_between(card, "same+adapter of same", other, f"{'f' * 64}+adapter of same")
    assert [one.model.label for one in found.models] == ["same same", "same ffffff"]


def test_what_cannot_be_compared_is_told(answered: Callable[..., ReportCard]) -> None:
    card = answered(1.0, old=0)
    with pytest.raises(EvaluationError, match="not asked the same turns"):
        card_between(card, "old+adapter of old", card.model_copy(update={"turns": card.turns[1:]}), "")
    with pytest.raises(EvaluationError, match="no such model"):
        card_between(card, "old+adapter of old", card, "gone")


# -- the reports of a workspace


@pytest.fixture
def folder(empty_workspace: Workspace) -> Callable[..., Path]:
    """A measurement's folder as its worker leaves it."""

    def make(name: str, card: ReportCard | None = None, status: Status = "done", kind: str = EVALUATION_KIND) -> Path:
        place = empty_workspace.jobs_dir / name
        save_state(place if place.is_dir() else _made(place), JobState(kind=kind, status=status))
        if card:
            atomic_write(place / REPORT_FILE, card.model_dump_json())
        return place

    return make


def _made(place: Path) -> Path:
    place.mkdir(parents=True)
    return place


def test_the_history_of_a_workspace_marks_a_version_that_became_worse(
    empty_workspace: Workspace, folder: Callable[..., Path], answered: Callable[..., ReportCard]
) -> None:
    for number, (name, lost) in enumerate({"first": 23, "second": 0, "third": 12, "fourth": 12}.items()):
        folder(f"evaluate-{name}", answered(float(number), **{name: lost}))
    atomic_write(_made(empty_workspace.jobs_dir / "evaluate-torn") / REPORT_FILE, "{")
    (found,) = read_history(empty_workspace)
    tones = [change_of(empty_workspace, found, one).tone for one in found.versions]
    assert tones == ["alone", "better", "worse", "same"]
    third = found.versions[2]
    assert find_version([found], third.id) == third
    card = compare_versions(empty_workspace, found.versions[1], third)
    assert {one.name for one in card.models[1].regressions} >= {"turn_right"}
    with pytest.raises(EvaluationError):
        find_version([found], "gone")


def test_the_runs_of_a_workspace_say_what_went_on_from_what(empty_workspace: Workspace) -> None:
    runs = {"first": {"adapter_sha256": "a"}, "second": {"adapter_sha256": "b", "parent_adapter_sha256": "a"}}
    for name, said in runs.items():
        atomic_write(empty_workspace.checkpoints_dir / name / "adapter" / "provenance.json", json.dumps(said))
    atomic_write(empty_workspace.checkpoints_dir / "torn" / "adapter" / "provenance.json", "{")
    assert known_parents(empty_workspace) == {"b": "a"}


def test_a_measurement_is_deleted_whole(empty_workspace: Workspace, folder: Callable[..., Path]) -> None:
    gone, kept = folder("evaluate-1"), folder("benchmark-1", kind=BENCHMARK_KIND)
    delete_measurement(empty_workspace, "evaluate-1")
    assert not gone.exists()
    assert kept.exists()
    assert [one.name for one in empty_workspace.state_dir.iterdir()] == ["jobs"]
    delete_measurement(empty_workspace, "benchmark-1")
    assert not kept.exists()


@pytest.mark.parametrize("name", ["evaluate-9", "", ".", "..", "../jobs", "convert-1", "../../data"])
def test_nothing_but_a_measurement_is_deleted(
    empty_workspace: Workspace, folder: Callable[..., Path], name: str
) -> None:
    make_campaign(empty_workspace.root)
    folder("convert-1", kind="convert")
    before = sorted(empty_workspace.root.rglob("*"))
    with pytest.raises(StudioError):
        delete_measurement(empty_workspace, name)
    assert sorted(empty_workspace.root.rglob("*")) == before


def test_what_is_at_work_is_not_deleted(empty_workspace: Workspace, folder: Callable[..., Path]) -> None:
    place = folder("evaluate-1", status="queued")
    with pytest.raises(EvaluationError, match="still at work"):
        delete_measurement(empty_workspace, "evaluate-1")
    folder("evaluate-1", status="done")
    lock = acquire_lock(place)
    with pytest.raises(JobError):
        delete_measurement(empty_workspace, "evaluate-1")
    assert lock
    assert place.exists()


def test_a_real_evaluation_and_one_of_another_model_are_one_history(
    evaluated: ReportCard, campaign: Workspace, empty_workspace: Workspace, vocabulary: Vocabulary
) -> None:
    """SmolLM2's own turns against the authors': the base model is the first version, what was trained from it next."""
    assert evaluated.models[0].model.quantization == "Q4_1"
    assert evaluated.models[0].model.made > 0
    texts = [turn.authored for turn in evaluated.turns]
    better = evaluated.models[0].model_copy(
        update={"verdicts": _verdicts(campaign, vocabulary, texts), "model": _stamp(evaluated)}
    )
    tuned = evaluated.model_copy(update={"created": 1.0, "models": (better,)})
    for name, card in (("evaluate-base", evaluated), ("evaluate-tuned", tuned)):
        atomic_write(_made(empty_workspace.jobs_dir / name) / REPORT_FILE, card.model_dump_json())
    (found,) = read_history(empty_workspace)
    assert [(one.model.label, one.model.is_base) for one in found.versions] == [
        ("smollm2-135m-instruct", True),
        ("tuned", False),
    ]
    assert change_of(empty_workspace, found, found.versions[1]).tone == "better"
    assert [name for name, _ in sorted(read_reports(empty_workspace))] == ["evaluate-base", "evaluate-tuned"]


def _stamp(card: ReportCard) -> ModelStamp:
    origin = {BASE_NAME: "smollm2-135m-instruct", ADAPTER: "tuned", PARENT_ADAPTER: "", RUN: "tuned"}
    return card.models[0].model.model_copy(
        update={"label": "tuned", "file": "tuned.gguf", "sha256": "tuned", "parents": origin}
    )


def _verdicts(campaign: Workspace, vocabulary: Vocabulary, texts: list[str]) -> tuple[object, ...]:
    from studio.metrics import judge_turn, scenario_cases
    from studio.scenarios import MarkdownParser

    parser = MarkdownParser(vocabulary)
    scenarios = [parser.parse_scenario(path) for path in sorted(campaign.validation_dir.glob("*.md"))]
    cases = scenario_cases(scenarios, vocabulary)
    return tuple(judge_turn(case, text, vocabulary) for case, text in zip(cases, texts, strict=True))


def test_a_version_has_an_address_of_its_own_which_stays_when_it_is_measured_again() -> None:
    versions = [Version("evaluate-1", model(name), asked, 1, 1.0, 1.0) for name in "ab" for asked in "xy"]
    assert len({one.id for one in versions}) == 4
    assert Version("evaluate-2", model("a"), "x", 9, 2.0, 1.0).id == versions[0].id
