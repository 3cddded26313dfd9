"""A GGUF file of any origin gives a report: what is wrong with it is named, and nothing in it harms who asks."""

from __future__ import annotations

import os
import random
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from gguf.constants import GGUFValueType

from benchmarks.spoilt_files import METADATA, TOKENS, TYPES, spoilt, texts, write_whole
from studio.bases import BaseModel
from studio.conversion.formats.gguf_header import read_header
from studio.conversion.formats.gguf_stream import TypedValue
from studio.conversion.inspection.template_worker import TemplateRequest, render_template
from studio.conversion.inspection.tokenizer import MERGES, SCORES, TOKEN_TYPES, tokenizer_faults
from studio.conversion.inspection.validation import Check, CheckName, GGUFReport, inspect_gguf, static_checks
from studio.errors import ConversionError

NAMES = ["structure", "metadata", "tokenizer", "chat_template", "runs"]
SPOILT, PLAYED = 1000, 12


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_whole(tmp_path_factory.mktemp("tiny") / "tiny.gguf")


def checked(path: Path) -> dict[CheckName, Check]:
    """What reading the file alone finds; no other process is started."""
    return {check.name: check for check in static_checks(read_header(path))}


def read_alone(path: Path) -> list[Check]:
    """The same for any bytes. A refusal of the header is a report of one failed check."""
    try:
        return static_checks(read_header(path))
    except ConversionError as error:
        return [Check(name="structure", passed=False, detail=str(error))]


def test_the_whole_file_is_valid_and_plays(tiny: Path) -> None:
    report = inspect_gguf(tiny)
    assert report.valid, report.checks
    assert [check.name for check in report.checks] == NAMES


def test_a_thousand_spoilt_files_give_a_report_each(tiny: Path, tmp_path: Path) -> None:
    whole, header_size = tiny.read_bytes(), read_header(tiny).header_size
    path = tmp_path / "spoilt.gguf"
    found = []
    for seed in range(SPOILT):
        path.write_bytes(spoilt(whole, header_size, seed))
        found.append(read_alone(path))
    refused = sum(not all(check.passed for check in checks) for checks in found)
    assert all(checks and all(check.detail for check in checks) for checks in found)
    assert refused > SPOILT / 2  # the others changed weights or names, which nobody can see


@pytest.mark.slow
def test_llama_cpp_takes_nobody_down_with_a_spoilt_file(tiny: Path, tmp_path: Path) -> None:
    """Files whose header can be believed: those are the ones that llama.cpp gets to see."""
    whole, header_size = tiny.read_bytes(), read_header(tiny).header_size
    paths: list[Path] = []
    for seed in range(SPOILT):
        path = tmp_path / f"{seed}.gguf"
        path.write_bytes(spoilt(whole, header_size, seed))
        if len(paths) < PLAYED and read_alone(path)[0].passed:
            paths.append(path)
        else:
            path.unlink()
    with ThreadPoolExecutor(2) as pool:
        reports = list(pool.map(partial(inspect_gguf, timeout=60), paths))
    assert len(reports) == PLAYED
    assert all([check.name for check in report.checks] == NAMES for report in reports)
    assert {report.check("runs").passed for report in reports} == {True, False}


def test_a_file_that_ends_anywhere_is_refused(tiny: Path, tmp_path: Path) -> None:
    whole, path = tiny.read_bytes(), tmp_path / "cut.gguf"
    for length in random.Random(1).sample(range(len(whole) - 31), 60):
        path.write_bytes(whole[:length])
        assert not read_alone(path)[0].passed, length


@pytest.mark.parametrize("extra", [32, 100, 5000])
def test_bytes_behind_the_last_tensor_are_told(tiny: Path, tmp_path: Path, extra: int) -> None:
    path = tmp_path / "longer.gguf"
    path.write_bytes(tiny.read_bytes() + bytes(extra))
    assert "belong to nothing" in checked(path)["structure"].detail


def test_a_hole_between_tensors_is_told(tiny: Path, tmp_path: Path) -> None:
    """The last tensor moved by one alignment, data included: whole, and llama.cpp would not look there."""
    header, data = read_header(tiny), tiny.read_bytes()
    last = header.tensors[-1]
    at = data.rindex(last.name.encode()) + len(last.name) + 4 + 8 * len(last.shape) + 4
    moved = data[:at] + (last.offset + 32).to_bytes(8, "little") + data[at + 8 :]
    start = header.data_offset + last.offset
    path = tmp_path / "hole.gguf"
    path.write_bytes(moved[:start] + bytes(32) + moved[start:])
    assert "hole" in checked(path)["structure"].detail


def test_an_alignment_of_another_type_is_told(tmp_path: Path) -> None:
    path = write_whole(tmp_path / "m.gguf", {"general.alignment": TypedValue(GGUFValueType.UINT64, 32)})
    assert "UINT32" in checked(path)["structure"].detail


def numbers(values: list[float], kind: GGUFValueType) -> TypedValue:
    return TypedValue(GGUFValueType.ARRAY, values, kind)


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("tokenizer.ggml.tokens", None, "no vocabulary"),
        ("tokenizer.ggml.tokens", numbers([1, 2], GGUFValueType.INT32), "no vocabulary"),
        ("tokenizer.ggml.tokens", texts(TOKENS[:-1]), "rows for 260 tokens"),
        ("tokenizer.ggml.tokens", texts([*TOKENS[:-1], TOKENS[5]]), "occur twice"),
        ("tokenizer.ggml.tokens", texts(["<|im_over|>" if one == "<|im_end|>" else one for one in TOKENS]), "lacks"),
        (TOKEN_TYPES, numbers(TYPES[1:], GGUFValueType.INT32), "260 items for 261"),
        (TOKEN_TYPES, numbers(TYPES, GGUFValueType.FLOAT32), "no list of INT32"),
        (SCORES, numbers([0.0] * 262, GGUFValueType.FLOAT32), "262 items for 261"),
        (SCORES, numbers([float("nan")] * 261, GGUFValueType.FLOAT32), "no numbers"),
        ("tokenizer.ggml.model", "llama", f"{SCORES} is missing"),
        ("tokenizer.ggml.eos_token_id", 261, "is 261, and there are 261 tokens"),
        ("tokenizer.ggml.bos_token_id", TypedValue(GGUFValueType.INT32, -1), "is -1"),
        ("tokenizer.ggml.eos_token_id", "2", "no whole number"),
        (MERGES, None, "missing"),
        (MERGES, texts(["t h", "x yz"]), "do not join"),
        (MERGES, texts(["th"]), "do not join"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_vocabulary_is_named(tmp_path: Path, key: str, value: object, told: str) -> None:
    path = write_whole(tmp_path / "m.gguf", {key: value})
    check = checked(path)["tokenizer"]
    assert not check.passed
    assert told in check.detail


def test_the_vocabularies_of_published_models_are_without_fault(smollm2: BaseModel, gemma3: BaseModel) -> None:
    for base in (smollm2, gemma3):
        assert base.gguf is not None
        assert list(tokenizer_faults(read_header(base.gguf))) == []
        assert all(check.passed for check in static_checks(read_header(base.gguf)))


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("general.architecture", "wizard", "none that llama.cpp knows"),
        ("llama.block_count", None, "llama.block_count is missing"),
        ("llama.block_count", 0, "not above zero"),
        ("general.type", "adapter", "laid over its base model"),
    ],
)
def test_what_llama_cpp_needs_to_know_and_does_not_is_named(tmp_path: Path, key: str, value: object, told: str) -> None:
    path = write_whole(tmp_path / "m.gguf", {key: value})
    assert told in checked(path)["metadata"].detail


BAD_TEMPLATES = {
    "{{ messages[0].__class__.__mro__[1].__subclasses__() }}": "unsafe",
    "{{ cycler.__init__.__globals__.os.system('touch /tmp/x') }}": "unsafe",
    "{% if %}": "fails",
    "{{ 1 / 0 }}": "fails",
    "Once upon a time": "leaves out",
    "{{ raise_exception('no') }}": "no",
}


@pytest.mark.parametrize("template", BAD_TEMPLATES)
def test_a_template_that_reaches_for_python_or_cannot_work_is_refused(template: str) -> None:
    with pytest.raises(ConversionError, match=BAD_TEMPLATES[template]):
        render_template(TemplateRequest(source=template))


@pytest.mark.parametrize(
    ("template", "patience", "told"),
    [
        ("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", 2.0, "too long"),
        ("{{ 'dragon' * 10**11 }}", 60.0, "memory"),
    ],
)
def test_a_template_without_end_or_measure_harms_its_worker_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, template: str, patience: float, told: str
) -> None:
    monkeypatch.setattr("studio.conversion.inspection.validation.TEMPLATE_SECONDS", patience)
    check = template_report(write_whole(tmp_path / "m.gguf", foreign(template))).check("chat_template")
    assert not check.passed
    assert told in check.detail


def foreign(template: str) -> dict[str, object]:
    """Metadata of a file that the studio did not make."""
    return {"studio.base.family": None, "tokenizer.chat_template": template}


def template_report(path: Path) -> GGUFReport:
    """llama.cpp is given no time: only the template is of interest."""
    return inspect_gguf(path, timeout=0.001)


TAKES_NO_SYSTEM = (
    "{% if messages[0].role == 'system' %}{{ raise_exception('No system messages') }}{% endif %}"
    "{{ bos_token }}{% for one in messages %}[{{ one.role }}] {{ one.content }}{% endfor %}"
)


def test_a_template_of_another_origin_that_works_is_accepted_and_not_compared(tmp_path: Path) -> None:
    path = write_whole(tmp_path / "m.gguf", foreign(TAKES_NO_SYSTEM))
    check = template_report(path).check("chat_template")
    assert check.passed, check
    assert "not compared" in check.detail


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"tokenizer.chat_template": None}, "missing"),
        ({"tokenizer.chat_template": METADATA["tokenizer.chat_template"] + " "}, "not the template"),  # type: ignore[operator]
        ({"studio.base.family": "wizard"}, "no chat template"),
        ({"tokenizer.chat_template": "x" * (1 << 21)}, "none needs"),
    ],
)  # fmt: skip
def test_a_template_that_is_not_the_one_of_training_is_told(
    tmp_path: Path, changes: dict[str, object], told: str
) -> None:
    check = template_report(write_whole(tmp_path / "m.gguf", changes)).check("chat_template")
    assert not check.passed
    assert told in check.detail


def test_a_pipe_under_the_name_of_a_model_keeps_nobody_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "m.gguf")
    assert "no file" in inspect_gguf(tmp_path / "m.gguf").check("structure").detail


def test_a_worker_that_is_not_done_in_time_is_told(tiny: Path) -> None:
    assert "too long" in inspect_gguf(tiny, timeout=0.001).check("runs").detail


def test_spoilt_weights_play_no_part_in_reading(tmp_path: Path, tiny: Path) -> None:
    header = read_header(tiny)
    data = np.fromfile(tiny, np.uint8)
    data[header.data_offset :] = 255
    (tmp_path / "m.gguf").write_bytes(data.tobytes())
    assert all(check.passed for check in checked(tmp_path / "m.gguf").values())
    assert "finite" in inspect_gguf(tmp_path / "m.gguf").check("runs").detail
