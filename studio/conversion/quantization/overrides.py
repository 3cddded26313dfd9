"""Types of single tensors that somebody asks for, instead of those that the type of the file gives them.

An override is a pattern and the name of a type. Patterns are those of file names (`*`, `?`), compared with a tensor's
whole name, or with the name without `.weight`, or without `blk.N.` as well: `attn_v` stands for that matrix of every
layer, `blk.0.*` for the first layer, `token_embd` for the embedding. llama.cpp searches its own patterns anywhere in a
name, where `output` would also mean every `attn_output`; here it means the output layer alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import TypeAlias

from gguf.constants import GGMLQuantizationType as Kind

from studio.errors import ConversionError

Overrides: TypeAlias = Mapping[str, str]

KINDS = (
    Kind.F32, Kind.F16, Kind.BF16, Kind.Q8_0, Kind.Q6_K, Kind.Q5_1, Kind.Q5_K, Kind.Q5_0, Kind.Q4_1, Kind.Q4_K,
    Kind.IQ4_NL, Kind.Q4_0, Kind.IQ4_XS, Kind.Q3_K, Kind.IQ3_S, Kind.IQ3_XXS, Kind.Q2_K, Kind.IQ2_S, Kind.IQ2_XS,
    Kind.TQ2_0, Kind.IQ2_XXS, Kind.IQ1_M, Kind.TQ1_0, Kind.IQ1_S,
)  # fmt: skip
"""The types that llama.cpp can give a tensor, in falling bits per weight."""
_BLOCK = re.compile(r"^blk\.\d+\.")


def kind_named(name: str) -> Kind:
    """The type of a tensor by its name, in any case. Raises `ConversionError` with the names there are."""
    found = next((kind for kind in KINDS if kind.name == name.strip().upper()), None)
    if found is None:
        raise ConversionError(
            f"No tensor can have the type {name!r}.",
            next_step=f"Use one of {', '.join(kind.name for kind in KINDS)}.",
            where="override",
        )
    return found


def override_kinds(names: Iterable[str], overrides: Overrides) -> dict[str, Kind]:
    """Which of the tensors `names` get which type; the first pattern that fits a tensor decides.

    Args:
        names: tensors that may be quantized; norms and biases are not among them.

    Raises:
        ConversionError: there is no such type, or a pattern fits none of the tensors.
    """
    every = list(names)
    kinds: dict[str, Kind] = {}
    for pattern, type_name in overrides.items():
        kind = kind_named(type_name)
        fitting = [name for name in every if _fits(name, pattern)]
        if not fitting:
            raise _fits_nothing(pattern, every)
        for name in fitting:
            kinds.setdefault(name, kind)
    return kinds


def _fits(name: str, pattern: str) -> bool:
    short = name.removesuffix(".weight")
    return any(fnmatchcase(one, pattern) for one in (name, short, _BLOCK.sub("", short)))


def _fits_nothing(pattern: str, names: list[str]) -> ConversionError:
    parts = sorted({_BLOCK.sub("", name.removesuffix(".weight")) for name in names})
    return ConversionError(
        f"No tensor of this model that can be quantized is called {pattern!r}.",
        next_step=f"Use one of {', '.join(parts[:20])}, or a pattern such as 'blk.0.*'.",
        where="override",
    )
