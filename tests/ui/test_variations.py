"""The review shows what changed, nothing else, and no word of a scenario as markup."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.dataset.augmentation import OPERATIONS, Proposal, Refused
from studio.ui.variations import (
    MOST_CHANGES,
    WORDINGS,
    changes,
    changes_html,
    filtered,
    operations_title,
    outcome_sentence,
    reach_sentence,
    refused_rows,
    titles,
)

LINES = st.lists(st.text(st.sampled_from("ab <>&\"'*|é"), max_size=30), max_size=8)


def proposal(name: str, parent: str = "combat/a.md", *operations: str, status: str = "proposed") -> Proposal:
    return Proposal(
        name=name, status=status, parent=parent, operations=operations or ("levels",), seed=1, sha256="",
        parent_sha256="",
    )  # fmt: skip


class Marked(HTMLParser):
    """The text of HTML, and that between del and ins tags."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.found: dict[str, str] = {"del": "", "ins": "", "all": ""}
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.found["all"] += data
        if self.open[-1] in self.found:
            self.found[self.open[-1]] += data


def test_every_operation_is_told_in_plain_words() -> None:
    assert list(WORDINGS) == list(OPERATIONS)
    assert all(one.title and one.sentence.endswith(".") for one in WORDINGS.values())


def test_only_the_changed_words_are_marked_and_their_line_is_named() -> None:
    (change,) = changes("One.\nSarah waves to Joss.", "One.\nMerrin waves to Joss.")
    assert change.line == 2
    assert change.parts == (("was", "Sarah"), ("now", "Merrin"), ("same", " waves to Joss."))
    marked = Marked(changes_html([change]))
    assert (marked.found["del"], marked.found["ins"]) == ("Sarah", "Merrin")


def test_long_stretches_that_stay_are_shortened_around_the_changes() -> None:
    words = "word " * 100
    (change,) = changes(f"{words}Sarah {words}Sarah {words}", f"{words}Merrin {words}Merrin {words}")
    kinds = [kind for kind, _ in change.parts]
    assert kinds == ["same", "was", "now", "same", "was", "now", "same"]
    assert all("…" in text and len(text) < 120 for kind, text in change.parts if kind == "same")


@given(LINES, LINES)
def test_what_goes_and_what_comes_are_in_the_texts_and_no_word_is_markup(old: list[str], new: list[str]) -> None:
    before, after = "\n".join(old), "\n".join(new)
    found = changes(before, after)
    assert (not found) == (before.splitlines() == after.splitlines())
    assert all(text in before for one in found for kind, text in one.parts if kind == "was")
    assert all(text in after for one in found for kind, text in one.parts if kind == "now")
    marked = Marked(changes_html(found))
    assert marked.tags <= {"div", "span", "p", "del", "ins"}
    assert marked.open == []
    assert marked.found["del"] == "".join(text for one in found for kind, text in one.parts if kind == "was")


@pytest.mark.parametrize("hostile", ["<img src=x onerror=alert(1)>", "</p></div><script>1</script>", "\udcff"])
def test_hostile_text_stays_text(hostile: str) -> None:
    html = changes_html(changes("fine", hostile))
    marked = Marked(html)
    assert marked.tags <= {"div", "span", "p", "del", "ins"}
    assert hostile.encode(errors="replace").decode() in marked.found["ins"]
    html.encode()


def test_a_great_many_changes_are_counted_instead_of_drawn() -> None:
    old = [f"a {number}" for number in range(MOST_CHANGES + 40)]
    html = changes_html(changes("\n".join(old), "\n".join(one.replace("a", "b") for one in old)))
    assert html.count('class="change"') == MOST_CHANGES
    assert "And 40 more changes." in html


def test_nothing_changed_says_so() -> None:
    assert "origin" in changes_html(changes("same", "same"))


def test_filters_go_together() -> None:
    found = [
        proposal("1", "combat/a.md", "levels"),
        proposal("2", "combat/b.md", "levels", status="accepted"),
        proposal("3", "combat/a.md", "no rolls", status="accepted"),
    ]
    assert [one.name for one in filtered(found, None, None, None)] == ["1", "2", "3"]
    assert [one.name for one in filtered(found, "accepted", None, "combat/a.md")] == ["3"]
    assert [one.name for one in filtered(found, None, "levels", "combat/b.md")] == ["2"]
    assert filtered(found, "rejected", None, None) == []


def test_copies_of_one_kind_are_numbered() -> None:
    named = titles([proposal("1"), proposal("2"), proposal("3", "combat/b.md")])
    assert named == {"1": "a · Other levels 1", "2": "a · Other levels 2", "3": "b · Other levels"}


def test_chosen_wordings_are_named_when_nothing_else_was_done() -> None:
    assert operations_title(("paraphrase slots",)) == "Other wordings"
    assert operations_title(("paraphrase slots", "levels", "no rolls")) == "Other levels, talk without dice"


def test_sentences_say_what_was_counted_and_what_is_an_estimate() -> None:
    assert reach_sentence(9, 11, 11) == "9 of 11"
    assert reach_sentence(60, 120, 2000) == "about 1,000 of 2,000"
    assert (
        outcome_sentence(5, 3, 2)
        == "3 new variations to look at. 2 were there already and keep their decision. 2 could not be made."
    )
    assert outcome_sentence(0, 0, 0) == "Nothing new came out."
    rows = refused_rows([Refused("combat/a.md", (), "Broken."), Refused("combat/a.md", ("levels",), "No.")])
    assert [row["Variation"] for row in rows] == ["All", "Other levels"]
