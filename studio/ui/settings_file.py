"""Training settings as a file to keep: written with a comment above every key, and read from hostile text."""

from __future__ import annotations

import difflib
from typing import Any

import yaml
from pydantic import ValidationError

from studio.config import TrainingConfig, explained_yaml
from studio.errors import ConfigError
from studio.ui.settings import faults_of

MOST_BYTES = 100_000
_HEAD = "# Settings of a training run. Load them on the page Train, or: python -m studio train --config THIS_FILE\n"


def as_file(config: TrainingConfig) -> str:
    """The settings as YAML; `from_file` and `train --config` read them back as they are."""
    return _HEAD + explained_yaml(config)


def from_file(text: str, where: str) -> TrainingConfig:
    """The settings in a file; what it leaves out has the studio's default.

    Args:
        where: the file's name, for the error.

    Raises:
        ConfigError: it is too long, no YAML, or names a key or a value that cannot be; every such key with its reason.
    """
    values = _mapping(text, where)
    try:
        return TrainingConfig.model_validate(values)
    except ValidationError as error:
        raise _unusable(_reasons(error), where) from error


def _mapping(text: str, where: str) -> dict[str, Any]:
    if len(text.encode()) > MOST_BYTES:
        raise _unusable("It is much too long for a file of settings.", where)
    try:
        values = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise _unusable(f"It is not written as YAML; {line}{error.problem}.", where) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise _unusable("It is not written as YAML.", where) from error
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise _unusable("It has no lines of the form `setting: value`.", where)
    return values


def _reasons(error: ValidationError) -> str:
    """A sentence per key."""
    unknown = [one for one in error.errors() if one["type"] == "extra_forbidden"]
    said = [f"{'.'.join(map(str, one['loc']))}: there is no such setting.{_guess(one['loc'])}" for one in unknown]
    names = {str(one["loc"][0]) for one in unknown}
    said += [f"{one.name or 'file'}: {one.text}" for one in faults_of(error) if one.name not in names]
    return " ".join(said)


def _guess(place: tuple[int | str, ...]) -> str:
    near = difflib.get_close_matches(str(place[-1]), TrainingConfig.model_fields, n=1) if len(place) == 1 else []
    return f" Did you mean {near[0]}?" if near else ""


def _unusable(why: str, where: str) -> ConfigError:
    return ConfigError(
        "These settings cannot be used.", why=why, next_step="Correct it and load the settings again.", where=where
    )
