"""What workers say on its way to the loop."""

from __future__ import annotations

import queue
import threading

import pytest

from sttd.daemon.inputs import MOST, Inputs
from sttd.part import Done, Progress
from tests.harness import PATIENCE, wait_for


def progress(part_id: str = "1.0", done: float = 0.0) -> Progress:
    return Progress(part_id=part_id, attempt=1, done=done, total=None)


@pytest.fixture
def flooded():
    """A queue, and what the thread of one worker has told it that says twenty things at once."""
    inputs, told = Inputs(), []

    def flood() -> None:
        for number in range(20):
            inputs.tell(progress(done=float(number)))
            told.append(number)

    reader = threading.Thread(target=flood, daemon=True)
    reader.start()
    wait_for(lambda: len(told) == MOST, "it waits")
    yield inputs, told, reader
    inputs.close()
    reader.join()


def test_a_flood_of_one_worker_waits_in_its_own_thread_and_comes_whole(flooded):
    """It filled the daemon's memory: chunks came faster than they can be made durable."""
    inputs, told, reader = flooded
    came = [inputs.get(timeout=0.0)]
    wait_for(lambda: len(told) == MOST + 1, "one more")
    assert inputs.qsize() == MOST
    while len(came) < 20:
        came.append(inputs.get(timeout=PATIENCE))
    reader.join()
    assert [each.done for each in came] == list(range(20))
    assert inputs.empty()


def test_no_other_worker_waits_for_it_nor_does_its_end(flooded):
    inputs, told, _ = flooded
    inputs.tell(progress("2.0"))
    inputs.tell(Done(part_id="1.0", attempt=1))
    inputs.put("something else")
    assert inputs.qsize() == MOST + 3
    assert len(told) == MOST


def test_nobody_waits_for_a_loop_that_is_over(flooded):
    inputs, told, reader = flooded
    inputs.close()
    reader.join()
    assert len(told) == 20
    with pytest.raises(queue.Empty):
        while True:
            inputs.get_nowait()
