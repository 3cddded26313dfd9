"""Which tests stay together when pytest-xdist spreads them over several processes, and which begin first."""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

TOGETHER = ("tests/training/", "tests/conversion/", "tests/validation/")
"""Folders whose tests share a trained run, merged files or an evaluation, which each process would make anew."""


class Scheduler(LoadScopeScheduling):
    """A file is worked off by one process, and so is a folder of `TOGETHER`. These begin first: they take longest."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return next((folder for folder in TOGETHER if file.startswith(folder)), file)

    def _assign_work_unit(self, node: WorkerController) -> None:
        if first := next((folder for folder in TOGETHER if folder in self.workqueue), None):
            self.workqueue.move_to_end(first, last=False)
        super()._assign_work_unit(node)
