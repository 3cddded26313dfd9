"""Which file a person means by the name of a model on the command line."""

from __future__ import annotations

from pathlib import Path

from studio.commands import Context
from studio.conversion import find_model, list_models


def source_named(name: str, context: Context) -> Path:
    """A file, the unquantized file of a run, or any other model. Raises `ConversionError`."""
    if Path(name).is_file():
        return Path(name)
    known = {one.path for one in list_models(context.workspace)}
    of_run = next((path for path in known if path.name == f"{name}.f16.gguf"), None)
    return of_run or find_model(context.workspace, name)
