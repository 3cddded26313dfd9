"""Work on the next blocks while the last one is written: numpy lets other threads run while it computes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

THREADS = 2
_Item = TypeVar("_Item")
_Done = TypeVar("_Done")


def in_order(work: Callable[[int, _Item], _Done], items: Iterable[tuple[int, _Item]]) -> Iterator[_Done]:
    """`work` of every item, on two threads and in the items' order; at most three results wait at a time.

    What `work` or `items` raise is raised here, when its turn comes.
    """
    waiting: deque[Future[_Done]] = deque()
    with ThreadPoolExecutor(THREADS) as pool:
        for number, item in items:
            waiting.append(pool.submit(work, number, item))
            if len(waiting) > THREADS:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
