import re
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from studio.database import migrate, schema_version
from studio.registry import Registry, RegistryDamagedError, RegistryError
from studio.registry.migrations import MIGRATIONS
from studio.workspace import PROJECT_ROOT, Workspace
from tests.registry.conftest import ModelMaker, deployed

Approved = Callable[..., int]
OLD_VERSION = """INSERT INTO versions (sha256, path, size, name, parents, created, registered)
    VALUES (?, 'old/old.gguf', 5, 'old', '{"base": "x"}', '2026-01-01T00:00:00+00:00', '2026-01-02T00:00:00+00:00')"""


def database(workspace: Workspace) -> Path:
    return workspace.state_dir / "registry.sqlite"


def columns(connection: sqlite3.Connection) -> dict[str, list[str]]:
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    return {name: [row[1] for row in connection.execute(f"PRAGMA table_info({name})")] for (name,) in tables.fetchall()}


@pytest.mark.parametrize("start", range(len(MIGRATIONS)))
def test_a_database_of_any_earlier_schema_is_brought_up_to_date_with_its_rows(
    empty_workspace: Workspace, start: int
) -> None:
    empty_workspace.state_dir.mkdir(parents=True)
    with closing(sqlite3.connect(database(empty_workspace), isolation_level=None)) as connection:
        for statement in (one for migration in MIGRATIONS[:start] for one in migration):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {start}")
        if start:
            connection.execute(OLD_VERSION, ("c" * 64,))
    versions = Registry(empty_workspace).versions()
    assert [(one.name, one.parents) for one in versions] == [("old", {"base": "x"})] * bool(start)
    with closing(sqlite3.connect(database(empty_workspace))) as connection:
        assert schema_version(connection) == len(MIGRATIONS)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_migration_that_fails_leaves_the_schema_as_it_was(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "registry.sqlite", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE approvals (obstacle TEXT)")
        with pytest.raises(sqlite3.OperationalError):
            migrate(connection, MIGRATIONS)
        assert schema_version(connection) == 0
        assert columns(connection) == {"approvals": ["obstacle"]}


def test_many_that_open_a_new_registry_at_once_all_succeed(empty_workspace: Workspace) -> None:
    failures: list[BaseException] = []

    def open_it() -> None:
        try:
            Registry(empty_workspace).versions()
        except BaseException as error:  # noqa: BLE001 - collected for the assertion
            failures.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_the_documented_schema_is_the_real_one(empty_workspace: Workspace) -> None:
    Registry(empty_workspace)
    text = (PROJECT_ROOT / "docs" / "registry.md").read_text(encoding="utf-8")
    documented: dict[str, list[str]] = {}
    for title, body in re.findall(r"^### `(\w+)`\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL):
        documented[title] = re.findall(r"^\| `(\w+)` \|", body, re.MULTILINE)
    with closing(sqlite3.connect(database(empty_workspace))) as connection:
        assert documented == columns(connection)


@pytest.mark.parametrize("damage", ["rubbish", "truncated", "overwritten page", "overwritten index"])
def test_a_damaged_database_is_refused_and_left_as_it_is(
    empty_workspace: Workspace, registry: Registry, approved: Approved, damage: str
) -> None:
    registry.deploy(approved("first"))
    before, path = deployed(empty_workspace), database(empty_workspace)
    whole = path.read_bytes()
    with closing(sqlite3.connect(path)) as connection:
        page_of = "SELECT rootpage FROM sqlite_master WHERE name = 'sqlite_autoindex_versions_1'"
        index = 4096 * (connection.execute(page_of).fetchone()[0] - 1)  # opening alone would never read it
    content = {
        "rubbish": b"no database at all " * 400,
        "truncated": whole[: len(whole) // 2],
        "overwritten page": whole[:4096] + b"\xff" * 4096 + whole[8192:],
        "overwritten index": whole[: index + 100] + b"\0" * 3996 + whole[index + 4096 :],
    }[damage]
    path.write_bytes(content)
    with pytest.raises(RegistryDamagedError) as caught:
        Registry(empty_workspace)
    assert "registry.sqlite" in caught.value.next_step
    assert path.read_bytes() == content
    assert deployed(empty_workspace) == before


def test_the_way_out_of_a_damaged_database_keeps_what_is_deployed(
    empty_workspace: Workspace, registry: Registry, approved: Approved, make_model: ModelMaker
) -> None:
    registry.deploy(approved("first"))
    before = deployed(empty_workspace)
    for path in empty_workspace.state_dir.glob("registry.sqlite*"):
        path.rename(path.with_name("moved-" + path.name))
    fresh = Registry(empty_workspace)
    assert deployed(empty_workspace) == before
    assert fresh.history() == []
    fresh.deploy(fresh.approve(fresh.register(make_model("second")).id).id)
    assert deployed(empty_workspace)["name"] == "second.Q8_0"  # type: ignore[index]
    releases = (empty_workspace.root / "models" / "deployed" / ".releases").iterdir()
    assert len(list(releases)) == 2


def test_a_database_of_a_newer_studio_is_refused(empty_workspace: Workspace, registry: Registry) -> None:
    with closing(sqlite3.connect(database(empty_workspace))) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    with pytest.raises(RegistryDamagedError):
        Registry(empty_workspace)


def test_a_database_that_cannot_be_opened_is_an_error_in_plain_words(empty_workspace: Workspace) -> None:
    database(empty_workspace).mkdir(parents=True)
    with pytest.raises(RegistryError) as caught:
        Registry(empty_workspace)
    assert caught.value.next_step
