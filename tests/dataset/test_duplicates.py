"""Scenarios that are nearly the same, and words that stand on both sides of the split."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from studio.bases import BaseModel
from studio.dataset import SPLITS, ProcessedDataset, TrainingDataProcessor
from studio.dataset.duplicates import near_duplicates
from studio.dataset.leakage import check_leakage
from studio.dataset.wordprints import CERTAIN_WORDS, RUN_WORDS, run_prints, signature, words_of
from studio.workspace import Workspace
from tests.dataset.stories import prose, story, write_stories


def text(seed: object, words: int = 200) -> list[str]:
    return words_of(prose(random.Random(str(seed)), words))


def process(workspace: Workspace, base: BaseModel, folder: Path, fraction: float = 0.3) -> ProcessedDataset:
    return TrainingDataProcessor(workspace, base, 1024, validation_fraction=fraction).process_scenarios(folder)


def test_changed_copies_are_grouped_and_strangers_are_not() -> None:
    rng = random.Random(1)
    texts = []
    for number in range(60):
        words = text(number)
        copy = list(words)
        copy[rng.randrange(len(copy))] = "changed"
        texts += [words, copy]
    groups = near_duplicates(np.stack([signature(words) for words in texts]))
    assert groups == [[number, number + 1] for number in range(0, 120, 2)]


def test_half_the_words_in_common_are_no_near_duplicate() -> None:
    shared = text("shared", 100)
    signatures = np.stack([signature(shared + text(number, 100)) for number in range(40)])
    assert near_duplicates(signatures) == [[number] for number in range(40)]


def test_thousands_of_the_same_are_one_group() -> None:
    same = np.stack([signature(text("one"))] * 5000)
    assert near_duplicates(same) == [list(range(5000))]


def test_relatives_belong_together_whatever_they_say() -> None:
    signatures = np.stack([signature(text(number)) for number in range(5)])
    assert near_duplicates(signatures, ["", "a.md", "", "a.md", "b.md"]) == [[0], [1, 3], [2], [4]]


def test_the_signature_is_the_same_on_every_machine() -> None:
    values = signature(words_of("The old guard hides the wet lantern behind the market, and a widow mends it."))
    assert values[:3].tolist() == [362560734, 491593852, 101060991]


@pytest.mark.parametrize("seed", range(30))
def test_a_shared_run_of_certain_length_is_always_found(seed: int) -> None:
    shared = text(f"shared {seed}", CERTAIN_WORDS)
    one, other = ((text(f"{seed} {side}", 90 + seed)) for side in "ab")
    prints = [run_prints(words[:40] + shared + words[40:]) for words in (one, other)]
    assert np.intersect1d(*prints).size
    assert not np.intersect1d(run_prints(one), run_prints(other)).size


def test_texts_shorter_than_a_run_share_nothing() -> None:
    short = words_of("one two three")
    report = check_leakage([("a", run_prints(short))], [("b", run_prints(short))], lambda name: "")
    assert report is not None
    assert report.leaking_scenarios == report.shared_runs == 0
    assert check_leakage([], [("b", run_prints(short))], lambda name: "") is None


def test_a_planted_leak_is_found_with_its_words(workspace: Workspace, smollm2: BaseModel) -> None:
    folder = write_stories(workspace.scenarios_dir, 30)
    clean = process(workspace, smollm2, folder).manifest.leakage
    assert clean is not None
    assert clean.held_out_scenarios > 3
    assert clean.leaking_scenarios == clean.shared_runs == 0
    dataset = process(workspace, smollm2, folder)
    kept, trained = (next(dataset.rows(split)).source for split in ("validation", "train"))
    planted = prose(random.Random("leak"), CERTAIN_WORDS)
    for name in (kept, trained):
        path = folder / name
        path.write_text(path.read_text().replace("</DM>\n", f"{planted}</DM>\n", 1))
    found = process(workspace, smollm2, folder).manifest.leakage
    assert found is not None
    assert (found.leaking_scenarios, found.held_out_scenarios) == (1, clean.held_out_scenarios)
    (pair,) = found.pairs
    assert (pair.held_out, pair.train) == (kept, trained)
    assert pair.example in " ".join(words_of(planted))
    assert len(pair.example.split()) == RUN_WORDS


def test_a_stock_phrase_is_counted_and_makes_no_pairs() -> None:
    phrase = run_prints(text("phrase", 30))
    held_out = [(f"held {number}", phrase) for number in range(40)]
    report = check_leakage(held_out, [(f"train {number}", phrase) for number in range(40)], lambda name: "")
    assert report is not None
    assert report.leaking_scenarios == 40
    assert report.shared_runs == len(phrase)
    assert report.pairs == []


def test_exact_and_near_duplicates_are_reported_and_stay_together(workspace: Workspace, smollm2: BaseModel) -> None:
    folder = write_stories(workspace.scenarios_dir, 12)
    for number in range(12):
        original = (folder / "combat" / f"story-{number:03}.md").read_text()
        (folder / "combat" / f"story-{number:03}-again.md").write_text(original)
        (folder / "combat" / f"story-{number:03}-longer.md").write_text(story(number, extra="The end, for now."))
    dataset = process(workspace, smollm2, folder)
    sides = {row.source: split for split in SPLITS for row in dataset.rows(split)}
    kinds = {row.source: row.kind for row in dataset.manifest.report}
    assert set(sides.values()) == {"train", "validation"}
    for number in range(12):
        name = f"combat/story-{number:03}"
        same = {f"{name}.md", f"{name}-again.md"}
        assert sides[f"{name}-longer.md"] == sides[next(iter(same & set(sides)))]
        assert kinds[f"{name}-longer.md"] == "near duplicate"
        assert [kinds.get(one) for one in sorted(same - set(sides))] == ["duplicate"]


def test_an_augmented_scenario_stays_with_its_parent(workspace: Workspace, smollm2: BaseModel) -> None:
    folder = write_stories(workspace.scenarios_dir, 12)
    for number in range(12):
        origin = f'augmentation: {{"parent": "combat/story-{number:03}.md", "operations": ["names"], "seed": 1}}'
        product = f"---\n{origin}\n---\n{story(f'product {number}')}"
        (folder / "combat" / f"story-{number:03}-product.md").write_text(product)
    dataset = process(workspace, smollm2, folder)
    sides = {row.source: split for split in SPLITS for row in dataset.rows(split)}
    assert set(sides.values()) == {"train", "validation"}
    assert all(sides[f"combat/story-{n:03}.md"] == sides[f"combat/story-{n:03}-product.md"] for n in range(12))
