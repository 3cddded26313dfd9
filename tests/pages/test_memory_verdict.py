"""The verdict on a run's memory, on the form: plain where it fits, a warning with what to change where it does not."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from studio.bases import BaseModel
from tests.pages.conftest import Borrow


def _page(settings: str) -> None:
    from pages.parts.memory_verdict import memory_verdict
    from studio.config import TrainingConfig

    memory_verdict(TrainingConfig.model_validate_json(settings))


@pytest.mark.parametrize(
    ("settings", "warned"),
    [
        ('{"base_model": "tiny-llama", "max_seq_length": 256}', False),
        ('{"base_model": "tiny-llama", "max_seq_length": 131072, "batch_size": 32}', True),
    ],
)
def test_the_verdict_warns_only_where_a_run_does_not_fit(
    tiny_llama: BaseModel, borrow: Borrow, settings: str, warned: bool
) -> None:
    borrow(tiny_llama)
    app = AppTest.from_function(_page, args=(settings,), default_timeout=120).run()
    assert not app.exception
    assert len(app.warning) == warned
    assert len(app.caption) == (not warned)
    assert "together" in app.markdown[-1].value
    if warned:
        assert "tokens" in app.warning[0].value


def test_there_is_no_verdict_on_a_base_that_is_not_there() -> None:
    app = AppTest.from_function(_page, args=('{"base_model": "gone"}',), default_timeout=120).run()
    assert not app.exception
    assert not app.caption
    assert not app.warning
