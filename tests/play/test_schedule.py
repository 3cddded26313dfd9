"""Whose turn it is: pure order, without a model."""

from __future__ import annotations

from studio.play.hosts.protocol import Branch, BranchesRequest, GenerateRequest, LoadAdapterRequest, TokenizeRequest
from studio.play.hosts.schedule import Job, Schedule


def arrived(*requests: GenerateRequest | BranchesRequest | TokenizeRequest | LoadAdapterRequest) -> Schedule:
    schedule = Schedule()
    for one in requests:
        schedule.arrive(one)
    return schedule


def reply(number: int) -> GenerateRequest:
    return GenerateRequest(id=number, prompt="Once")


def many(number: int) -> BranchesRequest:
    return BranchesRequest(id=number, branches=(Branch(prompt="Once"),), max_tokens=4)


def turns(schedule: Schedule, each: int, count: int) -> list[int]:
    """The ids in the order of their turns, when every answer takes `each` turns."""
    taken: list[int] = []
    for _ in range(count):
        job = schedule.take()
        taken.append(job.request.id)
        ends(schedule, job) if taken.count(job.request.id) == each else schedule.put_back(job)
    return taken


def ends(schedule: Schedule, job: Job) -> None:
    schedule.done(job)


def test_everybody_has_a_turn_before_anybody_has_a_second() -> None:
    assert turns(arrived(reply(1), reply(2), reply(3)), 2, 6) == [1, 2, 3, 1, 2, 3]


def test_who_comes_during_a_turn_is_before_the_one_that_had_it() -> None:
    schedule = arrived(reply(1))
    first = schedule.take()
    assert not schedule.others_wait()
    schedule.arrive(reply(2))
    assert schedule.others_wait()
    schedule.put_back(first)
    assert turns(schedule, 1, 2) == [2, 1]


def test_what_is_short_or_cancelled_does_not_wait_its_turn() -> None:
    schedule = arrived(reply(1), reply(2), reply(3), TokenizeRequest(id=4, text="Once"))
    schedule.cancel(3)
    assert turns(schedule, 1, 4) == [4, 3, 1, 2]
    assert not schedule.is_cancelled(3)


def test_another_adapter_waits_for_what_was_asked_before_and_holds_up_what_comes_after() -> None:
    schedule = arrived(reply(1), reply(2), LoadAdapterRequest(id=3), reply(4))
    assert turns(schedule, 2, 4) == [1, 2, 1, 2]
    assert turns(schedule, 1, 2) == [3, 4]
    alone = arrived(reply(1))
    alone.take()
    alone.arrive(LoadAdapterRequest(id=2))
    assert not alone.others_wait()  # it could not go on: the reply before it is not made


def test_of_the_requests_for_many_replies_one_is_answered_at_a_time() -> None:
    schedule = arrived(many(1), many(2), reply(3))
    assert turns(schedule, 2, 6) == [1, 3, 1, 3, 2, 2]
