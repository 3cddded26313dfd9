"""Numbers and names as a reader meets them."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from studio.ui.wording import about, count, duration, moment, plain, printable, short_hash, size

NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "less than a minute"), (29, "less than a minute"), (31, "about 1 minute"), (720, "about 12 minutes"),
        (23 * 60, "about 25 minutes"), (89 * 60, "about 90 minutes"), (90 * 60, "about 1 h 30 min"),
        (119 * 60, "about 2 h"), (160 * 60, "about 2 h 40 min"), (86_400, "about 1 day"), (1e9, "years"),
    ],
)  # fmt: skip
def test_an_estimate_is_no_finer_than_it_can_be(seconds: float, words: str) -> None:
    assert about(seconds) == words


@given(st.floats(60, 86_000))
def test_an_estimate_is_rounded_little(seconds: float) -> None:
    numbers = [int(one) for one in re.findall(r"\d+", about(seconds))]
    minutes = numbers[0] * (60 if " h" in about(seconds) else 1) + (numbers[1] if len(numbers) > 1 else 0)
    assert abs(minutes * 60 - seconds) <= max(31, 0.13 * seconds)


@pytest.mark.parametrize(
    ("bytes_", "words"),
    [
        (0, "0 B"), (999, "999 B"), (1000, "1 kB"), (999_499, "999 kB"), (999_500, "1 MB"),
        (98_123_456, "98 MB"), (999_600_000, "1.00 GB"), (1_234_000_000, "1.23 GB"),
    ],
)  # fmt: skip
def test_sizes_are_decimal(bytes_: int, words: str) -> None:
    assert size(bytes_) == words


@given(st.integers(0, 10**13))
def test_a_size_never_shows_four_digits_before_a_unit_below_the_last(bytes_: int) -> None:
    assert re.fullmatch(r"\d{1,3} (B|kB|MB)|\d+\.\d\d GB", size(bytes_))


@given(st.integers(1000, 10**13))
def test_a_size_is_right_within_half_its_last_digit(bytes_: int) -> None:
    number, unit = size(bytes_).split()
    scale = {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9}[unit]
    assert abs(float(number) * scale - bytes_) <= scale * (0.0051 if unit == "GB" else 0.501)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (200, "3 min 20 s"), (3599.6, "1 h 0 min"),
        (7500, "2 h 5 min"), (None, "–"), (-1, "–"), (float("nan"), "–"), (float("inf"), "–"),
    ],
)  # fmt: skip
def test_durations_read_aloud(seconds: float | None, words: str) -> None:
    assert duration(seconds) == words


@given(st.none() | st.floats())
def test_any_estimate_has_words(seconds: float | None) -> None:
    assert re.fullmatch(r"–|\d{1,2} s|\d{1,2} min \d\d s|\d+ h \d{1,2} min", duration(seconds))


def test_counts_know_one_from_many() -> None:
    assert (count(0, "turn"), count(1, "turn"), count(1204, "turn")) == ("0 turns", "1 turn", "1,204 turns")
    assert count(2, "die", "dice") == "2 dice"


@pytest.mark.parametrize(
    ("age", "words"),
    [(-500, "just now"), (0, "just now"), (61, "1 min ago"), (3599, "59 min ago"), (3600, "1 h ago"),
     (86_399, "23 h ago")],
)  # fmt: skip
def test_moments_are_told_from_now(age: float, words: str) -> None:
    assert moment(NOW - age, NOW) == words


def test_a_moment_long_ago_is_a_date() -> None:
    then = NOW - 40 * 86_400
    assert moment(then, NOW) == time.strftime("%d %b %Y, %H:%M", time.localtime(then))


def test_a_hash_is_shortened_and_none_is_a_dash() -> None:
    assert (short_hash("abcdef" * 10), short_hash("abcdef" * 10, 4), short_hash("")) == ("abcdefabcdef", "abcd", "–")


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=60))
def test_plain_text_has_no_markup_left(text: str) -> None:
    tokens = MarkdownIt("commonmark").enable("strikethrough").parse(plain(text))
    assert [one.type for one in tokens] == ["paragraph_open", "inline", "paragraph_close"]
    assert {one.type for one in tokens[1].children or []} <= {"text", "text_special"}
    assert "".join(one.content for one in tokens[1].children or []) == text


@given(st.text(st.characters(codec=None)))
def test_printable_text_can_always_be_sent(text: str) -> None:
    shown = printable(text)
    shown.encode("utf-8")
    assert len(shown) == len(text)


@given(st.text())
def test_printable_leaves_ordinary_text_alone(text: str) -> None:
    assert printable(text) == text
