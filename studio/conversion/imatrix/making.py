"""Make the importance matrix of a model from texts, or take the one that was made from them before."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import BaseModel

from studio.conversion.formats.gguf_header import GGUFHeader, read_header
from studio.conversion.formats.gguf_stream import ProgressCallback, StopCallback
from studio.conversion.imatrix.matrix import Activations, ImportanceMatrix, read_imatrix, write_imatrix
from studio.conversion.imatrix.worker import ImatrixAnswer, ImatrixRequest
from studio.conversion.metadata import TOKENS
from studio.conversion.worker_process import run_worker
from studio.errors import ConversionError
from studio.jobs import usable_cores
from studio.workspace import sha256_file

DEFAULT_TOKENS = 16_384
"""Read at most, over all texts. Sums over more change little; see docs/conversion.md."""
LONGEST_ROW = 2048
"""Tokens of a text at most; the rest of a longer one is left out."""
LOGITS_BYTES = 64 << 20
"""llama.cpp makes room for the logits of all tokens that it computes together, though they are not computed here."""
TIMEOUT_SECONDS = 6 * 3600.0
_PARTS = (32, 512)


class ImatrixReport(BaseModel):
    """The file, and what was read for it.

    Attributes:
        entries: weight matrices whose inputs are in it.
        reused: it had been made of the same model and texts before.
    """

    path: Path
    entries: int
    rows: int
    tokens: int
    reused: bool


def make_imatrix(
    gguf: Path,
    rows: Sequence[Sequence[int]],
    target: Path,
    *,
    texts: str = "",
    tokens: int = DEFAULT_TOKENS,
    threads: int = 0,
    progress: ProgressCallback | None = None,
    stop: StopCallback | None = None,
) -> ImatrixReport:
    """The importance matrix of a model in `target`, which is kept as it is if it was made of the same model and texts.

    Args:
        gguf: the unquantized file; a quantized one gives the sums of its own, slightly other, activations.
        rows: token ids of the texts. Where they are too many, those are taken that stand first by their hash.
        texts: how the texts are called in the file.
        tokens: read at most so many.
        threads: 0 takes all cores that this process may use.
        progress: told the tokens read and to read.

    Raises:
        ConversionError: there is no text, a token that the model does not have, or llama.cpp cannot run the file.
            `target` stays as it was.
        ConversionStopped: `stop` said yes.
    """
    header = read_header(gguf)
    chosen = choose_rows(rows, tokens)
    _check(header, chosen)
    described = (sha256_file(gguf), texts_sha256(chosen))
    known = _known(target)
    reused = known is not None and (known.model_sha256, known.texts_sha256) == described
    if known is None or not reused:
        entries = _collect(header, chosen, threads or usable_cores(), progress, stop)
        known = ImportanceMatrix(entries, (texts or "texts",), len(chosen), max(map(len, chosen)), *described)
        write_imatrix(target, known)
    return ImatrixReport(
        path=target, entries=len(known.entries), rows=len(chosen), tokens=sum(map(len, chosen)), reused=reused
    )


def choose_rows(rows: Sequence[Sequence[int]], tokens: int) -> list[list[int]]:
    """Texts of at most `tokens` tokens in all, the same from the same texts in any order; each of them once."""
    cut = {_digest(row[:LONGEST_ROW]): list(row[:LONGEST_ROW]) for row in rows if len(row)}
    chosen: list[list[int]] = []
    left = tokens
    for _, row in sorted(cut.items()):
        if left > 0:
            chosen.append(row[:left])
            left -= len(row)
    return chosen


def texts_sha256(rows: Sequence[Sequence[int]]) -> str:
    """A hash of token ids that tells where each text ends."""
    return hashlib.sha256(b"".join(bytes.fromhex(_digest(row)) for row in rows)).hexdigest()


def _digest(row: Sequence[int]) -> str:
    return hashlib.sha256(np.asarray(row, np.int32).tobytes()).hexdigest()


def _check(header: GGUFHeader, rows: Sequence[Sequence[int]]) -> None:
    if not rows:
        raise ConversionError(
            "There is no text to make an importance matrix from.",
            next_step="Write a scenario, or name files with --scenarios.",
        )
    vocabulary = header.count(TOKENS)
    if not 0 <= min(map(min, rows)) <= max(map(max, rows)) < vocabulary:
        raise ConversionError(
            "The texts are in the tokens of another model.",
            why=f"{header.path.name} knows {vocabulary:,} tokens, and there are others in them.",
            next_step="Use texts that were made for this model's base.",
        )


def _known(target: Path) -> ImportanceMatrix | None:
    try:
        return read_imatrix(target)
    except ConversionError:
        return None


def _collect(
    header: GGUFHeader,
    rows: list[list[int]],
    threads: int,
    progress: ProgressCallback | None,
    stop: StopCallback | None,
) -> dict[str, Activations]:
    with tempfile.TemporaryDirectory(prefix="studio-imatrix-") as folder:
        request = ImatrixRequest(
            gguf=header.path.resolve(),
            rows=rows,
            last=_last_matrix(header),
            part=_tokens_at_once(header),
            threads=threads,
            folder=Path(folder),
        )
        module = "studio.conversion.imatrix.worker"
        run_worker(module, request, ImatrixAnswer, timeout=TIMEOUT_SECONDS, progress=progress, stop=stop)
        with np.load(request.folder / "sums.npz") as sums, np.load(request.folder / "counts.npz") as counts:
            found = {name: Activations(sums[name], counts[name]) for name in sums.files}
    _check_complete(header, found)
    return found


def _check_complete(header: GGUFHeader, found: dict[str, Activations]) -> None:
    """Every weight matrix of the layers must have been seen, else the quantizer would say so late or not at all."""
    wanted = {one.name for one in header.tensors if len(one.shape) > 1 and one.name.startswith("blk.")}
    missing = sorted(wanted - set(found))
    broken = sorted(name for name, one in found.items() if not np.isfinite(one.sums).all())
    if missing or broken:
        why = f"llama.cpp did not show what goes into {missing[0]}." if missing else f"{broken[0]} got no numbers."
        raise ConversionError(
            f"No importance matrix of {header.path.name} could be made.",
            why=why,
            next_step="Choose a type that needs none, such as Q4_K_M.",
        )


def _last_matrix(header: GGUFHeader) -> str:
    """The last layer's way out of its feed-forward part: what follows is the output layer alone."""
    return f"blk.{(header.hyperparameter('block_count') or 1) - 1}.ffn_down.weight"


def _tokens_at_once(header: GGUFHeader) -> int:
    fitting = LOGITS_BYTES // (4 * max(header.count(TOKENS), 1))
    return min(max(fitting, _PARTS[0]), _PARTS[1])
