"""Listing scenario files: every text once, what is held out first, and a report row for each that is not taken."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from studio.dataset.models import ReportRow
from studio.errors import DatasetError
from studio.workspace import sha256_file

VARIATIONS = "variations"
"""Names of sources that were made from scenarios begin with this and a slash."""


def is_variation(name: str) -> bool:
    """Whether the source of this name was made from a scenario."""
    return name.startswith(f"{VARIATIONS}/")


@dataclass(frozen=True, slots=True)
class Source:
    """One scenario file: its name in rows and report, where it is, its SHA-256 and size, and whether it is held out."""

    name: str
    path: Path
    sha256: str
    size: int
    held_out: bool

    @property
    def order(self) -> tuple[bool, int, str]:
        """Who leads a group: what is held out, then the shortest name, because a copy's is mostly a longer one."""
        return (not self.held_out, len(self.path.stem), self.name)


def list_sources(directory: Path, held_out_folder: Path) -> tuple[list[Source], list[ReportRow]]:
    """Every text once; a file whose text stands in another one already, or that cannot be read, is reported instead.

    Raises:
        DatasetError: there is no folder `directory`.
    """
    known: dict[str, Source] = {}
    report: list[ReportRow] = []
    kept_aside = held_out_folder.resolve()
    listed = [(path, held_out_folder) for path in held_out_files(held_out_folder)]
    listed += [(path, directory) for path in scenario_files(directory) if not path.resolve().is_relative_to(kept_aside)]
    for path, root in listed:
        found = _source(path, root, held_out=root == held_out_folder)
        if isinstance(found, ReportRow):
            report.append(found)
        elif twin := known.get(found.sha256):
            report.append(_same_text(found.name, twin))
        else:
            known[found.sha256] = found
    return list(known.values()), report


def held_out_files(folder: Path) -> list[Path]:
    """The scenario files of data/validation/; none when there is no such folder."""
    return scenario_files(folder) if folder.is_dir() else []


def scenario_files(folder: Path) -> list[Path]:
    """Every `*.md` below a folder, in the order of names; hidden files and folders aside.

    Raises:
        DatasetError: there is no such folder.
    """
    if not folder.is_dir():
        raise DatasetError(
            "There is no such folder of scenarios.", next_step="Choose a folder with *.md files.", where=str(folder)
        )
    paths = [
        path for path in folder.rglob("*.md") if not any(p.startswith(".") for p in path.relative_to(folder).parts)
    ]
    return sorted(paths, key=lambda path: path.relative_to(folder).as_posix())


def _source(path: Path, root: Path, *, held_out: bool) -> Source | ReportRow:
    """The file as a source, or why it cannot be one."""
    relative = path.relative_to(root).as_posix()
    name = f"validation/{relative}" if held_out else relative
    try:
        return Source(name, path, sha256_file(path), path.stat().st_size, held_out)
    except OSError as error:
        reason = f"It cannot be opened: {error.strerror or error}."
        return ReportRow(source=name, kind="excluded file", reason=reason)


def _same_text(name: str, twin: Source) -> ReportRow:
    if twin.held_out:
        return ReportRow(source=name, kind="held out", reason=f"It is the same text as {twin.name}.")
    reason = f"It is the same text as {twin.name}, which is in the dataset; once is enough."
    return ReportRow(source=name, kind="duplicate", reason=reason)
