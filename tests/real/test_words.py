"""sttd with a real Whisper `base` on a person's speech, beside faster-whisper in the same run: the small part that CI runs.

The recordings are announcements of a telephone exchange (see prompts/README.md). They are no proof for meetings, noise or
Thai: for these there is `python -m tests.real FOLDER`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.real import NO_EXTRA, NO_SPEECH

pytest.importorskip("rapidfuzz", reason=NO_EXTRA)
pytest.importorskip("whisper_normalizer", reason=NO_EXTRA)

from sttd.worker.tuning import MALLOC
from tests.real import corpus, table, weights
from tests.real.score import score
from tests.real.ways import OURS, PEERS, Setup, repeated

# each clip three times by four programs: a minute of two cores, on a busy machine much more
pytestmark = [pytest.mark.ci, pytest.mark.timeout(3600)]
PROMPTS = Path(__file__).with_name("prompts")
# of the long ones: half a minute without a pause of a second, more than one window
LONG = "en_US_f_Allison/demo-congrats.wav"


@pytest.fixture(scope="module")
def clips():
    try:
        found = corpus.read(PROMPTS)
    except corpus.NoSpeech as error:
        pytest.skip(f"{NO_SPEECH}: {error}")
    some = corpus.some(found, ["short", "nobody speaks"], most=6, seed=1)
    return [*some, *[clip for clip in found if clip.name == LONG]]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The folder of `base`, in a cache of these tests' own: what is compared here is decoded here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STTD_REAL_CACHE", str(tmp_path_factory.mktemp("real")))
        try:
            yield weights.get("base", hub=False)
        except weights.NoWeights as error:
            pytest.skip(f"{NO_EXTRA}: {error}")


@pytest.fixture(scope="module")
def groups(clips, model):
    """All that sttd hears; the peers only the groups in which it gets a word wrong: else none of them can be better.

    Where nobody speaks they decode again and again, and so they do with the long one: a minute of a processor.
    """
    with pytest.MonkeyPatch.context() as patch:
        # the peers have a worker's malloc: they write the same, and take a quarter less of the processor
        for name, (_, value) in MALLOC.items():
            patch.setenv(f"MALLOC_{name}", str(value))
        by_name = {OURS: heard(OURS, clips, model)}
        wrong = [group for group in table.groups(clips, by_name) if not group.silent and group.total(OURS).errors]
        for way in PEERS:
            by_name[way] = heard(way, [clip for group in wrong for clip in group.clips], model)
    return {group.name: group for group in table.groups(clips, by_name)}


def heard(way, clips, model):
    runs = repeated(way, [clip.path for clip in clips], Setup(model), (1, 2, 3))
    return {clip.name: runs[clip.path] for clip in clips}


@pytest.mark.parametrize("name", ["short", "long"])
def test_sttd_gets_no_more_words_of_a_person_wrong_than_the_best_way_of_faster_whisper(groups, name):
    group = groups[name]
    assert not group.misses(), "\n".join(table.reasons(group))
    assert group.total(OURS).rate < 0.1


def test_where_nobody_speaks_a_real_model_writes_no_word(groups):
    assert not groups["nobody speaks"].misses()


def test_the_whole_program_writes_what_a_worker_says(clips, model, groups):
    """What is measured here is `run_part`; queue, daemon, worker process and writers change no word of it."""
    clip = next(clip for clip in clips if clip.name == LONG)
    command = [sys.executable, "-m", "sttd", "transcribe", "--model", str(model), "--set", "model.compute_type=auto"]
    env = os.environ | {"HF_HUB_OFFLINE": "1"}
    text = subprocess.run([*command, str(clip.path)], capture_output=True, text=True, check=True, env=env).stdout
    assert score(groups["long"].ways[OURS][clip.name].heard["text"], text, "en").errors == 0
