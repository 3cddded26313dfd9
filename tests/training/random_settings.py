"""Random training settings, made from the fields themselves: a new one takes part in every test that uses them."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import strategies as st
from pydantic import ValidationError

from studio.config import BalanceConfig, DatasetConfig, TrainingConfig

_MOST = 10**6
Strategy = st.SearchStrategy[Any]
DATASETS = st.builds(
    DatasetConfig,
    validation_fraction=st.none() | st.floats(0, 0.5),
    pairs=st.booleans(),
    split_seed=st.integers(0, 2**32 - 1),
    balance=st.builds(BalanceConfig, by=st.lists(st.sampled_from(["type", "tool"]), unique=True), cap=st.floats(1, 9)),
)


def training_configs() -> st.SearchStrategy[TrainingConfig]:
    """Settings that `TrainingConfig` accepts, any of them; most leave most fields as they are."""
    fields = {name: _values(schema) for name, schema in TrainingConfig.model_json_schema()["properties"].items()}
    fields |= {"dataset": st.none() | DATASETS, "base_model": st.text(max_size=20)}
    some = st.fixed_dictionaries({}, optional=fields)
    return some.map(_config).filter(lambda config: config is not None)


def _config(values: dict[str, Any]) -> TrainingConfig | None:
    try:
        return TrainingConfig.model_validate(values)
    except ValidationError:  # fields that do not go together
        return None


def _values(schema: dict[str, Any]) -> Strategy:
    if "anyOf" in schema:
        return st.one_of([_values(one) for one in schema["anyOf"] if "$ref" not in one])
    if "enum" in schema or "const" in schema:
        return st.sampled_from(schema.get("enum", [schema.get("const")]))
    return _KINDS[schema["type"]](schema)


def _whole(schema: dict[str, Any]) -> Strategy:
    low = schema.get("minimum", schema.get("exclusiveMinimum", -1) + 1)
    return st.integers(low, schema.get("maximum", schema.get("exclusiveMaximum", _MOST + 1) - 1))


def _number(schema: dict[str, Any]) -> Strategy:
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    low = math.nextafter(above, math.inf) if above is not None else schema.get("minimum", 0)
    return st.floats(low, math.nextafter(below, 0) if below is not None else schema.get("maximum"), allow_nan=False)


def _array(schema: dict[str, Any]) -> Strategy:
    items = schema["items"]
    names = st.from_regex(r"[a-z_0-9.]{1,12}", fullmatch=True)
    return st.lists(
        st.sampled_from(items["enum"]) if "enum" in items else names, unique=True, min_size="enum" not in items
    )


_KINDS = {
    "integer": _whole,
    "number": _number,
    "boolean": lambda _: st.booleans(),
    "string": lambda _: st.text(max_size=20),
    "array": _array,
    "null": lambda _: st.none(),
}
