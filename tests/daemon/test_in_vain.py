"""Files that cannot be put in their place are tried again and again: what a person sees of it meanwhile."""

from __future__ import annotations

import errno

import pytest

from sttd.daemon import filing
from sttd.daemon.hung import Hung
from sttd.daemon.life import Life
from sttd.host.sd_notify import Notifier
from sttd.job import State
from tests.daemon.test_filing import stage, transcribed
from tests.harness import PATIENCE


@pytest.mark.parametrize("step", ["sttd.outbox.stage", "sttd.outbox.source.file_source"])
def test_a_job_whose_file_cannot_be_put_in_its_place_is_shown_while_it_is_tried_again_too(
    stations, monkeypatch, log, step
):
    """It went away with each try and came back with the next failure: `status` showed it now and then, the log each time."""
    context, inputs = stations
    life = Life(context, Notifier({}), Hung(context))
    _, job = transcribed(context)

    def refused(*_, **_more):
        raise OSError(errno.EPERM, "immutable")

    def shown() -> list[str]:
        return [text for text in life.figures()["trouble"] if "immutable" in text]

    with monkeypatch.context() as patch:
        patch.setattr(step, refused)
        stage(context, inputs, job)
        if step != "sttd.outbox.stage":
            inputs.get(timeout=PATIENCE).settle()
        for _ in range(3):
            assert shown()
            context.filing.tries.hurry(job.id)
            filing.resume(context)
            assert job.id in context.filing.tries, "it is under way"
            assert shown()
            inputs.get(timeout=PATIENCE).settle()
    assert len([line for line in log if "immutable" in line]) == 1, "it is news once, and not over in between"
    context.filing.tries.hurry(job.id)
    filing.resume(context)
    while context.ledger.get(job.id).state is not State.DONE:
        inputs.get(timeout=PATIENCE).settle()
    assert not life.figures()["trouble"]
