"""Importing a Hugging Face folder that the user already has: safetensors only, no code, text models of known families.

Only files on a fixed list are taken, linked where the file system can. The weights are not loaded here; their headers
are checked against config.json. Such a base has a base.gguf if one is asked for: llama.cpp's own converter makes it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from studio.bases.disk import link_or_copy, require_space
from studio.bases.families import load_template
from studio.bases.importer import finish, refuse_taken, staging_folder
from studio.bases.llama_converter import convert_folder
from studio.bases.manifest import BaseModel, Family
from studio.bases.progress import ImportProgress, ProgressCallback, ignore_progress
from studio.bases.same_tokens import check_same_tokens
from studio.bases.tokenization import load_tokenizer
from studio.bases.weights import describe_weights, read_json
from studio.config import ModelConfig, load_model_configs
from studio.errors import BaseModelError
from studio.workspace import Workspace, atomic_write

_FAMILIES: dict[str, tuple[Family, ...]] = {
    "llama": ("smollm2", "llama3"),
    "gemma3_text": ("gemma3",),
    "qwen2": ("qwen2.5",),
    "qwen3": ("qwen3",),
}
_PICKLES = (".bin", ".pt", ".pth", ".pkl", ".ckpt")
_SPECIAL = ("bos_token", "eos_token", "pad_token", "unk_token")


def import_folder(
    workspace: Workspace,
    folder: Path,
    name: str,
    *,
    accept_licence: bool = False,
    with_gguf: bool = False,
    progress: ProgressCallback | None = None,
) -> BaseModel:
    """Take over a Hugging Face folder as the base model `name`; the folder itself is not changed.

    Args:
        accept_licence: the user agreed to the terms; needed where the catalogue's entry for the family says so.
        with_gguf: also make base.gguf (float16), so that it can be played and adapters be laid over it; fetches
            llama.cpp's converter (77 MB) when that is done for the first time.

    Raises:
        BaseModelError: the name is taken, terms were not accepted, the folder is not a model that can be used, or no
            GGUF file could be made of it.
        WorkspaceError: `name` is not a usable folder name.
    """
    family, config = check_folder(folder)
    refuse_taken(workspace, name, family)
    terms = _terms(workspace, family)
    if terms and terms.licence_acceptance and not accept_licence:
        raise BaseModelError(
            f"The {terms.licence} have not been accepted.",
            why="They must be agreed to before a model of this family is used.",
            next_step=f"Read them ({terms.licence_url}), accept them, then import again.",
        )
    report = progress or ignore_progress
    with staging_folder(workspace, name) as staging:
        hf = staging / "hf"
        hf.mkdir(exist_ok=True)
        weights = sorted(folder.glob("*.safetensors"))
        require_space(staging, sum(path.stat().st_size for path in weights), "copy the model")
        for path in (*weights, folder / "tokenizer.json"):
            report(ImportProgress("unpack", path.name))
            (hf / path.name).unlink(missing_ok=True)
            link_or_copy(path, hf / path.name)
        _write_small_files(folder, hf, config, family)
        _make_gguf(hf, staging / "base.gguf", name, report, wanted=with_gguf)
        licence = _copy_licence(folder, staging)
        return finish(
            workspace, staging, name, family, source=f"folder {folder.name}",
            licence=licence or (terms.licence if terms else "unknown (your own folder)"),
            licence_url=terms.licence_url if terms else "",
        )  # fmt: skip


def check_folder(folder: Path) -> tuple[Family, dict[str, Any]]:
    """Whether the folder can be imported: its family and its config.json.

    Raises:
        BaseModelError: no folder, another kind of model, code or pickles instead of safetensors, a damaged file.
    """
    if not folder.is_dir():
        raise BaseModelError("There is no such folder.", where=str(folder), next_step="Choose the model's folder.")
    config = read_json(folder / "config.json")
    _refuse_code(folder, config)
    families = _FAMILIES.get(str(config.get("model_type")))
    if families is None:
        raise BaseModelError(
            f"A model of the type {config.get('model_type')!r} cannot be used.",
            next_step=f"Use a text model of one of the types {', '.join(_FAMILIES)}.",
            where=str(folder),
        )
    _require_safetensors(folder)
    vocabulary = load_tokenizer(folder / "tokenizer.json").get_vocab(with_added_tokens=True)
    family = next((one for one in families if load_template(one).end_of_turn in vocabulary), None)
    if family is None:
        raise BaseModelError(
            "The tokenizer has no end-of-turn token that the studio knows.",
            why=f"Looked for {' or '.join(load_template(one).end_of_turn for one in families)}.",
            where=str(folder / "tokenizer.json"),
        )
    if max(vocabulary.values()) >= describe_weights(folder).vocab_size:
        raise BaseModelError(
            "The tokenizer knows more tokens than the weights.",
            next_step="Use weights and tokenizer of the same model.",
            where=str(folder),
        )
    return family, config


def _refuse_code(folder: Path, config: dict[str, Any]) -> None:
    path = folder / "tokenizer_config.json"
    if "auto_map" in config or (path.exists() and "auto_map" in read_json(path)):
        raise BaseModelError(
            "This model wants to run code of its own, which the studio never does.",
            why="A configuration file holds 'auto_map'.",
            next_step="Use a model that transformers supports by itself.",
            where=str(folder),
        )
    if "quantization_config" in config:
        raise BaseModelError(
            "This folder holds quantized weights, which cannot be trained from here.",
            next_step="Use the original weights of the model.",
            where=str(folder),
        )


def _require_safetensors(folder: Path) -> None:
    index = folder / "model.safetensors.index.json"
    wanted = set(read_json(index).get("weight_map", {}).values()) if index.exists() else {"model.safetensors"}
    there = {path.name for path in folder.glob("*.safetensors")}
    if missing := sorted(wanted - there):
        pickles = sorted(path.name for path in folder.iterdir() if path.suffix in _PICKLES)
        raise BaseModelError(
            f"The weights {', '.join(missing)} are missing.",
            why=f"There is {pickles[0]}, but pickled weights can run code and are never opened." if pickles else "",
            next_step="Download the model's *.safetensors files.",
            where=str(folder),
        )


def _terms(workspace: Workspace, family: Family) -> ModelConfig | None:
    configs = load_model_configs(workspace).values()
    return next((one for one in configs if one.family == family and one.source.kind == "folder"), None)


def _write_small_files(folder: Path, hf: Path, config: dict[str, Any], family: Family) -> None:
    """The configuration files, rewritten so that they name the studio's template and end of turn."""
    template = load_template(family)
    index = folder / "model.safetensors.index.json"
    if index.exists():
        atomic_write(hf / index.name, index.read_bytes())
    atomic_write(hf / "config.json", _json(config))
    atomic_write(hf / "chat_template.jinja", template.source)
    path = folder / "tokenizer_config.json"
    given = read_json(path) if path.exists() else {}
    special = {name: _token_text(given.get(name)) for name in _SPECIAL}
    tokenizer_config: dict[str, Any] = {name: text for name, text in special.items() if text}
    tokenizer_config |= {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False}
    atomic_write(hf / "tokenizer_config.json", _json(tokenizer_config))
    end = load_tokenizer(folder / "tokenizer.json").token_to_id(template.end_of_turn)
    path = folder / "generation_config.json"
    generation = read_json(path) if path.exists() else {}
    generation["eos_token_id"] = sorted({end, *_as_list(generation.get("eos_token_id", config.get("eos_token_id")))})
    atomic_write(hf / "generation_config.json", _json(generation))


def _make_gguf(hf: Path, target: Path, name: str, report: ProgressCallback, *, wanted: bool) -> None:
    """base.gguf, proven to split text into the tokens of training; one that an earlier attempt left goes."""
    target.unlink(missing_ok=True)
    if wanted:
        require_space(target.parent, sum(path.stat().st_size for path in hf.glob("*.safetensors")), "convert the model")
        convert_folder(hf, target, name, report)
        check_same_tokens(target, hf / "tokenizer.json")


def _copy_licence(folder: Path, staging: Path) -> str:
    """Take the folder's licence file over; its name, or nothing."""
    for path in sorted(folder.glob("LICEN[SC]E*")):
        if path.is_file() and path.stat().st_size < 1 << 20:
            atomic_write(staging / "LICENSE", path.read_bytes().decode("utf-8", errors="replace"))
            return f"see {path.name}"
    return ""


def _token_text(value: object) -> str:
    """Token settings are either a string or `{"content": string, ...}`."""
    text = value.get("content") if isinstance(value, dict) else value
    return text if isinstance(text, str) else ""


def _as_list(value: object) -> list[int]:
    values = value if isinstance(value, list) else [value]
    return [one for one in values if isinstance(one, int)]


def _json(data: dict[str, Any]) -> str:
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"
