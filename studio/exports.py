"""Names of a package that are looked up when they are first used.

A worker process (`python -m studio.play.hosts.host`) imports the packages above its module first; it starts in a
fraction of the time when those load nothing that it does not need.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any


def lazily(package: dict[str, Any], modules: Sequence[str]) -> Callable[[str], Any]:
    """The `__getattr__` (PEP 562) of a package: names in its `__all__`, in the first of `modules` that has them.

    Args:
        package: the package's `globals()`.
        modules: of the package, by their names in it, such as `turns.events`.
    """

    def look_up(name: str) -> Any:
        if name in package["__all__"]:
            for module in modules:
                found = vars(importlib.import_module(f"{package['__name__']}.{module}"))
                if name in found:
                    return package.setdefault(name, found[name])
        raise AttributeError(f"module {package['__name__']!r} has no attribute {name!r}")

    return look_up
