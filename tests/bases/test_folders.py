"""A Hugging Face folder of the user's own: taken over whole, or refused with the reason."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from studio.bases import BaseModel, find_base, import_folder, list_bases
from studio.errors import BaseModelError, WorkspaceError
from studio.workspace import PROJECT_ROOT, Workspace

KINDS = ("tiny_llama", "tiny_qwen2", "tiny_qwen3", "tiny_gemma3", "smollm2")
TEXT = "*SUCCESS* You see:\n\n2. a goblin 🐉"


@pytest.fixture
def folder(tmp_path: Path, tiny_qwen3: BaseModel) -> Path:
    """A copy of a small Qwen3 as a user would have it."""
    return Path(shutil.copytree(tiny_qwen3.hf, tmp_path / "download"))


def edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def refusal(workspace: Workspace, folder: Path) -> BaseModelError:
    with pytest.raises(BaseModelError) as caught:
        import_folder(workspace, folder, "mine")
    assert find_base(workspace, "mine") is None
    return caught.value


def test_a_folder_is_taken_over_without_copying_its_weights(empty_workspace: Workspace, folder: Path) -> None:
    base = import_folder(empty_workspace, folder, "mine")
    assert base.family == "qwen3"
    assert base.gguf is None
    assert base.damaged_files() == []
    assert (base.hf / "model.safetensors").samefile(folder / "model.safetensors")
    assert json.loads((base.hf / "generation_config.json").read_text())["eos_token_id"] == [2]


def test_an_entry_of_the_catalogue_for_folders_is_filled_by_a_model_of_its_family(
    empty_workspace: Workspace, folder: Path
) -> None:
    with pytest.raises(BaseModelError, match="belongs to Gemma 3"):
        import_folder(empty_workspace, folder, "gemma3-folder")
    with pytest.raises(BaseModelError, match="belongs to SmolLM2"):
        import_folder(empty_workspace, folder, "smollm2-135m-instruct")
    import_folder(empty_workspace, folder, "qwen3-folder")
    entry = next(one for one in list_bases(empty_workspace) if one.name == "qwen3-folder")
    assert entry.imported
    with pytest.raises(BaseModelError, match="exists already"):
        import_folder(empty_workspace, folder, "qwen3-folder")


@pytest.fixture(scope="module")
def bases(request: pytest.FixtureRequest) -> dict[str, BaseModel]:
    """One of every family."""
    return {kind: request.getfixturevalue(kind) for kind in KINDS}


@pytest.fixture(scope="module")
def loaded(bases: dict[str, BaseModel]) -> dict[str, str]:
    """By family: the token ids of `TEXT`, whether the logits are numbers, and the types of the weights."""
    program = (
        "import sys, transformers as t, torch\n"
        "for hf in sys.argv[2:]:\n"
        "    m = t.AutoModelForCausalLM.from_pretrained(hf, dtype=torch.float32)\n"
        "    k = t.AutoTokenizer.from_pretrained(hf)\n"
        "    ids = k(sys.argv[1], add_special_tokens=False).input_ids\n"
        "    print(ids, bool(torch.isfinite(m(torch.tensor([ids])).logits).all()), {p.dtype for p in m.parameters()})\n"
    )
    command = [sys.executable, "-c", program, TEXT, *(str(base.hf) for base in bases.values())]
    finished = subprocess.run(command, capture_output=True, text=True, check=True, cwd=PROJECT_ROOT)
    return dict(zip(bases, finished.stdout.splitlines(), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_transformers_loads_what_was_imported_with_the_same_tokens(
    kind: str, bases: dict[str, BaseModel], loaded: dict[str, str]
) -> None:
    ids = bases[kind].tokenizer().encode(TEXT, add_special_tokens=False).ids
    assert loaded[kind] == f"{ids} True {{torch.float32}}"


def test_pickled_weights_are_refused(empty_workspace: Workspace, folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    assert "pytorch_model.bin" in refusal(empty_workspace, folder).why


def test_files_that_are_not_needed_are_left_behind(empty_workspace: Workspace, folder: Path) -> None:
    (folder / "training_args.bin").write_bytes(b"pickle")
    (folder / "modeling_mine.py").write_text("import os")
    base = import_folder(empty_workspace, folder, "mine")
    names = {path.name for path in base.directory.rglob("*")}
    assert names.isdisjoint({"training_args.bin", "modeling_mine.py"})


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
def test_a_model_with_code_of_its_own_is_refused(empty_workspace: Workspace, folder: Path, name: str) -> None:
    edit(folder / name, auto_map={"AutoModelForCausalLM": "modeling_mine.Mine"})
    assert "auto_map" in refusal(empty_workspace, folder).why


def test_another_kind_of_model_is_refused(empty_workspace: Workspace, folder: Path) -> None:
    edit(folder / "config.json", model_type="mamba")
    assert "mamba" in refusal(empty_workspace, folder).what


def test_quantized_weights_are_refused(empty_workspace: Workspace, folder: Path) -> None:
    edit(folder / "config.json", quantization_config={"quant_method": "gptq"})
    refusal(empty_workspace, folder)


def test_a_truncated_weights_file_is_refused(empty_workspace: Workspace, folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    assert refusal(empty_workspace, folder).where == "model.safetensors"


def test_weights_of_another_model_are_refused(empty_workspace: Workspace, folder: Path) -> None:
    edit(folder / "config.json", hidden_size=512)
    refusal(empty_workspace, folder)


def test_a_missing_shard_is_named(empty_workspace: Workspace, folder: Path) -> None:
    index = {"weight_map": {"model.embed_tokens.weight": "model-00002-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert "model-00002-of-00002.safetensors" in refusal(empty_workspace, folder).what


def test_a_broken_or_missing_tokenizer_is_refused(empty_workspace: Workspace, folder: Path) -> None:
    (folder / "tokenizer.json").write_text("{}")
    refusal(empty_workspace, folder)
    (folder / "tokenizer.json").unlink()
    refusal(empty_workspace, folder)


def test_gemma_terms_must_be_accepted_for_a_folder_too(
    empty_workspace: Workspace, tmp_path: Path, tiny_gemma3: BaseModel
) -> None:
    with pytest.raises(BaseModelError):
        import_folder(empty_workspace, tiny_gemma3.hf, "mine")
    assert import_folder(empty_workspace, tiny_gemma3.hf, "mine", accept_licence=True).family == "gemma3"


def test_a_name_is_used_once_and_stays_inside(empty_workspace: Workspace, folder: Path) -> None:
    import_folder(empty_workspace, folder, "mine")
    for taken in ("mine", "gemma3-270m"):
        with pytest.raises(BaseModelError):
            import_folder(empty_workspace, folder, taken)
    with pytest.raises(WorkspaceError):
        import_folder(empty_workspace, folder, "../mine")
