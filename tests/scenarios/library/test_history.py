"""The history keeps what was saved, within its bounds, and survives damage to its own files."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.scenarios.library import (
    HistoryLimits,
    ScenarioLibrary,
    ScenarioMissingError,
    unified_diff,
)
from studio.workspace import Workspace

from .conftest import ticking


def saved(library: ScenarioLibrary, texts: list[str]) -> str:
    made = library.create("combat", "a", texts[0])
    revision = made.revision
    for text in texts[1:]:
        revision = library.save(made.id, text, revision)
    return revision


def test_versions_come_newest_first_with_numbers_times_and_sizes(library: ScenarioLibrary) -> None:
    saved(library, ["a", "bb", "ccc"])
    versions = library.versions("combat/a")
    assert [(one.number, one.size, one.reason) for one in versions] == [
        (3, 3, "saved"),
        (2, 2, "saved"),
        (1, 1, "found"),
    ]
    assert sorted(one.saved_at for one in versions) == [one.saved_at for one in reversed(versions)]


def test_a_text_changed_outside_is_kept_too(library: ScenarioLibrary) -> None:
    saved(library, ["a", "b"])
    library.path("combat/a").write_text("outside")
    library.save("combat/a", "c", library.read("combat/a").revision)
    kept = [library.read_version("combat/a", one.revision) for one in library.versions("combat/a")]
    assert kept == ["c", "outside", "b", "a"]


def test_restoring_is_a_save_that_can_be_undone(library: ScenarioLibrary) -> None:
    revision = saved(library, ["a\r\n", "b"])
    first = library.versions("combat/a")[-1].revision
    restored = library.restore_version("combat/a", first, revision)
    assert library.read("combat/a").text == "a\r\n"
    assert [one.reason for one in library.versions("combat/a")] == ["restored", "saved", "found"]
    library.restore_version("combat/a", revision, restored)
    assert library.read("combat/a").text == "b"


def test_the_diff_shows_changed_lines_between_any_two(library: ScenarioLibrary) -> None:
    saved(library, ["one\ntwo\nthree\n", "one\n2\nthree\n", "one\r\n2\r\nthree\r\n"])
    third, second, first = (one.revision for one in library.versions("combat/a"))
    lines = library.diff("combat/a", first, second).splitlines()
    assert [line for line in lines if line[:3] not in ("---", "+++")][1:] == [" one", "-two", "+2", " three"]
    assert "line ends" in library.diff("combat/a", second, third)
    assert unified_diff("a", "a", "x", "y") == ""


def test_only_the_newest_versions_are_kept(tmp_path: Path) -> None:
    library = ScenarioLibrary(Workspace(tmp_path), limits=HistoryLimits(versions=5))
    saved(library, [str(number) for number in range(12)])
    assert [library.read_version("combat/a", one.revision) for one in library.versions("combat/a")] == list(
        map(str, range(11, 6, -1))
    )
    assert len(list((tmp_path / ".studio" / "history").rglob("*.z"))) == 5
    assert [one.number for one in library.versions("combat/a")] == [12, 11, 10, 9, 8]


def test_large_texts_push_out_old_ones_but_never_the_last_former_one(tmp_path: Path) -> None:
    noise = [bytes((7919 * seed * position) % 251 for position in range(4000)).hex() for seed in range(1, 6)]
    library = ScenarioLibrary(Workspace(tmp_path), limits=HistoryLimits(bytes=10))
    saved(library, noise)
    assert [library.read_version("combat/a", one.revision) for one in library.versions("combat/a")] == noise[:2:-1]


def test_a_damaged_log_is_rebuilt_from_the_texts(library: ScenarioLibrary) -> None:
    revision = saved(library, ["a", "b"])
    (log,) = (library.workspace.state_dir / "history").rglob("log.json")
    log.write_text("{not json")
    assert {library.read_version("combat/a", one.revision) for one in library.versions("combat/a")} == {"a", "b"}
    library.save("combat/a", "c", revision)
    assert {library.read_version("combat/a", one.revision) for one in library.versions("combat/a")} == {"a", "b", "c"}


def test_a_damaged_text_is_missing_and_never_wrong(library: ScenarioLibrary) -> None:
    saved(library, ["a", "b"])
    first = library.versions("combat/a")[-1].revision
    (text,) = (library.workspace.state_dir / "history").rglob(f"{first}.z")
    for content in (b"", b"garbage", text.with_name(library.versions("combat/a")[0].revision + ".z").read_bytes()):
        text.write_bytes(content)
        with pytest.raises(ScenarioMissingError):
            library.read_version("combat/a", first)


@given(texts=st.lists(st.text(max_size=5), min_size=1, max_size=8))
@settings(max_examples=30, deadline=None)
def test_every_distinct_text_in_a_row_of_saves_is_a_version(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    library = ScenarioLibrary(Workspace(tmp_path_factory.mktemp("history")), clock=ticking())
    saved(library, texts)
    expected = [text for position, text in enumerate(texts) if position == 0 or texts[position - 1] != text]
    kept = [library.read_version("combat/a", one.revision) for one in library.versions("combat/a")]
    assert kept == (expected[::-1] if len(expected) > 1 else [])
