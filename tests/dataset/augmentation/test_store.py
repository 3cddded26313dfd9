"""Review: products lie in a folder until somebody decides, and every decision survives."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from studio.dataset.augmentation import AugmentationPlan, AugmentationStore, Augmented, augment
from studio.errors import DatasetError, WorkspaceError
from studio.workspace import Workspace
from tests.dataset.augmentation.generated import shipped_texts

PLAN = AugmentationPlan(operations=("entity renaming", "re-rolled dice"))


@pytest.fixture
def store(tmp_path: Path) -> AugmentationStore:
    return AugmentationStore(Workspace(tmp_path))


def proposed(store: AugmentationStore, count: int = 2) -> list[Augmented]:
    texts = shipped_texts()[:count]
    made = list(augment(texts, PLAN, 7))
    store.propose((one, dict(texts)[one.parent]) for one in made)
    return made


def test_a_product_can_be_looked_at_and_accepted(store: AugmentationStore) -> None:
    first = proposed(store)[0]
    diff = store.diff(first.name)
    assert diff.startswith(f"--- {first.parent}\n+++ {first.name}\n")
    assert "+augmentation:" in diff
    assert store.accept(first.name).status == "accepted"
    again = AugmentationStore(Workspace(store.folder.parents[1]))
    assert [(one.name, text) for one, text in again.accepted()] == [(first.name, first.text)]
    assert (store.folder / "accepted" / first.name).read_text(encoding="utf-8") == first.text
    assert not (store.folder / "proposed" / first.name).exists()
    assert store.diff(first.name) == diff


def test_a_decision_holds_until_the_text_changes(store: AugmentationStore) -> None:
    first, second, *_ = proposed(store)
    store.reject(first.name)
    store.accept(second.name)
    proposed(store)
    states = {one.name: one.status for one in store.proposals()}
    assert (states[first.name], states[second.name]) == ("rejected", "accepted")
    other = Augmented(first.name, first.text + "\n", first.parent, first.operations, first.seed)
    assert [one.status for one in store.propose([(other, "parent")])] == ["proposed"]
    assert store.parent_text(first.name) == "parent"


def test_lists_are_by_status_and_name(store: AugmentationStore) -> None:
    made = proposed(store)
    store.accept(made[1].name)
    assert [one.name for one in store.proposals()] == sorted(one.name for one in made)
    assert [one.name for one in store.proposals("accepted")] == [made[1].name]
    assert len(store.proposals("proposed")) == len(made) - 1


def test_a_parent_that_changed_is_noticed(store: AugmentationStore) -> None:
    first = proposed(store)[0]
    text = dict(shipped_texts())[first.parent]
    assert store.proposals()[0].is_of(store.parent_text(store.proposals()[0].name))
    one = next(one for one in store.proposals() if one.name == first.name)
    assert one.is_of(text)
    assert not one.is_of(text + " ")


def test_a_product_that_was_edited_is_not_taken_for_the_reviewed_one(store: AugmentationStore) -> None:
    first = proposed(store)[0]
    store.accept(first.name)
    (store.folder / "accepted" / first.name).write_text("something else", encoding="utf-8")
    with pytest.raises(DatasetError, match="changed after"):
        list(store.accepted())


def test_an_unknown_name_and_a_broken_index_say_what_to_do(store: AugmentationStore) -> None:
    proposed(store)
    with pytest.raises(DatasetError) as raised:
        store.accept("nothing.md")
    assert raised.value.next_step
    (store.folder / "index.json").write_text("{", encoding="utf-8")
    with pytest.raises(DatasetError) as raised:
        store.proposals()
    assert raised.value.next_step


def test_a_name_cannot_leave_the_folder(store: AugmentationStore) -> None:
    with pytest.raises(WorkspaceError):
        store.propose([(Augmented("../../outside.md", "x", "p.md", ("party order",), 1), "p")])
    assert store.proposals() == []


def test_what_was_proposed_before_an_error_stays_proposed(store: AugmentationStore) -> None:
    good = Augmented("good.md", "text", "p.md", ("party order",), 1)
    with pytest.raises(WorkspaceError):
        store.propose([(good, "p"), (Augmented("../../bad.md", "x", "p.md", ("party order",), 1), "p")])
    assert [one.name for one in store.proposals()] == ["good.md"]
    assert store.text("good.md") == "text"


def test_a_copy_left_by_a_crash_changes_nothing(store: AugmentationStore) -> None:
    first = proposed(store)[0]
    left = store.folder / "accepted" / first.name
    left.parent.mkdir(parents=True, exist_ok=True)
    left.write_text(first.text, encoding="utf-8")  # written, and then the machine went off before the index
    assert list(store.accepted()) == []
    assert store.accept(first.name).status == "accepted"
    assert [text for _, text in store.accepted()] == [first.text]


def test_two_who_decide_at_once_lose_nothing(store: AugmentationStore) -> None:
    made = proposed(store)
    others = [AugmentationStore(Workspace(store.folder.parents[1])) for _ in made]
    threads = [threading.Thread(target=other.accept, args=(one.name,)) for other, one in zip(others, made, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.proposals("accepted")) == len(made)
