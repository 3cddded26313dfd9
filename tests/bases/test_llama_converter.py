"""llama.cpp's own converter: the pinned one and no other, and what it makes of a folder is the model of the folder."""

from __future__ import annotations

import importlib.metadata
import io
import json
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from studio.bases import BaseModel, find_base, import_folder
from studio.bases.convert_worker import BYTE, CONTROL, UNKNOWN, UNUSED, sentencepiece_vocabulary
from studio.bases.llama_converter import (
    PACKAGE,
    TREE_SHA256,
    VERSION,
    convert_folder,
    converter_folder,
    tree_digest,
    unpack_converter,
)
from studio.bases.progress import ImportProgress, ignore_progress
from studio.bases.same_tokens import check_same_tokens
from studio.conversion.formats.gguf_header import read_header
from studio.conversion.inspection.validation import inspect_gguf
from studio.errors import BaseModelError
from studio.workspace import PROJECT_ROOT, Workspace


@pytest.fixture(scope="module")
def converter() -> Path:
    return converter_folder(ignore_progress)


def test_the_converter_is_that_of_the_runtime(converter: Path) -> None:
    assert importlib.metadata.version(PACKAGE) == VERSION
    assert f"{PACKAGE}=={VERSION}" in (PROJECT_ROOT / "requirements.txt").read_text().splitlines()
    assert (converter / "convert_hf_to_gguf.py").is_file()


def test_a_converter_that_was_changed_is_noticed(converter: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(converter, tmp_path / "copy", ignore=shutil.ignore_patterns("__pycache__")))
    assert tree_digest(copy) == tree_digest(converter) == TREE_SHA256
    (copy / "conversion" / "more.py").write_text("import os")
    assert tree_digest(copy) != TREE_SHA256


def test_another_archive_than_the_pinned_one_is_refused_before_it_is_opened(tmp_path: Path) -> None:
    sdist = tmp_path / "llama_cpp_python.tar.gz"
    script = b"print('boo')"
    with tarfile.open(sdist, "w:gz") as archive:
        entry = tarfile.TarInfo(f"llama_cpp_python-{VERSION}/vendor/llama.cpp/convert_hf_to_gguf.py")
        entry.size = len(script)
        archive.addfile(entry, io.BytesIO(script))
    with pytest.raises(BaseModelError, match="checksum"):
        unpack_converter(sdist, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_sentencepiece_vocabulary_is_read_from_tokenizer_json(gemma3: BaseModel) -> None:
    """The published GGUF of the same model has it from the original file."""
    assert gemma3.gguf is not None
    tokenizer = json.loads((gemma3.hf / "tokenizer.json").read_text(encoding="utf-8"))
    published = read_header(gemma3.gguf).array("tokenizer.ggml.tokens")
    tokens, scores, types = sentencepiece_vocabulary(tokenizer, len(published))
    assert [one.replace("▁", " ") for one in tokens] == [str(one).replace("▁", " ") for one in published]
    assert {tokens[number] for number, kind in enumerate(types) if kind == UNKNOWN} == {"<unk>"}
    assert types.count(BYTE) == 256
    assert types[tokens.index("<bos>")] == CONTROL
    assert len(scores) == len(types) == len(tokens)


def test_rows_without_a_token_become_placeholders() -> None:
    tokenizer = {"model": {"vocab": {"a": 0, "b": 2, "ab": 3}, "merges": [["a", "b"]]}, "added_tokens": []}
    tokens, scores, types = sentencepiece_vocabulary(tokenizer, 5)
    assert tokens == ["a", "[PAD1]", "b", "ab", "[PAD4]"]
    assert scores[3] == 0 > scores[0]
    assert [number for number, kind in enumerate(types) if kind == UNUSED] == [1, 4]


@pytest.mark.slow
def test_a_folder_with_a_sentencepiece_vocabulary_becomes_a_valid_gguf(
    empty_workspace: Workspace, tiny_gemma3: BaseModel
) -> None:
    base = import_folder(empty_workspace, tiny_gemma3.hf, "mine", accept_licence=True, with_gguf=True)
    assert base.gguf
    report = inspect_gguf(base.gguf)
    assert report.valid, report.checks
    assert report.metadata["tokenizer.chat_template"] == base.template().source
    assert report.architecture == "gemma3"


def test_a_vocabulary_that_llama_cpp_splits_otherwise_is_refused(smollm2: BaseModel, gemma3: BaseModel) -> None:
    assert smollm2.gguf is not None
    check_same_tokens(smollm2.gguf, smollm2.hf / "tokenizer.json")
    with pytest.raises(BaseModelError, match="other tokens"):
        check_same_tokens(smollm2.gguf, gemma3.hf / "tokenizer.json")


class _StoppedError(Exception):
    pass


def test_a_conversion_that_is_stopped_leaves_nothing(converter: Path, tiny_llama: BaseModel, tmp_path: Path) -> None:
    target = tmp_path / "base.gguf"

    def report(step: ImportProgress) -> None:
        if step.stage == "convert":
            raise _StoppedError

    with pytest.raises(_StoppedError):
        convert_folder(tiny_llama.hf, target, "mine", report)
    assert converter.is_dir()
    assert list(tmp_path.iterdir()) == []


FULL = """
import resource, sys
from pathlib import Path
from studio.bases import import_folder
from studio.errors import BaseModelError
from studio.workspace import Workspace
resource.setrlimit(resource.RLIMIT_FSIZE, (4 << 20, 4 << 20))
try:
    import_folder(Workspace(Path(sys.argv[1])), Path(sys.argv[2]), "mine", with_gguf=True)
except BaseModelError as error:
    print(error)
else:
    raise SystemExit("it was not refused")
"""


@pytest.mark.slow
def test_a_full_disk_while_converting_leaves_no_base_and_no_half_file(
    converter: Path, empty_workspace: Workspace, tiny_llama: BaseModel
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(empty_workspace.root), str(tiny_llama.hf)],
        cwd=PROJECT_ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "OSError" in done.stdout
    assert "free space" in done.stdout
    assert converter.is_dir()
    assert find_base(empty_workspace, "mine") is None
    assert not [path for path in empty_workspace.base_dir.rglob("*") if ".gguf" in path.name]
