"""Held-out conversations as rows of tokens, for measuring what quantizing costs.

Those that the model's own run held out, where its dataset is still there; else the scenarios of `data/validation/`,
which no run is trained on; a workspace that has none takes the two that come with the studio. Long sets are cut to a
thousand positions: the same rows for every file matter more than many rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from studio.bases import BaseModel, ConversationRenderer, get_base
from studio.conversion.formats.gguf_header import GGUFHeader
from studio.conversion.metadata import BASE_NAME
from studio.conversion.quality.records import HeldOutRow
from studio.conversion.run_rows import read_columns, rows_file
from studio.errors import ConversionError
from studio.scenarios import MarkdownParser, load_vocabulary, to_messages
from studio.workspace import PROJECT_ROOT, Workspace

MAX_ROWS = 16
MAX_POSITIONS = 1000
"""Trained positions at most, over all rows: about 30 turns. What is kept of them is 98 MB for SmolLM2."""
MAX_TOKENS = 4096
"""Longest row in tokens; the part beyond is left out."""
_Item = TypeVar("_Item")


def held_out_rows(workspace: Workspace, header: GGUFHeader, *, positions: int = MAX_POSITIONS) -> list[HeldOutRow]:
    """Conversations that a model was not trained on, with at most `positions` trained positions in all.

    Args:
        header: of the model's GGUF file, which names its base and the dataset of its run.

    Raises:
        ConversionError: the dataset is damaged, or the file does not say which base it was made from.
        BaseModelError: the base is not imported, or its tokenizer cannot be read.
        DatasetError: a scenario cannot be rendered.
    """
    limit = min(header.hyperparameter("context_length") or MAX_TOKENS, MAX_TOKENS)
    rows = _rows_of_run(workspace, header) or _rendered(workspace, base_of(workspace, header))
    return shortened(_spread([row.cut(limit) for row in rows if row.cut(limit).wanted], MAX_ROWS), positions)


def _rows_of_run(workspace: Workspace, header: GGUFHeader) -> list[HeldOutRow]:
    """The held-out rows of the dataset that the model's run was made with; none where it is gone or held none out."""
    path = rows_file(workspace, header, "validation")
    if path is None:
        return []
    what = "The held-out conversations of this run cannot be read."
    next_step = "Delete this dataset below data/processed; the scenarios of data/validation are taken then."
    rows = read_columns(path, ["input_ids", "loss_mask"], what, next_step)
    return [HeldOutRow(ids=tuple(row["input_ids"]), mask=tuple(row["loss_mask"])) for row in rows]


def _rendered(workspace: Workspace, base: BaseModel) -> list[HeldOutRow]:
    parser = MarkdownParser(load_vocabulary(workspace.config_file("tools.yaml")))
    renderer = ConversationRenderer(base.tokenizer(), base.template())
    files = _spread(held_out_files(workspace), MAX_ROWS)
    rendered = [renderer.render(to_messages(parser.parse_scenario(path))) for path in files]
    return [HeldOutRow(ids=tuple(one.ids), mask=tuple(one.mask)) for one in rendered]


def held_out_files(workspace: Workspace) -> list[Path]:
    """The scenario files that no run is trained on, by name; the studio's own where the workspace has none."""
    own = sorted(workspace.validation_dir.rglob("*.md"))
    return own or sorted(Workspace(PROJECT_ROOT).validation_dir.rglob("*.md"))


def base_of(workspace: Workspace, header: GGUFHeader) -> BaseModel:
    """The base model whose tokenizer and chat template a file has.

    Raises:
        ConversionError: the file does not name it.
        BaseModelError: it is not imported.
    """
    name = header.text(BASE_NAME)
    if not name and header.path.resolve().is_relative_to(workspace.base_dir.resolve()):
        name = header.path.resolve().relative_to(workspace.base_dir.resolve()).parts[0]
    if not name:
        raise ConversionError(
            "This file does not say which base model it was made from.",
            why="So the held-out scenarios cannot be put into its tokens.",
            next_step="Measure a file that the studio made.",
            where=header.path.name,
        )
    return get_base(workspace, name)


def shortened(rows: Sequence[HeldOutRow], positions: int) -> list[HeldOutRow]:
    """The rows with an even share of `positions` each, cut off where that is reached; short ones leave theirs over."""
    shares: dict[int, int] = {}
    left = positions
    for done, number in enumerate(sorted(range(len(rows)), key=lambda number: len(rows[number].wanted))):
        shares[number] = min(len(rows[number].wanted), left // (len(rows) - done))
        left -= shares[number]
    return [_with_positions(row, shares[number]) for number, row in enumerate(rows) if shares[number]]


def _with_positions(row: HeldOutRow, positions: int) -> HeldOutRow:
    return row.cut(row.wanted[positions - 1] + 2)


def _spread(items: Sequence[_Item], count: int) -> list[_Item]:
    """At most `count` of them, at even distances."""
    if len(items) <= count:
        return list(items)
    return [items[number * len(items) // count] for number in range(count)]
