"""The folder models/deployed/: one release folder per deployment, and a link per channel that is swapped as a whole.

    models/deployed/.releases/20260101-120000-3f2a91c07b44-9d1e0f/{model.gguf, deployed.json}
    models/deployed/default -> .releases/20260101-120000-3f2a91c07b44-9d1e0f

A release is a copy, so nothing that happens to the file in models/gguf/ reaches what is deployed. Replacing a link is
one rename: whoever opens models/deployed/default/model.gguf gets the old deployment or the new one, with its own
deployed.json beside it. This module knows no database and does not lock; `Registry` does both.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from studio.errors import WorkspaceError
from studio.registry.errors import ModelFileChangedError, ModelFileMissingError, RegistryError
from studio.registry.models import ModelVersion
from studio.workspace import Workspace, atomic_write, atomic_writer, safe_name, sha256_file

MODEL = "model.gguf"
LABEL = "deployed.json"
_STAGING = ".staging-"
_BLOCK = 1 << 20


def channel_name(name: str) -> str:
    """A channel's name, checked. Raises `WorkspaceError`."""
    try:
        return safe_name(name)
    except WorkspaceError as error:
        raise WorkspaceError(
            f"{name!r} cannot be a channel's name.", why=error.what, next_step=error.next_step, where="--channel"
        ) from error


class Releases:
    """The release folders and channel links of one workspace."""

    def __init__(self, workspace: Workspace) -> None:
        models = workspace.root / "models"
        self.root = workspace.inside(models, "deployed")
        self._releases = workspace.inside(models, "deployed/.releases")

    def model(self, release: str) -> Path:
        """Where the model of a release is."""
        return self._releases / safe_name(release) / MODEL

    def stage(self, release: str, version: ModelVersion, label: str, sources: Iterable[Path]) -> None:
        """Prepare a release: a verified copy of the first source that has the registered content, and its label.

        Raises:
            ModelFileMissingError: no source exists.
            ModelFileChangedError: there are sources, and none has the content of `version`.
        """
        target = self._staging(release)
        changed: ModelFileChangedError | None = None
        for source in (one for one in sources if one.is_file()):
            try:
                self._place(source, target / MODEL, version)
            except ModelFileChangedError as error:
                changed = error
                continue
            atomic_write(target / LABEL, label)
            return
        raise changed or _missing(version)

    def finish(self, release: str) -> None:
        """Give a staged release its final name; a damaged one of that name makes room."""
        final, staged = self.model(release).parent, self._staging(release)
        if (staged / LABEL).is_file():
            shutil.rmtree(final, ignore_errors=True)
            staged.replace(final)

    def is_whole(self, release: str, version: ModelVersion) -> bool:
        """Whether a release is finished and its model has the right size; the hash is not computed."""
        model = self.model(release)
        return (model.parent / LABEL).is_file() and model.is_file() and model.stat().st_size == version.size

    def publish(self, channel: str, release: str) -> None:
        """Let a channel's link lead to a finished release, in one step."""
        link, target = self.root / channel, Path(self._releases.name) / safe_name(release)
        self.check_channel(channel)
        temporary = self.root / f".{channel}.link"
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(target)
        temporary.replace(link)

    def is_published(self, channel: str, release: str, version: ModelVersion) -> bool:
        """Whether a channel leads to this release and the release is whole."""
        link = self.root / channel
        return link.is_symlink() and link.readlink().name == release and self.is_whole(release, version)

    def exists(self, release: str) -> bool:
        """Whether anything of a finished release is there."""
        return self.model(release).parent.is_dir()

    def check_channel(self, channel: str) -> None:
        """Raises `RegistryError` when something that is no link stands where the channel's link belongs."""
        link = self.root / channel
        if link.exists() and not link.is_symlink():
            raise RegistryError(
                f"models/deployed/{channel} is in the way.",
                why="It was not made by the registry, or a copying program turned the registry's link into a folder.",
                next_step="Move it out of models/deployed/ and try again.",
                where=channel,
            )

    def remove(self, release: str) -> None:
        """Delete a release."""
        shutil.rmtree(self.model(release).parent, ignore_errors=True)

    def clear_staging(self) -> None:
        """Delete what deployments that never happened have left behind."""
        for folder in self._releases.glob(f"{_STAGING}*"):
            shutil.rmtree(folder, ignore_errors=True)

    def _staging(self, release: str) -> Path:
        return self._releases / f"{_STAGING}{safe_name(release)}"

    def _place(self, source: Path, target: Path, version: ModelVersion) -> None:
        """A link to another release's model (releases never change), or a copy, hashed while it is made."""
        if not source.is_relative_to(self._releases):
            copy_verified(source, target, version)
        elif sha256_file(source) != version.sha256:
            raise _changed(version)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)
            os.link(source, target)


def copy_verified(source: Path, target: Path, version: ModelVersion) -> None:
    """Copy the file of a version; what was checked is what was copied, even if the source changes meanwhile.

    Raises:
        ModelFileChangedError: the content is not the registered one; there is no target then.
        ModelFileMissingError: the source vanished.
    """
    digest = hashlib.sha256()
    try:
        with source.open("rb") as reader, atomic_writer(target) as writer:
            while block := reader.read(_BLOCK):
                digest.update(block)
                writer.write(block)
            if digest.hexdigest() != version.sha256:
                raise _changed(version)
    except FileNotFoundError as error:
        raise _missing(version) from error
    except OSError as error:
        raise RegistryError(
            "The model could not be copied.", why=str(error), next_step="Check that the disk is not full.",
            where=version.path,
        ) from error  # fmt: skip


def _missing(version: ModelVersion) -> ModelFileMissingError:
    return ModelFileMissingError(
        f"The file of {version.name} is gone.",
        why=f"It was registered as models/gguf/{version.path} (SHA-256 {version.sha256[:12]}).",
        next_step="Put it back, or convert its run again and approve the new file.",
        where=version.path,
    )


def _changed(version: ModelVersion) -> ModelFileChangedError:
    return ModelFileChangedError(
        f"The file of {version.name} is not the one that was registered.",
        why=f"Its content has changed: SHA-256 {version.sha256[:12]} was registered.",
        next_step="Play with the new file; if it is good, approve it and deploy it.",
        where=version.path,
    )
