"""Uploads come in as scenarios or are skipped for a stated reason; nothing gets out of the scenarios folder."""

import io
import stat
import struct
import warnings
import zipfile
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.scenarios.library import (
    ImportLimits,
    ImportReport,
    ScenarioLibrary,
    ScenarioMissingError,
    Upload,
    count_examples,
    export_zip,
    import_examples,
    import_files,
)
from studio.scenarios.library.archive import is_safe_path
from studio.workspace import PROJECT_ROOT, Workspace

TEXT = b"<User>Hello</User>\n\n<DM>Good evening.</DM>\n"


def packed(*members: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # names that stand twice are what a test wants
        for name, content in members:
            archive.writestr(name, content)
    return stream.getvalue()


def imported(library: ScenarioLibrary, data: bytes, **options: object) -> ImportReport:
    return import_files(library, [Upload(name="pack.zip", content=data)], **options)  # type: ignore[arg-type]


def outcomes(report: ImportReport) -> list[tuple[str, str | None]]:
    return [(one.outcome, one.scenario_id) for one in report.files]


def test_a_single_file_goes_where_its_front_matter_says(library: ScenarioLibrary) -> None:
    content = b"\xef\xbb\xbf---\r\nscenario_type: roleplay\r\n---\r\n" + TEXT
    report = import_files(library, [Upload(name="C:\\Users\\me\\The Inn (old).md", content=content)])
    assert outcomes(report) == [("created", "roleplay/The Inn -old")]
    assert library.path("roleplay/The Inn -old").read_bytes() == content


def test_folders_of_a_zip_are_types(library: ScenarioLibrary) -> None:
    data = packed(
        ("my campaign/Combat/old/a.md", TEXT),
        ("exploration/b.markdown", TEXT),
        ("c.md", TEXT),
        ("combat/roleplay/d.md", TEXT),
    )
    report = imported(library, data, default_type="mixed")
    assert [one.scenario_id for one in report.files] == ["combat/a", "exploration/b", "mixed/c", "roleplay/d"]


@pytest.mark.parametrize(
    "name",
    ["../a.md", "combat/../../a.md", "/etc/a.md", "\\a.md", "..\\a.md", "C:\\a.md", "C:a.md", "combat//a.md", "./a.md"],
)
def test_names_that_lead_elsewhere_are_skipped(library: ScenarioLibrary, name: str) -> None:
    report = imported(library, packed((name, TEXT), ("combat/good.md", TEXT)))
    assert outcomes(report) == [("skipped", None), ("created", "combat/good")]
    assert len(list(library.workspace.root.parent.rglob("*.md"))) == 1


def test_links_and_devices_are_skipped(library: ScenarioLibrary) -> None:
    members = []
    for number, kind in enumerate((stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR)):
        info = zipfile.ZipInfo(f"combat/{number}.md")
        info.create_system, info.external_attr = 3, (kind | 0o777) << 16
        members.append((info, b"/etc/passwd"))
    assert outcomes(imported(library, packed(*members))) == [("skipped", None)] * 3
    assert library.entries() == []


def test_a_bomb_that_tells_its_size_is_not_unpacked(library: ScenarioLibrary) -> None:
    report = imported(library, packed(("combat/a.md", b"\n" * 50_000_000)))
    assert outcomes(report) == [("skipped", None)]
    assert "larger" in report.files[0].reason


def test_a_bomb_that_lies_about_its_size_is_cut_off(library: ScenarioLibrary) -> None:
    data = bytearray(packed(("combat/a.md", b"\n" * 50_000_000)))
    for mark, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", data, data.index(mark) + offset, 10)
    report = imported(library, bytes(data))
    assert outcomes(report) == [("skipped", None)]
    assert library.entries() == []


def test_all_files_together_are_bounded_by_what_they_really_unpack_to(library: ScenarioLibrary) -> None:
    data = packed(*((f"combat/{number}.md", b"x" * 900) for number in range(10)))
    report = imported(library, data, limits=ImportLimits(total_bytes=2000))
    assert [one.outcome for one in report.files].count("created") == 2
    assert len(library.entries()) == 2


def test_too_many_files_are_refused_as_a_whole(library: ScenarioLibrary) -> None:
    data = packed(*((f"combat/{number}.md", b"") for number in range(30)))
    report = imported(library, data, limits=ImportLimits(members=20))
    assert outcomes(report) == [("skipped", None)]
    assert report.files[0].source == "pack.zip"


def test_a_name_that_stands_twice_is_taken_once(library: ScenarioLibrary) -> None:
    report = imported(library, packed(("combat/a.md", b"1"), ("combat/a.md", b"2"), ("x/COMBAT/A.md", b"3")))
    assert sorted(one.outcome for one in report.files) == ["created", "skipped", "skipped"]
    assert library.read("combat/a").text == "1"


@pytest.mark.parametrize(
    "content",
    [b"\xff\xfeh\x00i\x00", b"caf\xe9\n", b"a\0b", b"\xed\xa0\x80"],
    ids=["utf-16", "latin-1", "nul", "surrogate"],
)
def test_content_that_is_not_utf8_text_is_skipped_with_a_reason(library: ScenarioLibrary, content: bytes) -> None:
    report = imported(library, packed(("combat/a.md", content)))
    assert outcomes(report) == [("skipped", None)]
    assert report.files[0].reason


def test_other_files_hidden_files_and_damaged_members_are_skipped_each_with_a_reason(library: ScenarioLibrary) -> None:
    data = packed(
        ("__MACOSX/combat/._a.md", TEXT),
        ("combat/.hidden.md", TEXT),
        ("combat/picture.png", b"\x89PNG"),
        ("inner.zip", packed(("a.md", TEXT))),
        ("combat/damaged.md", b"damage me, please"),
        ("combat/good.md", TEXT),
        method=zipfile.ZIP_STORED,
    ).replace(b"damage me", b"damaged !", 1)
    report = imported(library, data)
    assert [one.outcome for one in report.files if one.source.endswith("good.md")] == ["created"]
    assert all(one.reason for one in report.files if one.outcome == "skipped")
    assert report.count("skipped") == 5


def test_encrypted_and_oddly_compressed_members_are_skipped(library: ScenarioLibrary) -> None:
    data = bytearray(packed(("combat/a.md", TEXT)))
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + offset] |= 1
    assert "encrypted" in imported(library, bytes(data)).files[0].reason
    for method in (zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2):
        assert "unusual" in imported(library, packed(("combat/a.md", TEXT), method=method)).files[0].reason


def test_a_utf8_name_without_its_flag_is_read_as_utf8(library: ScenarioLibrary) -> None:
    data = packed(("combat/Xx.md", TEXT)).replace(b"Xx.md", "é.md".encode())
    assert outcomes(imported(library, data)) == [("created", "combat/é")]


def test_names_with_nul_characters_are_skipped(library: ScenarioLibrary) -> None:
    for name in (b"\0x.md", b"x\0.md", b"Xx.m\0"):
        report = imported(library, packed(("combat/a.md", TEXT), ("Xx.md", TEXT)).replace(b"Xx.md", name))
        assert report.count("skipped") == 1
    assert [one.id for one in library.entries()] == ["combat/a"]


def test_a_name_that_is_flagged_utf8_and_is_not_is_told(library: ScenarioLibrary) -> None:
    data = packed(("combat/é.md", TEXT)).replace("é.md".encode(), b"\xff\xff.md")
    report = imported(library, data)
    assert report.count("skipped") == 1
    assert report.files[0].reason


def test_what_happens_to_a_taken_name_is_a_choice(library: ScenarioLibrary) -> None:
    library.create("combat", "Dragon", "old")
    data = packed(("combat/dragon.md", b"new"))
    assert outcomes(imported(library, data, clash="skip")) == [("skipped", "combat/Dragon")]
    assert outcomes(imported(library, data, clash="rename")) == [("created", "combat/dragon 2")]
    assert outcomes(imported(library, data, clash="replace")) == [("replaced", "combat/Dragon")]
    assert outcomes(imported(library, data, clash="replace")) == [("same", "combat/Dragon")]
    assert [library.read_version("combat/Dragon", one.revision) for one in library.versions("combat/Dragon")] == [
        "new",
        "old",
    ]


@given(data=st.binary(max_size=200), prefix=st.sampled_from([b"", b"PK\x03\x04", packed(("combat/a.md", TEXT))]))
@settings(max_examples=150, deadline=None)
def test_garbage_is_reported_and_never_raises(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, prefix: bytes
) -> None:
    library = ScenarioLibrary(Workspace(tmp_path_factory.mktemp("garbage")))
    report = imported(library, prefix + data)
    assert all(one.reason or one.outcome == "created" for one in report.files)


@given(
    name=st.one_of(st.text(max_size=30), st.text(alphabet="./\\:a\0", max_size=12)),
    position=st.integers(0, 400),
    byte=st.binary(min_size=1, max_size=1),
)
@settings(max_examples=150, deadline=None)
def test_hostile_names_and_flipped_bytes_write_nothing_elsewhere(
    tmp_path_factory: pytest.TempPathFactory, name: str, position: int, byte: bytes
) -> None:
    top = tmp_path_factory.mktemp("hostile")
    library = ScenarioLibrary(Workspace(top / "campaign"))
    try:
        data = bytearray(packed((name + ".md", TEXT), ("combat/b.md", TEXT)))
    except (UnicodeEncodeError, IndexError):  # zipfile itself will not write such a name
        return
    data[position % len(data)] = byte[0]
    imported(library, bytes(data))
    files = [one.relative_to(top) for one in top.rglob("*.md")]
    assert all(one.parts[:3] == ("campaign", "data", "scenarios") and len(one.parts) == 5 for one in files)


@given(name=st.text(alphabet="./\\:ab\0", max_size=10))
def test_a_safe_path_never_leaves_any_folder(name: str) -> None:
    if is_safe_path(name):
        assert ".." not in name.replace("\\", "/").split("/")
        assert name[0] not in "/\\"


def test_an_export_is_the_same_every_time_and_comes_back_as_it_was(library: ScenarioLibrary) -> None:
    texts = {"combat/a": "\ufeffA\r\n", "combat/b é": "B", "mixed/a": "---\nscenario_type: combat\n---\n"}
    for scenario_id, text in texts.items():
        library.create(*scenario_id.split("/"), text)
    data = export_zip(library)
    again = ScenarioLibrary(Workspace(library.workspace.root.parent / "other"))
    assert imported(again, data).count("created") == 3
    assert {one.id: again.read(one.id).text for one in again.entries()} == texts
    assert export_zip(again) == data
    assert zipfile.ZipFile(io.BytesIO(export_zip(library, ["mixed/a"]))).namelist() == ["mixed/a.md"]
    with pytest.raises(ScenarioMissingError):
        export_zip(library, ["mixed/none"])


def test_hundreds_of_files_come_in_under_several_locks(library: ScenarioLibrary) -> None:
    data = packed(*((f"combat/{number}.md", b"%d" % number) for number in range(450)))
    assert imported(library, data).count("created") == 450
    assert library.counts()["combat"] == 450
    assert zlib.crc32(export_zip(library)) == zlib.crc32(export_zip(library))


def test_an_empty_file_is_a_scenario_to_be_written(library: ScenarioLibrary) -> None:
    assert outcomes(imported(library, packed(("combat/a.md", b"")))) == [("created", "combat/a")]


def test_the_examples_of_the_studio_come_in_once_and_replace_nothing(library: ScenarioLibrary) -> None:
    library.create("combat", "tavern-brawl", "mine")
    number = count_examples(library)
    report = import_examples(library)
    assert (report.count("created"), report.count("skipped")) == (number - 1, 1)
    assert library.read("combat/tavern-brawl").text == "mine"
    assert import_examples(library).count("same") == number - 1


def test_the_studio_does_not_offer_its_own_workspace_what_lies_there() -> None:
    assert count_examples(ScenarioLibrary(Workspace(PROJECT_ROOT))) == 0
