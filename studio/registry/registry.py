"""`Registry`: which model versions there are, which are approved, which is deployed where, and the way back.

The database is the truth. A deployment first prepares its release folder, then writes its row (from then on it has
happened), then lets the channel lead to the folder. Whatever is cut off, the next opening brings the folder to what
the database says. Deployments of several processes wait for each other.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from studio.conversion.formats.gguf_header import read_header
from studio.conversion.metadata import PARENT_KEYS
from studio.registry import records
from studio.registry.database import registry_database
from studio.registry.errors import NotApprovedError, NothingToRollBackError, RegistryBusyError, RegistryError
from studio.registry.models import Action, Deployment, ModelVersion
from studio.registry.releases import Releases, channel_name
from studio.workspace import Workspace, sha256_file

DEFAULT_CHANNEL = "default"
WAIT_SECONDS = 600.0
"""How long a deployment waits for another one; copying a large model takes seconds to a minute."""


def _now() -> datetime:
    return datetime.now(UTC)


class Registry:
    """The model versions of one workspace. Opening it creates or repairs what is needed; use it from any thread.

    Raises:
        RegistryDamagedError: the database is damaged or newer than this studio; nothing was touched.
        RegistryError: the database cannot be opened or written.
    """

    def __init__(self, workspace: Workspace, *, clock: Callable[[], datetime] = _now) -> None:
        self._workspace = workspace
        self._clock = clock
        self._database = registry_database(workspace.state_dir / "registry.sqlite")
        self._releases = Releases(workspace)
        self._database.prepare()
        self.repair(wait_seconds=0)  # whoever is deploying right now leaves it right, too

    def register(self, path: Path) -> ModelVersion:
        """Note a GGUF of models/gguf/; a content that is known already keeps its id and its approval.

        Raises:
            RegistryError: it lies elsewhere.
            ConversionError: it is missing or no sound GGUF.
        """
        found = self._describe(path)
        with self._database.transaction() as connection:
            version_id = records.save_version(connection, found)
        return self.version(version_id)

    def approve(self, version_id: int, note: str = "") -> ModelVersion:
        """Approve a version for deployment. Raises `RegistryError` when there is no such version."""
        self.version(version_id)
        with self._database.transaction() as connection:
            records.add_approval(connection, version_id, note.strip(), self._clock())
        return self.version(version_id)

    def deploy(self, version_id: int, channel: str = DEFAULT_CHANNEL) -> Deployment:
        """Put an approved version on a channel: models/deployed/CHANNEL/model.gguf.

        Raises:
            NotApprovedError, ModelFileMissingError, ModelFileChangedError: a gate is closed; nothing has changed.
            RegistryError: there is no such version, or the copy could not be made.
            WorkspaceError: the channel's name cannot be a folder's.
        """
        channel = channel_name(channel)
        with self._exclusive(WAIT_SECONDS):
            self._repair()
            version, current = self._approved(version_id), self.current(channel)
            again = current is not None and current.version.id == version.id
            back = current.previous_id if current and again else current.id if current else None
            return self._put(channel, "deploy", version, back, [self._file(version)])

    def rollback(self, channel: str = DEFAULT_CHANNEL) -> Deployment:
        """Return a channel to the version deployed before; asking again goes further back.

        Raises:
            NothingToRollBackError: there is none.
            ModelFileMissingError, ModelFileChangedError: its content is nowhere to be found; nothing has changed.
        """
        channel = channel_name(channel)
        with self._exclusive(WAIT_SECONDS):
            self._repair()
            before = self._before(channel)
            copies = self._copies(before.version)
            return self._put(channel, "rollback", before.version, before.previous_id, copies)

    def current(self, channel: str = DEFAULT_CHANNEL) -> Deployment | None:
        """What is deployed on a channel."""
        return next(iter(self.history(channel)), None)

    def history(self, channel: str | None = None) -> list[Deployment]:
        """The deployments of a channel, or of all, newest first."""
        with self._database.connect() as connection:
            return records.list_deployments(connection, channel)

    def version(self, version_id: int) -> ModelVersion:
        """A version by its id. Raises `RegistryError`."""
        with self._database.connect() as connection:
            found = records.find_version(connection, version_id)
        if found is None:
            raise RegistryError(f"There is no model version {version_id}.", next_step="Approve the model first.")
        return found

    def versions(self) -> list[ModelVersion]:
        """All registered versions, newest first."""
        with self._database.connect() as connection:
            return records.list_versions(connection)

    def repair(self, *, wait_seconds: float = WAIT_SECONDS) -> None:
        """Bring models/deployed/ to what the database says; does nothing while another process deploys.

        What cannot be brought back, because no copy of its content is left, stays as it is. Folders that the database
        does not know are never deleted.
        """
        try:
            with self._exclusive(wait_seconds):
                self._repair()
        except RegistryBusyError:
            return

    def problems(self) -> list[RegistryError]:
        """What is wrong with the deployments in force: one error for each that is not in its place."""
        return [
            RegistryError(
                f"What is deployed as {one.channel!r} ({one.version.name}) is not in its place.",
                next_step="Deploy it again, or roll the channel back.",
                where=f"models/deployed/{one.channel}",
            )
            for one in self._out_of_place()
        ]

    def _repair(self) -> None:
        for deployment in self._out_of_place():
            with suppress(RegistryError):  # `problems` tells; other channels must not suffer
                self._settle(deployment)
        self._releases.clear_staging()

    def _put(
        self, channel: str, action: Action, version: ModelVersion, previous_id: int | None, sources: Sequence[Path]
    ) -> Deployment:
        """Prepare the folder, write the row, show the folder. Killed between any two, the next opening goes on."""
        at = self._clock()
        release = f"{at:%Y%m%d-%H%M%S}-{version.sha256[:12]}-{secrets.token_hex(3)}"
        self._releases.check_channel(channel)
        try:
            self._releases.stage(release, version, _label(channel, action, version, at), sources)
            with self._database.transaction() as connection:
                records.add_deployment(connection, channel, action, version.id, previous_id, release, at)
        except BaseException:
            self._releases.clear_staging()
            raise
        done = self.history(channel)[0]
        self._settle(done)
        self._prune()
        return done

    def _settle(self, deployment: Deployment) -> None:
        """Finish a release whose row is written and let its channel lead to it; repeating it does no harm."""
        release, version = deployment.release, deployment.version
        if not self._releases.is_whole(release, version):
            self._releases.finish(release)
        if not self._releases.is_whole(release, version):
            self._restore(deployment)
        self._releases.publish(deployment.channel, release)

    def _restore(self, deployment: Deployment) -> None:
        """Make a damaged release again from any copy of its content. Raises `RegistryError` when there is none."""
        version = deployment.version
        label = _label(deployment.channel, deployment.action, version, deployment.deployed)
        self._releases.stage(deployment.release, version, label, self._copies(version))
        self._releases.finish(deployment.release)

    def _prune(self) -> None:
        """Delete releases that no channel and no next rollback needs, if models/gguf/ still has their content."""
        history = self.history()
        in_force = self._in_force()
        needed = {one.id for one in in_force} | {one.previous_id for one in in_force}
        for one in history:
            if one.id not in needed and self._releases.exists(one.release) and self._is_unchanged(one.version):
                self._releases.remove(one.release)

    def _before(self, channel: str) -> Deployment:
        history = self.history(channel)
        by_id = {one.id: one for one in history}
        before = by_id.get(history[0].previous_id or 0) if history else None
        if before is None:
            raise NothingToRollBackError(
                f"Nothing was deployed as {channel!r} before {history[0].version.name}."
                if history
                else f"Nothing has been deployed as {channel!r}.",
                next_step="`python -m studio deployments` shows what was deployed where.",
                where=channel,
            )
        return before

    def _approved(self, version_id: int) -> ModelVersion:
        version = self.version(version_id)
        if version.approved is None:
            others = [one for one in self.versions() if one.path == version.path and one.approved]
            raise NotApprovedError(
                f"{version.name} (SHA-256 {version.sha256[:12]}) has not been approved.",
                why="The file has changed since it was approved." if others else "",
                next_step=f"Play with it; if it is good: python -m studio approve {version.name}",
                where=version.path,
            )
        return version

    def _in_force(self) -> list[Deployment]:
        """The latest deployment of every channel."""
        latest: dict[str, Deployment] = {}
        for one in self.history():
            latest.setdefault(one.channel, one)
        return list(latest.values())

    def _out_of_place(self) -> list[Deployment]:
        """The deployments in force whose channel does not lead to a whole release."""
        placed = self._releases.is_published
        return [one for one in self._in_force() if not placed(one.channel, one.release, one.version)]

    def _copies(self, version: ModelVersion) -> list[Path]:
        """Where the content of a version may be found: its releases, then the registered file."""
        releases = [one.release for one in self.history() if one.version.id == version.id]
        return [*(self._releases.model(one) for one in releases), self._file(version)]

    def _is_unchanged(self, version: ModelVersion) -> bool:
        path = self._file(version)
        return path.is_file() and path.stat().st_size == version.size and sha256_file(path) == version.sha256

    def _file(self, version: ModelVersion) -> Path:
        return self._workspace.inside(self._workspace.gguf_dir, version.path)

    def _describe(self, path: Path) -> ModelVersion:
        folder, whole = self._workspace.gguf_dir.resolve(), path.resolve()
        if not whole.is_relative_to(folder):
            raise RegistryError(
                "Only models that lie in models/gguf/ can be approved and deployed.",
                why=f"{path.name} lies elsewhere; base models are where every campaign begins, not a version of it.",
                next_step="Convert a run, or put the file into a folder of its own in models/gguf/.",
                where=path.name,
            )
        header, status = read_header(whole), whole.stat()
        return ModelVersion(
            id=0,
            sha256=sha256_file(whole),
            path=whole.relative_to(folder).as_posix(),
            size=status.st_size,
            name=whole.stem,
            created=datetime.fromtimestamp(status.st_mtime, UTC),
            registered=self._clock(),
            parents={label: header.text(key) for key, label in PARENT_KEYS.items() if header.text(key)},
        )

    @contextmanager
    def _exclusive(self, wait_seconds: float) -> Iterator[None]:
        """One deployment, rollback or repair at a time, over all processes; the lock falls with its process."""
        try:
            with FileLock(self._database.path.with_name("registry.lock"), timeout=wait_seconds):
                yield
        except Timeout as error:
            raise RegistryBusyError(
                "Another deployment is under way.", next_step="Wait until it is done, then try again."
            ) from error
        except OSError as error:
            raise RegistryError(
                "models/deployed/ could not be written.",
                why=str(error),
                next_step="Check that the disk is not full and the folder is yours, then try again.",
            ) from error


def _label(channel: str, action: Action, version: ModelVersion, at: datetime) -> str:
    """deployed.json: what lies beside it."""
    facts = version.model_dump(mode="json", include={"name", "sha256", "size", "path", "parents", "approved", "note"})
    return json.dumps(
        {"channel": channel, "action": action, "deployed": at.isoformat(), **facts}, ensure_ascii=False, indent=1
    )
