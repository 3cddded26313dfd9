"""The runs that wait for their turn, below the one at work: their order, and the way out."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from pages.parts.layout import told_afterwards, workspace
from studio.errors import StudioError
from studio.jobs import JobQueue
from studio.training import find_run
from studio.ui.runs import STATUS, Place, places
from studio.ui.wording import count, duration, plain

REFRESH_SECONDS = 3.0


def queue_places() -> dict[str, Place]:
    """The runs at work and waiting by name, in order."""
    return places(JobQueue(workspace()).entries())


def run_queue() -> None:
    """What is at work and what waits; nothing at all when nothing waits."""
    if any(one.position for one in queue_places().values()):
        st.fragment(_queue, run_every=REFRESH_SECONDS)()


def _queue() -> None:
    JobQueue(workspace()).wake()
    found = list(queue_places().values())
    waiting = [one for one in found if one.position]
    if not waiting:
        st.rerun()  # the whole page: the list of runs has them all now
    st.space("xsmall")
    with st.container(horizontal=True, vertical_alignment="bottom", key="queue_head"):
        st.subheader("Queue", anchor=False, width="content")
        st.caption(f"{count(len(waiting), 'run')} waiting. They start by themselves, also when this page is closed.")
    for one in found:
        with st.container(border=True, horizontal=True, vertical_alignment="center", key=f"card_queue_{one.name}"):
            if one.position:
                _waiting_row(one, last=one.position == len(waiting))
            else:
                _running_row(one)


def _waiting_row(one: Place, *, last: bool) -> None:
    position = one.position or 1
    _title(one, f"{position}. ")
    _button("Earlier", "arrow_upward", one, lambda queue: queue.move(one.entry_id, position - 1), off=position == 1)
    _button("Later", "arrow_downward", one, lambda queue: queue.move(one.entry_id, position + 1), off=last)
    _button("Take out of the queue", "close", one, lambda queue: queue.cancel(one.entry_id))


def _running_row(one: Place) -> None:
    _title(one)
    try:
        state = find_run(workspace(), one.name).state()
    except StudioError:  # deleted or damaged a moment ago
        return
    done = f"{state.progress.done:.0f} of {state.progress.total:.0f} steps" if state.progress.total else "getting ready"
    left = f" · {duration(state.seconds_left)} left" if state.seconds_left else ""
    st.caption(f"{done}{left}", width="content")
    look = STATUS[state.status]
    st.badge(look.word, color=look.color, icon=look.icon)


def _title(one: Place, before: str = "") -> None:
    with st.container(width="stretch", key=f"queue_title_{one.name}"):
        if st.button(plain(before + one.name), key=f"row_queue_{one.name}", type="tertiary"):
            st.query_params.from_dict({"run": one.name})
            st.rerun()


def _button(meaning: str, icon: str, one: Place, change: Callable[[JobQueue], None], *, off: bool = False) -> None:
    st.button(
        "", key=f"queue_{icon}_{one.name}", icon=f":material/{icon}:", type="tertiary", disabled=off, help=meaning,
        on_click=_change, args=(change,),
    )  # fmt: skip


def _change(change: Callable[[JobQueue], None]) -> None:
    """Somebody else may have been quicker; then the page says so when it is drawn."""
    with told_afterwards():
        change(JobQueue(workspace()))
