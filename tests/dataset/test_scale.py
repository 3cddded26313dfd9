"""Many scenarios: generated ones are valid, memory does not grow with the rows, and likeness costs no square."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from benchmarks.dataset import scenario, write_scenarios
from studio.bases import BaseModel
from studio.dataset import SPLITS, TrainingDataProcessor
from studio.dataset.duplicates import near_duplicates
from studio.dataset.rows_store import SCHEMA, count_rows, read_rows, write_rows
from studio.dataset.wordprints import signature
from studio.scenarios import MarkdownParser
from studio.workspace import Workspace

TOKENS = 400


def tables(count: int, rows: int) -> Iterator[pa.Table]:
    for number in range(count):
        yield pa.table(
            {
                "source": [f"{number}.md"] * rows,
                "scenario_type": ["combat"] * rows,
                "turns": [[0, 2]] * rows,
                "input_ids": [list(range(number, number + TOKENS))] * rows,
                "loss_mask": [[True] * TOKENS] * rows,
                "trained": [TOKENS] * rows,
                "tools": [["attack"]] * rows,
                "outcomes": [[]] * rows,
                "calls": [[True, False]] * rows,
            },
            schema=SCHEMA,
        )


def test_writing_and_reading_rows_keeps_a_batch_in_memory_however_many_there_are(tmp_path: Path) -> None:
    pool, peaks = pa.default_memory_pool(), []
    before = pool.bytes_allocated()

    def watched() -> Iterator[pa.Table]:
        for table in tables(150, 100):
            peaks.append(pool.bytes_allocated() - before)
            yield table

    write_rows(tmp_path / "rows.arrow", watched())
    peaks += [pool.bytes_allocated() - before for _ in read_rows(tmp_path / "rows.arrow")]
    written = (tmp_path / "rows.arrow").stat().st_size
    assert written > 15_000 * TOKENS * 4
    assert max(peaks) < written / 10


@pytest.mark.parametrize(("count", "rows"), [(0, 0), (1, 1), (3, 100), (2, 256), (1, 1000)])
def test_any_number_of_rows_comes_back_as_written(tmp_path: Path, count: int, rows: int) -> None:
    write_rows(tmp_path / "rows.arrow", tables(count, rows))
    found = list(read_rows(tmp_path / "rows.arrow"))
    assert [(row.source, row.input_ids[0]) for row in found] == [
        (f"{n}.md", n) for n in range(count) for _ in range(rows)
    ]
    counts = count_rows(tmp_path / "rows.arrow", {"combat": count} if count else {})
    assert (counts.rows, counts.tokens) == (count * rows, count * rows * TOKENS)
    assert counts.longest_row == (TOKENS if found else 0)


def test_thousands_of_variants_of_one_text_are_one_group() -> None:
    chance = random.Random(3)
    words = [f"word{number}" for number in range(300)]
    variants = []
    for number in range(3000):
        variant = list(words)
        for place in chance.sample(range(300), 6):
            variant[place] = f"other{number}{place}"
        variants.append(signature(variant))
    groups = near_duplicates(np.stack(variants))
    assert max(map(len, groups)) > 2900


def test_generated_scenarios_have_no_errors_and_words_of_their_own() -> None:
    parser = MarkdownParser()
    texts = [scenario(number) for number in range(60)]
    assert not [one for text in texts for one in parser.validate_format(text).errors]
    assert len(set(texts)) == 60


@pytest.mark.slow
def test_hundreds_of_scenarios_become_rows_on_all_cores(workspace: Workspace, smollm2: BaseModel) -> None:
    write_scenarios(workspace.scenarios_dir, 600)
    calls: list[tuple[int, int]] = []
    dataset = TrainingDataProcessor(workspace, smollm2, 2048).process_scenarios(
        workspace.scenarios_dir, lambda done, total: calls.append((done, total))
    )
    assert calls[-1] == (600, 600)
    assert [done for done, _ in calls] == sorted({done for done, _ in calls})
    assert sum(dataset.manifest.counts[split].scenarios for split in SPLITS) == 600
    near = [int(Path(row.source).stem) for row in dataset.manifest.report if row.kind == "near duplicate"]
    assert sorted(round(number / 50) * 50 for number in near) == list(range(50, 600, 50))
