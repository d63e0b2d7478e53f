"""What a person should know of a result is told wherever they look, whatever formats are written."""

from __future__ import annotations

import json

import numpy as np
import pytest

from sttd.job import State
from tests import speech


def test_what_was_wrong_with_a_result_is_in_the_log_in_show_and_in_jobs_also_without_json(make_daemon):
    """A file that ends early, and one in which nothing was said: one WARNING each, and none for the others."""
    daemon = make_daemon({"output.formats": "txt"})
    whole = speech.encode(daemon.root / "whole.wav", np.tile(speech.sample("english"), 4)).read_bytes()
    (daemon.inbox / "a-cut.wav").write_bytes(whole[: len(whole) * 4 // 10])
    speech.encode(daemon.inbox / "b-silent.flac", np.zeros(16000 * 65, np.float32))
    speech.encode(daemon.inbox / "c-good.flac", speech.sample("english"))
    assert daemon.drain() == 0
    cut, silent, good = sorted(daemon.jobs(), key=lambda job: job.source)
    assert [job.state for job in (cut, silent, good)] == [State.DONE] * 3
    assert len(cut.warnings) == 1
    assert cut.warnings[0].startswith("the file ends early: ")
    assert silent.warnings == ("no speech was found in 1min 5s of sound",)
    assert good.warnings == ()
    told = [line for line in daemon.log if " WARNING " in line]
    for job in (cut, silent):
        (line,) = [line for line in told if f"job {job.id}: {job.source}" in line]
        assert job.warnings[0] in line
        assert f"warning      {job.warnings[0]}" in daemon.sttd("show", str(job.id)).stdout
    assert len(told) == 2
    listed = {job["source"]: job["warnings"] for job in daemon.json("jobs")}
    assert listed == {job.source: list(job.warnings) for job in (cut, silent, good)}
    plain = daemon.sttd("jobs").stdout
    assert f"a-cut.wav\t{cut.warnings[0]}\n" in plain
    assert f"b-silent.flac\t{silent.warnings[0]}\n" in plain
    assert "c-good.flac\n" in plain


@pytest.mark.ci
def test_a_copy_of_a_result_has_its_warnings(make_daemon):
    daemon = make_daemon()
    for name in ("one.flac", "two.flac"):
        speech.encode(daemon.inbox / name, np.zeros(16000 * 3, np.float32))
    assert daemon.drain() == 0
    one, two = daemon.jobs()
    assert sorted([one.copy_of, two.copy_of], key=bool)[1] is not None
    assert one.warnings == two.warnings == ("no speech was found in 3s of sound",)
    heads = [json.loads((daemon.transcripts / f"{name}.und.json").read_text("utf-8")) for name in ("one", "two")]
    assert [head["warnings"] for head in heads] == [["no speech was found in 3s of sound"]] * 2
