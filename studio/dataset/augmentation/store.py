"""Review of products: `.studio/augmented/` holds what was proposed, accepted and rejected, as files and a small index.

    parents/SHA256.md            the parent as it was, so that a diff stays what it was
    proposed|accepted|rejected/  the products, as `folder/name.md`
    index.json                   which product is where; the truth when a crash left a file in two places

Every write is atomic and under one lock; a product is first written where it goes, then the index, then the old copy
is removed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from studio.dataset.augmentation.models import Augmented
from studio.errors import DatasetError
from studio.scenarios import read_text
from studio.scenarios.library import unified_diff
from studio.workspace import Workspace, atomic_write, sha256_file

Status = Literal["proposed", "accepted", "rejected"]
_INDEX = "index.json"
_WAIT = 10.0
"""Seconds that a page waits for another one that is writing."""
_BATCH = 500
"""Products that are put up for review before the index is written again."""


class Proposal(BaseModel):
    """One product under review."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    status: Status
    parent: str
    operations: tuple[str, ...]
    seed: int
    sha256: str = Field(description="Of the product's text.")
    parent_sha256: str

    def is_of(self, parent_text: str) -> bool:
        """Whether the parent still has the text that the product was made from."""
        return self.parent_sha256 == _sha256(_bytes(parent_text))


class _Index(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: int = 1
    products: dict[str, Proposal] = Field(default_factory=dict)


@dataclass(slots=True)
class _Change:
    """What one caller does while it has the lock."""

    index: _Index
    happened: bool = False
    obsolete: list[Path] = field(default_factory=list)


class AugmentationStore:
    """The products of one workspace and what was decided about them."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self.folder = workspace.state_dir / "augmented"

    def propose(self, products: Iterable[tuple[Augmented, str]]) -> list[Proposal]:
        """Put products up for review, each with the text of its parent.

        A product that is there with the same text keeps its decision; one with another text is proposed anew.

        Raises:
            DatasetError: the index cannot be read, or somebody else is writing for too long.
            WorkspaceError: a name leads outside the folder.
        """
        waiting, done = iter(products), list[Proposal]()
        while batch := list(islice(waiting, _BATCH)):  # made before the lock is taken: making them may take long
            with self._changing() as change:
                done += [self._propose(change, product, parent_text) for product, parent_text in batch]
        return done

    def proposals(self, status: Status | None = None) -> list[Proposal]:
        """The products, by name; those of one status when it is given.

        Raises:
            DatasetError: the index cannot be read.
        """
        found = sorted(self._index().products.values(), key=lambda one: one.name)
        return [one for one in found if status in (None, one.status)]

    def text(self, name: str) -> str:
        """The text of a product.

        Raises:
            DatasetError: there is no product of that name, or its file is not what was proposed.
        """
        return self._text(self._find(self._index(), name))

    def parent_text(self, name: str) -> str:
        """The text of a product's parent, as it was when the product was made. Raises like `text`."""
        return self._read(self._parent_file(self._find(self._index(), name).parent_sha256), name)

    def diff(self, name: str) -> str:
        """What a product changes in its parent, as a unified diff. Raises like `text`."""
        one = self._find(self._index(), name)
        return unified_diff(self.parent_text(name), self._text(one), one.parent, one.name)

    def accept(self, name: str) -> Proposal:
        """Let a product into the dataset. Raises like `text`."""
        return self._decide(name, "accepted")

    def reject(self, name: str) -> Proposal:
        """Keep a product out of the dataset, and do not propose the same text again. Raises like `text`."""
        return self._decide(name, "rejected")

    def decide(
        self, names: Sequence[str], status: Status, progress: Callable[[int, int], None] | None = None
    ) -> list[Proposal]:
        """Decide about many at once. Returns those that changed as they were before, for `restore`.

        Raises:
            DatasetError: as `text`; what was decided before the one that it names stays decided.
        """
        before: list[Proposal] = []
        for start in range(0, len(names), _BATCH):  # others may write in between
            with self._changing() as change:
                for name in names[start : start + _BATCH]:
                    former = self._find(change.index, name)
                    if self._move(change, former, status) != former:
                        before.append(former)
            if progress:
                progress(min(start + _BATCH, len(names)), len(names))
        return before

    def restore(self, before: Sequence[Proposal]) -> int:
        """Take a decision back: products that still have the text of then get the status of then. Returns how many."""
        done = 0
        for start in range(0, len(before), _BATCH):
            with self._changing() as change:
                for one in before[start : start + _BATCH]:
                    now = change.index.products.get(one.name)
                    if now is not None and now.sha256 == one.sha256:
                        done += self._move(change, now, one.status) != now
        return done

    def file(self, one: Proposal) -> Path:
        """Where a product lies, once its text was compared with what was proposed. Raises like `text`."""
        self._text(one)
        return self._file(one)

    def accepted(self) -> Iterator[tuple[Proposal, str]]:
        """Every accepted product with its text, by name: what a dataset is made of besides the scenarios."""
        for one in self.proposals("accepted"):
            yield one, self._text(one)

    def _propose(self, change: _Change, product: Augmented, parent_text: str) -> Proposal:
        """A text that is there keeps its decision, also when it now comes of another text of its parent."""
        content, parent = _bytes(product.text), _bytes(parent_text)
        former = change.index.products.get(product.name)
        same = former is not None and former.sha256 == _sha256(content)
        one = Proposal(
            name=product.name,
            status=former.status if former is not None and same else "proposed",
            parent=product.parent,
            operations=product.operations,
            seed=product.seed,
            sha256=_sha256(content),
            parent_sha256=_sha256(parent),
        )
        if one == former and self._is_whole(one):
            return one
        if not self._parent_file(one.parent_sha256).exists():
            atomic_write(self._parent_file(one.parent_sha256), parent)
        self._put(change, one, content)
        return one

    def _decide(self, name: str, status: Status) -> Proposal:
        with self._changing() as change:
            return self._move(change, self._find(change.index, name), status)

    def _move(self, change: _Change, former: Proposal, status: Status) -> Proposal:
        one = former.model_copy(update={"status": status})
        if one != former:
            self._put(change, one, _bytes(self._text(former)))
        return one

    def _put(self, change: _Change, one: Proposal, content: bytes) -> None:
        """Write the product where it goes now; the index and the former copy follow at the end of the change."""
        former = change.index.products.get(one.name)
        atomic_write(self._file(one), content)
        change.index.products[one.name] = one
        change.happened = True
        if former is not None and former.status != one.status:
            change.obsolete.append(self._file(former))

    @contextmanager
    def _changing(self) -> Iterator[_Change]:
        """The index under the lock; written once at the end, before former copies go."""
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self.folder / ".lock", timeout=_WAIT):
                change = _Change(self._index())
                try:
                    yield change
                finally:  # what was done before an error is done
                    self._close(change)
        except Timeout as error:
            raise DatasetError(
                "The augmented scenarios are being changed by somebody else.", next_step="Try again in a moment."
            ) from error

    def _close(self, change: _Change) -> None:
        if change.happened:
            atomic_write(self.folder / _INDEX, change.index.model_dump_json(indent=1) + "\n")
        for path in change.obsolete:
            path.unlink(missing_ok=True)

    def _index(self) -> _Index:
        path = self.folder / _INDEX
        try:
            return _Index.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return _Index()
        except (OSError, ValidationError) as error:
            raise DatasetError(
                "The list of augmented scenarios cannot be read.",
                why=str(error).splitlines()[0],
                next_step="Move the file away and make the products again; accepted ones lie in accepted/.",
                where=str(path),
            ) from error

    def _find(self, index: _Index, name: str) -> Proposal:
        found = index.products.get(name)
        if found is None:
            raise DatasetError(f"There is no augmented scenario {name!r}.", next_step="Choose one from the list.")
        return found

    def _text(self, one: Proposal) -> str:
        text = self._read(self._file(one), one.name)
        if _sha256(_bytes(text)) != one.sha256:
            raise DatasetError(
                "An augmented scenario was changed after it was proposed.",
                why="It is no longer what its origin says, so nobody has reviewed it.",
                next_step="Copy it into your scenarios if you want to keep the change, or make the product again.",
                where=str(self._file(one)),
            )
        return text

    def _is_whole(self, one: Proposal) -> bool:
        path = self._file(one)
        return path.is_file() and sha256_file(path) == one.sha256

    def _read(self, path: Path, name: str) -> str:
        if not path.is_file():
            raise DatasetError(
                f"The file of {name!r} is missing.", next_step="Make the product again.", where=str(path)
            )
        return read_text(path)

    def folder_of(self, status: Status) -> Path:
        """Where the products of a status lie; it may not be there yet."""
        return self.folder / status

    def _file(self, one: Proposal) -> Path:
        return self._workspace.inside(self.folder_of(one.status), one.name)

    def _parent_file(self, sha256: str) -> Path:
        return self.folder / "parents" / f"{sha256}.md"


def _bytes(text: str) -> bytes:
    """As the file was: bytes that were not UTF-8 are themselves again."""
    return text.encode("utf-8", errors="surrogateescape")


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
