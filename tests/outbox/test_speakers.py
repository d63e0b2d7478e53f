"""What several speakers say, in every format: who says it, at its time, though they speak at once."""

from __future__ import annotations

import dataclasses
import io
import itertools
import json
import types

import pysubs2
import pytest
import webvtt
from hypothesis import given, strategies as st

from sttd.config import Config, Subtitles, Transcribe
from sttd.job import Job
from sttd.outbox import Heard, Meta
from sttd.outbox.formats import FORMATS
from sttd.outbox.formats.cues import cues
from sttd.outbox.formats.layout import Layout
from sttd.outbox.formats.record import read
from sttd.outbox.formats.rows import rows
from sttd.outbox.speakers import names_of
from sttd.part import Chunk, Segment
from sttd.script import script_of, width
from sttd.worker.decoding.judge import Piece
from sttd.worker.decoding.segments import is_long
from tests.outbox.ffmpeg import packets
from tests.outbox.test_subtitles import RIGHTS

NAMES = {1: "Agent", 2: "Customer"}
LONG = "I wanted to ask about the bill that came last week, because there is something on it that I never ordered."


def says(channel: int, start: float, end: float, text: str) -> Segment:
    return Segment(start, end, text, -0.2, 1.1, 0.01, 0.0, "en", channel=channel, speaker=NAMES.get(channel, ""))


CALL = [
    says(0, 0, 2, "This call is recorded."),
    says(1, 3, 5, "Good morning, how can I help?"),
    says(2, 4.5, 12, LONG),
    says(1, 6, 6.4, "Yes?"),
    says(2, 12.5, 14, "Twice & for <free>!"),
]


def written(suffix: str, segments=CALL, names=NAMES) -> str:
    file = io.StringIO(newline="")
    meta = Meta.of(Job(1, "call.wav", 1, 2), finished_at=0.0, channels=dict.fromkeys(names, 1.0))
    FORMATS[suffix].write(file, dataclasses.replace(meta, speakers=names), iter(segments))
    return file.getvalue()


def test_txt_and_md_have_a_paragraph_for_each_turn():
    assert written("txt").split("\n\n") == [
        "This call is recorded.", "Agent: Good morning, how can I help?", f"Customer: {LONG}", "Agent: Yes?",
        "Customer: Twice & for <free>!\n",
    ]  # fmt: skip
    made = written("md")
    assert 'speakers: ["Agent", "Customer"]\n' in made
    assert "\n**00:00:00** This call is recorded.\n" in made
    assert "\n**00:00:03 Agent:** Good morning, how can I help?\n" in made
    assert "\n**00:00:12 Customer:** Twice \\& for \\<free\\>!\n" in made


def test_a_table_has_a_column_for_the_speaker_behind_those_that_it_has_always():
    lines = written("tsv").splitlines()
    assert lines[0] == "start\tend\ttext\tspeaker"
    assert lines[1] == "0\t2000\tThis call is recorded.\t"
    assert lines[3:5] == [f"4500\t12000\t{LONG}\tCustomer", "6000\t6400\tYes?\tAgent"]
    assert written("tsv", CALL[:1], {}).splitlines()[0] == "start\tend\ttext"


def test_subtitles_overlap_where_people_do_and_say_who_speaks():
    made = pysubs2.SSAFile.from_string(written("srt"), format_="srt")
    texts = [event.plaintext.replace("\n", " ") for event in made]
    assert [text.partition(":")[0] for text in texts] == [
        "This call is recorded.", "Agent", "Customer", "Agent", "Customer", "Customer",
    ]  # fmt: skip
    assert [event.start for event in made] == sorted(event.start for event in made)
    assert made[1].end > made[2].start
    assert made[2].end > made[3].start
    lines = [line for event in made for line in event.plaintext.split("\n")]
    assert all(width(line) <= 42 for line in lines)
    assert " ".join(text.removeprefix("Customer: ") for text in texts if text.startswith("Customer")).startswith(LONG)


def test_webvtt_has_voices(tmp_path):
    made = written("vtt", names=NAMES)
    (tmp_path / "call.vtt").write_text(made)
    captions = list(webvtt.read(str(tmp_path / "call.vtt")))
    assert [each.voice for each in captions] == [None, "Agent", "Customer", "Agent", "Customer", "Customer"]
    assert "<v Customer>Twice &amp; for &lt;free&gt;!" in made
    assert packets(tmp_path / "call.vtt") == ("webvtt", 6)
    odd = [dataclasses.replace(says(1, 0, 1, "x"), speaker="A & <B> -->")]
    assert written("vtt", odd).splitlines()[-1] == "<v A &amp; &lt;B&gt; --&gt;>x"


def test_lyrics_name_the_speaker():
    assert "[00:03.00]Agent: Good morning, how can I help?\n[00:04.50]Customer: I wanted" in written("lrc")


def test_json_has_channel_and_speaker_and_is_read_back(tmp_path):
    value = json.loads(written("json"))
    assert value["speakers"] == [
        {"channel": 1, "name": "Agent", "seconds": 1.0}, {"channel": 2, "name": "Customer", "seconds": 1.0},
    ]  # fmt: skip
    assert [(each.get("channel"), each.get("speaker")) for each in value["segments"][:2]] == [
        (None, None),
        (1, "Agent"),
    ]
    (tmp_path / "x.json").write_text(written("json"))
    with (tmp_path / "x.json").open("rb") as file:
        meta, segments = read(file)
        assert list(segments) == CALL
    assert meta.channels == {1: 1.0, 2: 1.0}
    assert json.loads(written("json", CALL[:1], {}))["speakers"] == []


def test_one_speaker_is_held_back_by_no_other_for_longer_than_a_subtitle_lasts():
    """A word at the beginning, and then the other one alone: it is not all in memory until the end."""
    for make in (lambda segments: cues(segments, Subtitles()), rows):
        taken: list[Segment] = []
        others = (says(2, second, second + 1.5, "And so on.") for second in range(1, 10**4, 2))
        first = next(make(taken.append(each) or each for each in itertools.chain([says(1, 0, 1, "Hello?")], others)))
        assert first.speaker == "Agent"
        assert len(taken) < 10


@given(st.lists(st.tuples(st.integers(1, 3), st.floats(0, 5), st.floats(0, 40)), max_size=12))
def test_each_speakers_cues_are_those_that_he_would_have_alone(turns):
    at, segments = 0.0, []
    for channel, pause, length in turns:
        at += pause
        segments.append(says(channel, at, at + length, f"{LONG[: round(length) + 1]} {len(segments)}"))
    limits = Subtitles()
    together = list(cues(iter(segments), limits))
    assert [cue.start for cue in together] == sorted(cue.start for cue in together)
    for channel in (1, 2, 3):
        mine = [each for each in segments if each.channel == channel]
        speaker = NAMES.get(channel, "")
        alone = list(cues(iter(mine), limits))
        assert [cue for cue in together if cue.speaker == speaker] == alone
    table = list(rows(iter(segments)))
    assert len(table) == len(segments)
    assert [row.start for row in table] == sorted(row.start for row in table)


@pytest.mark.parametrize(
    ("channels", "configured", "names"),
    [
        ((1, 2), (), ["Left", "Right"]),
        ((1, 2), ("Agent", "Customer"), ["Agent", "Customer"]),
        ((1, 2), ("Agent",), ["Agent", "Right"]),
        ((1, 2, 3), ("Agent", "Customer"), ["Agent", "Customer", "Channel 3"]),
        ((1, 2, 3), (), ["Channel 1", "Channel 2", "Channel 3"]),
        ((1, 2), ("A", "B", "C"), ["A", "B"]),
        ((), ("A",), []),
    ],
)
def test_channels_have_names(channels, configured, names):
    assert names_of(channels, configured) == dict(zip(channels, names, strict=True))


def test_what_was_heard_is_counted_by_channel_and_each_has_its_own_noise():
    """A noisy telephone beside a quiet one: its noise is no sound that was passed over."""

    def chunk(channel: int, *levels: tuple[int, int, int], said: tuple[Segment, ...] = ()) -> Chunk:
        return Chunk(0, 0, 16_000, said, "en", 0.9, "demo", levels=levels, channel=channel)

    quiet, noisy = chunk(1, (-90, 5000, 5000), said=(CALL[1],)), chunk(2, (-50, 5000, 5000))
    heard = Heard.of([quiet, noisy, chunk(0)])
    assert heard.channels == {1: 2.0, 2: 0.0}
    assert heard.passed_over == 0.0
    assert Heard.of([chunk(0, said=(CALL[0],)), chunk(1), chunk(2)]).channels == {}


@pytest.mark.parametrize("language", ["en", "ru", "th", "ja"])
@pytest.mark.parametrize(("name", "length"), [("", 0), ("Customer Service", 0), ("", 24)])
def test_what_the_worker_leaves_without_the_times_of_its_words_has_room_beside_the_name(language, name, length):
    """Else it would be divided, and nobody would know when its second half is said."""
    channels = {"channels": "split", "channel_names": ("A", name)} if name else {}
    limits = Subtitles(line_length=length)
    room = Config(transcribe=Transcribe(**channels), subtitles=limits).options().cue
    label, left = width(f"{name}: ") if name else 0, 0
    for at in range(0, 2000, 37):
        text = RIGHTS[language][at : at + 90].strip()
        while is_long(_heard(text), Piece(0, 100, ()), room):
            text = text[:-1].strip()
        assert Layout(text, limits, label).fits(), text
        left += width(text) > 0.7 * limits.columns(script_of(text))
    assert left > 30, "not every segment is timed for that"


def _heard(text: str):
    """What a model made of a stretch: as much of it as is asked for here."""
    return types.SimpleNamespace(voice=types.SimpleNamespace(tokenizer=types.SimpleNamespace(decode=lambda _: text)))
