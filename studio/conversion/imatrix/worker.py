"""The process in which llama.cpp reads the texts of an importance matrix. It imports llama.cpp."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from pydantic import BaseModel

from studio.conversion.imatrix.activations import ActivationSession
from studio.conversion.worker_process import Report, serve


class ImatrixRequest(BaseModel):
    """What to read with which model.

    Attributes:
        rows: token ids of the texts.
        last: the weight matrix whose inputs are computed last.
        part: tokens that are computed together.
        folder: where the sums are left, as `sums.npz` and `counts.npz` by the names of the weight matrices.
    """

    gguf: Path
    rows: list[list[int]]
    last: str
    part: int
    threads: int
    folder: Path


class ImatrixAnswer(BaseModel):
    """How many weight matrices were seen, and tokens read."""

    entries: int
    tokens: int


def collect(request: ImatrixRequest, report: Report) -> ImatrixAnswer:
    """Read the texts, report the tokens read and to read, and leave the sums in the folder."""
    total, done = sum(map(len, request.rows)), 0
    longest = max(map(len, request.rows))
    with ActivationSession(
        request.gguf, request.last, context=longest, part=request.part, threads=request.threads
    ) as session:
        for row in request.rows:
            for part in session.read(row):
                done += part
                report(done, total)
        found = session.activations
    np.savez(request.folder / "sums.npz", allow_pickle=False, **{name: one.sums for name, one in found.items()})
    np.savez(request.folder / "counts.npz", allow_pickle=False, **{name: one.counts for name, one in found.items()})
    return ImatrixAnswer(entries=len(found), tokens=done)


if __name__ == "__main__":
    sys.exit(serve(ImatrixRequest, collect))
