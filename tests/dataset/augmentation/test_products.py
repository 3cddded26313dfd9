"""What holds for every product, whatever its parent and its operations are."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio.dataset.augmentation import (
    OPERATIONS,
    AugmentationPlan,
    Augmented,
    Refused,
    apply_operations,
    augment,
    expand_slots,
    has_slots,
    provenance_of,
)
from studio.dataset.augmentation.provenance import with_provenance
from studio.errors import DatasetError
from studio.scenarios import MarkdownParser, is_success, parse_tree, read_outcome, read_text
from studio.scenarios.reading import Reading
from tests.dataset.augmentation.generated import VOCABULARY, scenarios, shipped_texts, warnings_of
from tests.scenarios.mutations import mutants, nasty_files

EVERYTHING = AugmentationPlan(operations=tuple(OPERATIONS))
SLOW = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def shape(text: str) -> tuple[list[str], Counter[str | None], Counter[str | None]]:
    """Speakers, requests and answers."""
    reading = Reading(text, VOCABULARY)
    asked = Counter(one.tool_name for turn in reading.turns for one in turn.directives)
    answered = Counter(one.tool_name for turn in reading.turns for one in turn.results)
    return [turn.speaker for turn in reading.turns], asked, answered


def check_product(product: Augmented, parent: str) -> None:
    plain = expand_slots(parent)
    assert not Counter(warnings_of(product.text)) - Counter(warnings_of(plain))
    assert not has_slots(product.text)
    assert provenance_of(product.text, VOCABULARY) == {
        "parent": product.parent,
        "operations": list(product.operations),
        "seed": product.seed,
    }
    tree = parse_tree(product.text)
    assert "".join(product.text[node.start : node.end] for node in tree.nodes) == product.text
    if "no rolls" in product.operations:
        assert not shape(product.text)[2]
        assert shape(product.text)[0][-1] == "DM"
    else:
        assert shape(product.text) == shape(plain)
    check_numbers(product.text)


def check_numbers(text: str) -> None:
    """Sums add up, and where one roll with a dc was judged the word says what the dice say."""
    for exchange in Reading(text, VOCABULARY).exchanges:
        for pair in exchange.pairs:
            assert pair.line.total == sum(pair.line.dice) + sum(one.amount for one in pair.line.modifiers)
            if pair.line.pair:
                assert pair.line.dice == ((max if pair.line.mode == "advantage" else min)(pair.line.pair),)
        word = read_outcome(exchange.outcome.content) if exchange.outcome else None
        judged = [pair for pair in exchange.pairs if pair.directive.tool and pair.directive.tool.has_outcome]
        if len(judged) == 1 and word and (dc := judged[0].directive.arguments.get("dc")):
            assert (int(judged[0].line.total or 0) >= int(dc)) == is_success(word)


@pytest.mark.parametrize("together", [False, True])
def test_every_product_of_the_shipped_scenarios_is_valid_and_says_where_it_comes_from(together: bool) -> None:
    texts = shipped_texts()
    refused: list[Refused] = []
    plan = AugmentationPlan(operations=tuple(OPERATIONS)[: -1 if together else None], copies=2, together=together)
    made = list(augment(texts, plan, 11, on_refused=refused.append))
    for product in made:
        check_product(product, dict(texts)[product.parent])
    assert len(made) + len(refused) == len(texts) * len(plan.recipes()) * plan.copies
    assert len({one.name for one in made}) == len(made)
    assert {one.parent for one in made} == {name for name, _ in texts}


@SLOW
@given(scenarios(), st.integers(0, 2**31))
def test_every_product_of_a_generated_scenario_is_valid_and_says_where_it_comes_from(text: str, seed: int) -> None:
    warnings_of(expand_slots(text))
    refused: list[Refused] = []
    for product in augment([("mixed/made.md", text)], EVERYTHING, seed, on_refused=refused.append):
        check_product(product, text)
    assert all(one.operations and one.reason for one in refused)


@SLOW
@given(scenarios(), st.integers(0, 2**31))
def test_the_same_seed_gives_the_same_bytes_and_the_origin_is_enough_to_make_them_again(text: str, seed: int) -> None:
    first = list(augment([("made.md", text)], EVERYTHING, seed))
    assert list(augment([("made.md", text)], EVERYTHING, seed)) == first
    for product in first:
        again, done = apply_operations(text, product.operations, product.seed)
        assert done == product.operations
        assert with_provenance(again, product.parent, done, product.seed) == product.text


def test_operations_leave_broken_files_alone_or_change_them_but_never_raise() -> None:
    texts = [read_text(path) for path in nasty_files()] + list(mutants(3, 120))
    for text in texts:
        for operation in OPERATIONS.values():
            assert operation.apply(text, 3, VOCABULARY) != text
        for product in augment([("broken.md", text)], EVERYTHING, 3):
            check_product(product, text)


def test_other_seeds_give_other_products() -> None:
    texts = shipped_texts()
    plan = AugmentationPlan(operations=("re-rolled dice", "entity renaming"))
    one, other = ({product.text for product in augment(texts, plan, seed)} for seed in (1, 2))
    assert one.isdisjoint(other)


def test_a_parent_with_an_error_gives_nothing_and_a_reason() -> None:
    refused: list[Refused] = []
    wrong = dict(shipped_texts())["scenarios/seed_example.md"].replace("= *17*", "= *18*")
    assert list(augment([("wrong.md", wrong)], EVERYTHING, 1, on_refused=refused.append)) == []
    assert [(one.parent, one.operations) for one in refused] == [("wrong.md", ())]
    assert "line 46" in refused[0].reason


def test_a_product_with_a_new_warning_is_refused_with_its_place() -> None:
    name, text = "seed.md", dict(shipped_texts())["scenarios/seed_example.md"]
    said = "Nobody in the whole taproom so much as looks up from a plate."
    request = "[roll: stealth, dc=14, who=Sarah]"
    more = (
        f"<User>Sarah: I slip out.</User>\n<DM>{said} {request}</DM>\n"
        "<TOOLCALL>stealth: 7 + 7(skill) = *14*</TOOLCALL>\n"
        f"<DM>*SUCCESS* You are out.</DM>\n<!-- otherwise: <DM>*FAILED* A stair creaks. {said}</DM> -->\n"
    )
    parent = text.replace("<User>I want to signal", f"{more}\n<User>I want to signal", 1)
    refused: list[Refused] = []
    plan = AugmentationPlan(operations=("re-rolled dice",), copies=20)
    made = list(augment([(name, parent)], plan, 9, on_refused=refused.append))
    assert made
    assert all("*FAILED* A stair" not in one.text.partition("<!--")[0] for one in made)
    assert refused
    assert all("new warning in line" in one.reason for one in refused)


def test_a_product_is_no_parent() -> None:
    product = next(augment(shipped_texts(), AugmentationPlan(operations=("re-rolled dice",)), 3))
    refused: list[Refused] = []
    assert list(augment([(product.name, product.text)], EVERYTHING, 4, on_refused=refused.append)) == []
    assert [one.operations for one in refused] == [()]


def test_copies_that_come_out_alike_are_made_once() -> None:
    refused: list[Refused] = []
    plan = AugmentationPlan(operations=("no rolls",), copies=3)
    made = list(augment(shipped_texts()[:1], plan, 5, on_refused=refused.append))
    assert (len(made), len(refused)) == (1, 2)


def test_an_operation_that_is_named_twice_is_applied_once() -> None:
    assert AugmentationPlan(operations=("no rolls", "levels", "no rolls")).recipes() == (("no rolls",), ("levels",))


def test_an_unknown_operation_is_refused_before_anything_is_made() -> None:
    with pytest.raises(DatasetError) as raised:
        list(augment([], AugmentationPlan(operations=("invented prose",)), 1))
    assert "re-rolled dice" in raised.value.next_step


def test_a_file_with_a_byte_order_mark_windows_lines_or_an_odd_name_keeps_them() -> None:
    text = "\ufeff" + dict(shipped_texts())["scenarios/seed_example.md"].replace("\n", "\r\n")
    name = "the “old” file: 1.md"
    made = list(augment([(name, text)], EVERYTHING, 6))
    assert made
    for product in made:
        assert product.text.startswith("\ufeff---\r\naugmentation:")
        assert product.text.count("\n") == product.text.count("\r\n")
        assert product.parent == name
        assert provenance_of(product.text, VOCABULARY)
        assert MarkdownParser().validate_format(product.text).valid
