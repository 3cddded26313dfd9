"""Files of any size, encoding and brokenness give every record that is whole, and a reason for every other."""

from __future__ import annotations

import codecs
import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.dataset.exchange.streams import LARGEST, looks_like_json, read_lines, read_values
from studio.errors import DatasetError
from studio.workspace import PROJECT_ROOT

RECORD = {"messages": [{"role": "user", "content": 'a "{[ quote \\'}, {"role": "assistant", "content": "é"}]}


def written(folder: Path, content: bytes, name: str = "a.json") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def found(path: Path) -> list[tuple[int, bool]]:
    """Line, and whether the record is the one above."""
    return [(one.line, one.value == RECORD) for one in read_values(path)]


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (json.dumps([RECORD] * 3), [1, 1, 1]),
        (json.dumps([RECORD] * 2, indent=2), [2, 14]),
        (json.dumps(RECORD, indent=1), [1]),
        (f"{json.dumps(RECORD, indent=1)}\n{json.dumps(RECORD)}", [1, 13]),
        (f"[\n{json.dumps(RECORD)},\n{json.dumps(RECORD, ensure_ascii=False)}\n]", [2, 3]),
        (f"{json.dumps(RECORD)}\n\n{json.dumps(RECORD)}\n", [1, 3]),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_records_are_found_in_every_layout_and_encoding(
    tmp_path: Path, content: str, lines: list[int], encoding: str
) -> None:
    path = written(tmp_path, content.encode(encoding))
    assert looks_like_json(path)
    assert found(path) == [(line, True) for line in lines]


def test_a_packed_file_is_unpacked_and_a_torn_one_named(tmp_path: Path) -> None:
    packed = gzip.compress(json.dumps(RECORD).encode() + b"\n")
    assert found(written(tmp_path, packed, "a.jsonl.gz")) == [(1, True)]
    with pytest.raises(DatasetError, match=r"b\.jsonl\.gz"):
        found(written(tmp_path, packed[:-9], "b.jsonl.gz"))
    with pytest.raises(DatasetError, match="no such file"):
        found(tmp_path / "nowhere.json")


def test_a_broken_line_costs_only_itself(tmp_path: Path) -> None:
    good = json.dumps(RECORD).encode()
    path = written(tmp_path, b"\n".join([good, good[:-5], good, b'{"messages": "\x81\xff"}', b"[" * 9999, good]))
    values = list(read_values(path))
    assert [one.line for one in values if one.value == RECORD] == [1, 3, 6]
    assert all(one.problem for one in values if one.line in (2, 4, 5))


@pytest.mark.parametrize("indent", [None, 2])
def test_a_broken_element_of_an_array_costs_only_itself(tmp_path: Path, indent: int | None) -> None:
    elements = [json.dumps(RECORD, indent=indent) for _ in range(4)]
    elements[1] = elements[1].replace("]", "", 1).rstrip("}")
    body = ",\n".join(elements)
    values = list(read_values(written(tmp_path, f"[\n{body}\n]".encode())))
    assert sum(one.value == RECORD for one in values) == 3
    assert sum(bool(one.problem) for one in values) == 1


def test_lines_of_an_old_code_page_are_read_and_noted(tmp_path: Path) -> None:
    path = written(tmp_path, "caf\xe9\n".encode("cp1252") + "café\n".encode(), "a.txt")
    first, second = read_lines(path)
    assert (first.text, second.text) == ("café", "café")
    assert first.note
    assert not second.note


def test_a_record_that_is_too_large_is_passed_over(tmp_path: Path) -> None:
    good, huge = json.dumps(RECORD), json.dumps({"messages": "x" * LARGEST})
    for content in (f"{good}\n{huge}\n{good}\n", f"[\n{good},\n{huge},\n{good}]", f"[{good},{huge},{good}]"):
        values = list(read_values(written(tmp_path, content.encode())))
        assert [one.value == RECORD for one in values] == [True, False, True]
        assert "MiB" in values[1].problem


@pytest.mark.parametrize("text", ["[Sarah] I hide.", "DM: {hello}", "{a gesture} DM: go", "", "# Title", "<DM> Hi"])
def test_prose_is_not_taken_for_json(tmp_path: Path, text: str) -> None:
    assert not looks_like_json(written(tmp_path, text.encode(), "a.txt"))


@given(st.binary(max_size=300))
def test_no_bytes_raise_or_hang(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_bytes(content)
    list(read_values(path))
    list(read_lines(path))


NESTED = st.recursive(st.text(max_size=8) | st.booleans(), lambda inner: st.lists(inner, max_size=3), max_leaves=4)


@given(st.lists(st.dictionaries(st.text(max_size=5), NESTED, max_size=3), max_size=4), st.booleans())
def test_an_array_of_objects_is_split_as_a_json_reader_would(
    tmp_path_factory: pytest.TempPathFactory, objects: list[dict[str, object]], spread: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "array.json"
    path.write_text(json.dumps(objects, indent=1 if spread else None), encoding="utf-8")
    assert [one.value for one in read_values(path)] == objects


MEASURE = """
import resource, sys
from pathlib import Path
from studio.dataset.exchange.streams import read_values
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
count = sum(1 for one in read_values(Path(sys.argv[1])) if one.value)
print(count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.parametrize("separator", [",", ",\n", "\n"])
def test_a_hundred_megabytes_are_read_in_flat_memory(tmp_path: Path, separator: str) -> None:
    element = json.dumps({"messages": [{"role": "user", "content": "word " * 100_000}]})
    path, count = tmp_path / "large.json", 100_000_000 // len(element)
    with path.open("w") as stream:
        stream.write("[" if "," in separator else "")
        for number in range(count):
            stream.write((separator if number else "") + element)
        stream.write("]" if "," in separator else "")
    command = [sys.executable, "-c", MEASURE, str(path)]
    done = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=True)
    read, kilobytes = map(int, done.stdout.split())
    assert read == count
    assert kilobytes < 32 * 1024


def test_utf_16_lines_are_numbered(tmp_path: Path) -> None:
    path = written(tmp_path, codecs.BOM_UTF16_LE + "DM: é\r\n\r\nBob: ß".encode("utf-16-le"), "a.txt")
    assert [(one.number, one.text) for one in read_lines(path)] == [(1, "DM: é"), (2, ""), (3, "Bob: ß")]
