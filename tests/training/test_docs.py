"""docs/training.md keeps up with the settings, the presets and the Python names."""

from __future__ import annotations

import ast
import re

import studio.training
from studio import cli
from studio.config import TrainingConfig, load_presets
from studio.workspace import PROJECT_ROOT, Workspace

PAGE = (PROJECT_ROOT / "docs" / "training.md").read_text(encoding="utf-8")


def test_the_table_of_settings_has_every_field_with_its_default() -> None:
    table = dict(re.findall(r"^\| `(\w+)` \| (\S+) \|", PAGE, re.MULTILINE))
    assert table == {name: str(field.default) for name, field in TrainingConfig.model_fields.items()}


def test_every_preset_is_on_the_page() -> None:
    assert all(f"\n| {preset.title} |" in PAGE for preset in load_presets(Workspace.find()).values())


def test_every_command_of_the_page_is_understood() -> None:
    lines = re.findall(r"^    python -m studio (.+)$", PAGE, re.MULTILINE)
    parsed = [cli.build_parser().parse_args(line.split()).command for line in lines]
    assert set(parsed) == {"train", "runs", "stop", "queue"}


def test_the_python_example_uses_names_that_exist() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    imports = [node for node in ast.parse(example).body if isinstance(node, ast.ImportFrom)]
    names = {alias.name for node in imports for alias in node.names if node.module == "studio.training"}
    methods = set(re.findall(r"trainer\.(\w+)\(", example))
    assert names == {"ModelTrainer", "start_run"}
    assert all(hasattr(studio.training.ModelTrainer, method) for method in methods)
