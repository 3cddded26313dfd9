"""What scenarios are called: ids such as `combat/dragon-encounter`, and the paths they stand for.

An id is a type and a file name without `.md`. New names must be plain (`studio.workspace.safe_name`); files that came
by other ways keep the name they have as long as it is one ordinary component. No id ever leads out of its folder.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from studio.errors import WorkspaceError
from studio.scenarios.library.errors import ScenarioNameError
from studio.scenarios.models import SCENARIO_TYPES
from studio.workspace import Workspace, safe_name

SUFFIX = ".md"
_MAX_NAME_BYTES = 120
_NOT_PLAIN = re.compile(r"[^\w .+-]+")
_COUNTER = re.compile(r"(.*?) (\d{1,4})", re.DOTALL)


def join_id(scenario_type: str, name: str) -> str:
    """The id of a new scenario: type checked, name made plain (a typed `.md` is dropped).

    Raises:
        ScenarioNameError: no such type, or the name cannot be a file name.
    """
    if scenario_type not in SCENARIO_TYPES:
        raise ScenarioNameError(
            f"{scenario_type!r} is no type of scenario.", next_step=f"Choose one of {', '.join(SCENARIO_TYPES)}."
        )
    written = unicodedata.normalize("NFC", name).strip()
    if written.lower().endswith(SUFFIX):
        written = written[: -len(SUFFIX)]
    try:
        return f"{scenario_type}/{safe_name(written)}"
    except (WorkspaceError, UnicodeEncodeError) as error:
        next_step = (
            "Use letters, digits, spaces, '-', '_' and '.' (at most 120 bytes), and begin with a letter or digit."
        )
        raise ScenarioNameError(f"{name!r} cannot be the name of a scenario.", next_step=next_step) from error


def split_id(scenario_id: str) -> tuple[str, str]:
    """Type and name of an id that may come from anywhere.

    Raises:
        ScenarioNameError: not `type/name` with a known type and one ordinary, visible file name.
    """
    scenario_type, _, name = scenario_id.partition("/")
    if scenario_type not in SCENARIO_TYPES or not _is_one_component(name):
        raise ScenarioNameError(f"{scenario_id!r} is not the id of a scenario.", next_step="Choose one from the list.")
    return scenario_type, name


def path_of(workspace: Workspace, scenario_id: str) -> Path:
    """The file of an id, inside its type's folder and not a link to somewhere else.

    Raises:
        ScenarioNameError: the id is malformed or leads elsewhere.
    """
    scenario_type, name = split_id(scenario_id)
    folder = workspace.inside(workspace.scenarios_dir, scenario_type)
    try:
        path = workspace.inside(folder, name + SUFFIX)
    except WorkspaceError as error:
        raise ScenarioNameError(f"{scenario_id!r} leads out of the scenarios.") from error
    if path.parent != folder or path.name != name + SUFFIX:
        raise ScenarioNameError(
            f"{scenario_id!r} is a link to another file.", next_step="Replace the link by the file."
        )
    return path


def fold(name: str) -> str:
    """The form in which two names are the same on systems that ignore case or compose accents differently."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def key_of(scenario_id: str) -> str:
    """The folder name under which history and drafts of an id lie: plain, short and the same for all spellings."""
    return hashlib.sha256(fold(scenario_id).encode("utf-8", errors="surrogatepass")).hexdigest()[:32]


def tidy_name(written: str) -> str:
    """The nearest plain name: other characters become `-`, too long is cut; `scenario` when nothing is left."""
    text = unicodedata.normalize("NFC", written.encode("utf-8", errors="replace").decode("utf-8"))
    plain = _NOT_PLAIN.sub("-", text).strip(" .-+_")
    cut = plain.encode()[: _MAX_NAME_BYTES - 8].decode("utf-8", errors="ignore").strip(" .-+_")
    try:
        return safe_name(cut)
    except WorkspaceError:
        return safe_name(f"scenario {cut}".strip()) if cut else "scenario"


def free_name(wanted: str, taken: Iterable[str]) -> str:
    """`wanted`, or `wanted 2`, `wanted 3` ... whichever no name in `taken` is the same as."""
    used = {fold(name) for name in taken}
    if fold(wanted) not in used:
        return wanted
    counted = _COUNTER.fullmatch(wanted)
    stem, number = (counted[1], int(counted[2])) if counted else (wanted, 1)
    stem = stem.encode()[: _MAX_NAME_BYTES - 6].decode("utf-8", errors="ignore").rstrip()
    while fold(f"{stem} {number + 1}") in used:
        number += 1
    return f"{stem} {number + 1}"


def _is_one_component(name: str) -> bool:
    return (
        bool(name)
        and not name.startswith(".")
        and not any(letter in "/\\" or ord(letter) < 32 or ord(letter) == 127 for letter in name)
        and len(name.encode("utf-8", errors="surrogatepass")) <= 250
    )
