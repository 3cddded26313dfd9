"""The list is right after every kind of change, with or without what it remembers, and search finds by any words."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.scenarios.library import ScenarioLibrary
from studio.scenarios.library.entries import read_title
from studio.scenarios.library.names import free_name, tidy_name
from studio.workspace import safe_name


def titled(title: str) -> str:
    return f"---\ntitle: {title}\n---\n\n<User>x</User>\n"


@pytest.mark.parametrize(
    ("head", "title"),
    [
        ("---\ntitle: The Felled Alder\n---\n", "The Felled Alder"),
        ("\ufeff---\r\ntags: []\r\ntitle:  Crossing \r\n---\r\n", "Crossing"),
        ('---\ntitle: "Who: a question" # why\n---\n', "Who: a question"),
        ("---\ntitle: The Guest's Cup\n---\n", "The Guest's Cup"),
        ("---\ntitle: 'It''s late'\n---\n", "It's late"),
        ("---\ntitle: 42\n---\n", "42"),
        ("---\ntitle: [a, b]\n---\n", ""),
        ("---\ntitle: >\n  folded\n---\n", ""),
        ("---\ntags: []\n---\ntitle: not mine\n", ""),
        ("title: no front matter\n", ""),
        ("---\ntitle: cut off here", "cut off here"),
        ("", ""),
    ],
)
def test_titles_are_read_from_the_front_matter(head: str, title: str) -> None:
    assert read_title(head) == title


@given(head=st.text(alphabet="-titl:e '\"&*[{>|#\n\r\ufeff", max_size=60))
def test_reading_a_title_never_raises(head: str) -> None:
    assert "\n" not in read_title(head) + read_title(f"---\ntitle: {head}")


def test_the_list_follows_every_change(library: ScenarioLibrary) -> None:
    library.create("combat", "b", titled("First"))
    library.create("combat", "A", titled("Second"))
    library.create("roleplay", "c")
    for look in (library, ScenarioLibrary(library.workspace), library):
        assert [(one.id, one.title) for one in look.entries()] == [
            ("combat/A", "Second"),
            ("combat/b", "First"),
            ("roleplay/c", ""),
        ]
    library.path("combat/b").write_text(titled("Third"))
    assert [one.title for one in library.entries("combat")] == ["Second", "Third"]
    library.path("combat/A").unlink()
    assert [one.title for one in ScenarioLibrary(library.workspace).entries()] == ["Third", ""]
    assert library.counts() == {"combat": 1, "roleplay": 1, "exploration": 0, "mixed": 0}
    (entry, _) = library.entries()
    assert (entry.type, entry.name, entry.size) == ("combat", "b", len(titled("Third")))
    assert entry.modified.timestamp() == pytest.approx(library.path("combat/b").stat().st_mtime)


def test_a_text_of_the_same_size_and_time_is_still_seen(library: ScenarioLibrary) -> None:
    library.create("combat", "a", titled("First"))
    library.entries()
    path = library.path("combat/a")
    stat = path.stat()
    path.write_text(titled("Other"))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert library.entries()[0].title == "Other"


def test_what_is_remembered_is_used_and_may_be_damaged(library: ScenarioLibrary) -> None:
    library.create("combat", "a", titled("First"))
    library.entries()
    index = library.workspace.state_dir / "library" / "index.json"
    index.write_text(index.read_text().replace("First", "Remembered"))
    assert ScenarioLibrary(library.workspace).entries()[0].title == "Remembered"
    for damage in ("", "[]", '{"version": 1, "files": [[1]]}', '{"version": 9}', '{"version": 1, "files": 3}'):
        index.write_text(damage)
        assert ScenarioLibrary(library.workspace).entries()[0].title == "First"


def test_files_that_cannot_be_listed_are_named_with_a_reason(library: ScenarioLibrary, tmp_path: Path) -> None:
    folder = library.workspace.scenarios_dir
    library.create("combat", "good")
    for name in (
        "stray.md",
        "combat/deep/a.md",
        "homebrew/b.md",
        "combat/c.MD",
        "combat/d.markdown",
        "combat/.hidden.md",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    (folder / "combat" / "link.md").symlink_to(folder / "stray.md")
    Path(os.fsdecode(os.fsencode(folder) + b"/combat/\xff.md")).write_text("x")
    assert [one.id for one in library.entries()] == ["combat/good"]
    strays = {one.path: one.reason for one in library.strays()}
    assert set(strays) == {
        "stray.md",
        "combat/deep/a.md",
        "homebrew/b.md",
        "combat/c.MD",
        "combat/d.markdown",
        "combat/link.md",
        "combat/?.md",
    }
    assert all(strays.values())


def test_a_file_with_an_unusual_name_can_be_opened_saved_and_renamed(library: ScenarioLibrary) -> None:
    path = library.workspace.scenarios_dir / "combat" / "Dragon's Lair (part 2)!.md"
    path.parent.mkdir(parents=True)
    path.write_text("x")
    (entry,) = library.entries()
    library.save(entry.id, "y", library.read(entry.id).revision)
    assert library.duplicate(entry.id).id == "combat/Dragon-s Lair -part 2- copy"
    assert library.rename(entry.id, "Lair").text == "y"


def test_search_finds_names_titles_mistakes_and_text_in_that_order(library: ScenarioLibrary) -> None:
    library.create("combat", "tavern-brawl", titled("A Fight"))
    library.create("mixed", "z", titled("The Tavern at Night"))
    library.create("mixed", "y", "<User>Is there a\r\n  TAVERN in Ünderhill?</User>")
    library.create("mixed", "x", "nothing")
    assert [(one.entry.id, one.where) for one in library.search("tavern")] == [
        ("combat/tavern-brawl", "name"),
        ("mixed/z", "title"),
        ("mixed/y", "text"),
    ]
    assert [one.entry.id for one in library.search("tavren brawl")] == ["combat/tavern-brawl"]
    (hit,) = library.search("a tavern in ünder")
    assert (hit.entry.id, hit.line) == ("mixed/y", 1)
    assert "TAVERN" in hit.excerpt
    assert list(library.search("  ")) == []
    assert list(library.search("(.*[")) == []
    assert [one.entry.id for one in library.search("tavern", scenario_type="mixed", limit=1)] == ["mixed/z"]


@given(written=st.text(max_size=300))
def test_a_tidied_name_is_always_a_safe_name(written: str) -> None:
    assert safe_name(tidy_name(written)) == tidy_name(written)


@given(
    taken=st.lists(st.sampled_from(["a", "A", "a 2", "A 3", "a 9"])),
    wanted=st.sampled_from(["a", "a 2", "b", "x" * 115]),
)
def test_a_free_name_is_not_taken_in_any_case(taken: list[str], wanted: str) -> None:
    name = free_name(wanted, taken)
    assert name.casefold() not in {one.casefold() for one in taken}
    assert safe_name(name) == name
