"""Which texts an importance matrix is made from: what the run was trained on, or the scenarios of the workspace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from studio.bases import ConversationRenderer
from studio.conversion.formats.gguf_header import GGUFHeader
from studio.conversion.quality.held_out import base_of
from studio.conversion.run_rows import read_columns, rows_file
from studio.errors import ConversionError, DatasetError
from studio.scenarios import MarkdownParser, load_vocabulary, to_messages
from studio.workspace import Workspace


@dataclass(frozen=True)
class Texts:
    """Token ids of texts, and how they are called together."""

    name: str
    rows: list[list[int]]


def imatrix_texts(workspace: Workspace, header: GGUFHeader, files: Sequence[Path] = ()) -> Texts:
    """The texts for a model's importance matrix, as it would read them in training and in play.

    Args:
        header: of the model's GGUF file, which names its base and the dataset of its run.
        files: scenario files to take instead; folders stand for the markdown files in them.

    Raises:
        ConversionError: there is none, the dataset is damaged, or the file does not say which base it was made from.
        BaseModelError: the base is not imported.
    """
    if not files and (dataset := rows_file(workspace, header, "train")):
        return _rows_of_dataset(dataset)
    places = files or [one for one in (workspace.scenarios_dir,) if one.is_dir()]
    chosen = [file for one in places for file in _markdown(one)]
    rows = _rendered(workspace, header, chosen)
    if not rows:
        raise ConversionError(
            "There is no scenario to make an importance matrix from.",
            why="It shows llama.cpp which weights matter in your play, so it needs some of it.",
            next_step="Write a scenario first, or name files with --scenarios.",
            where=workspace.relative(files[0] if files else workspace.scenarios_dir),
        )
    return Texts(f"{len(rows)} scenarios", rows)


def _rows_of_dataset(path: Path) -> Texts:
    """The token ids of what the run was trained on; what it held out is not among them."""
    what = "The texts of the run cannot be read."
    next_step = "Process the scenarios again, or name files with --scenarios."
    rows = read_columns(path, ["input_ids"], what, next_step)
    return Texts(f"training split {path.parent.name[:12]}", [row["input_ids"] for row in rows])


def _rendered(workspace: Workspace, header: GGUFHeader, files: Sequence[Path]) -> list[list[int]]:
    """The scenarios in the model's tokens; one that its template cannot write is left out."""
    base = base_of(workspace, header)
    parser = MarkdownParser(load_vocabulary(workspace.config_file("tools.yaml")))
    renderer = ConversationRenderer(base.tokenizer(), base.template())
    rows: list[list[int]] = []
    for path in files:
        messages = to_messages(parser.parse_scenario(path))
        try:
            rows.append(renderer.render(messages).ids if messages else [])
        except DatasetError:
            continue
    return [row for row in rows if row]


def _markdown(place: Path) -> list[Path]:
    return sorted(place.rglob("*.md")) if place.is_dir() else [place]
