"""Which names are never a job."""

from __future__ import annotations

import os

import pytest

from sttd.config import Watch
from sttd.inbox.rules import Rules, Why

RULES = Rules(Watch().suffixes)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("talk.mp3", None),
        ("TALK.MP3", None),
        ("ประชุม.M4A", None),
        ("two.dots.wav", None),
        ("line\nbreak.wav", None),
        (os.fsdecode(b"caf\xe9.ogg"), None),
        (".talk.mp3", Why.HIDDEN),
        (".syncthing.talk.mp3.tmp", Why.HIDDEN),
        ("talk.mp3.part", Why.UNFINISHED),
        ("talk.PART", Why.UNFINISHED),
        ("talk.mp3.tmp", Why.UNFINISHED),
        ("talk.crdownload", Why.UNFINISHED),
        ("talk.FilePart", Why.UNFINISHED),
        ("~talk.mp3", Why.UNFINISHED),
        ("~syncthing~talk.mp3.tmp", Why.UNFINISHED),
        ("talk.mp3.!qB", Why.UNFINISHED),
        ("talk.mp3.aria2", Why.UNFINISHED),
        ("talk.mp3.4f2a.partial", Why.UNFINISHED),
        # yt-dlp: picture and sound before they are joined, what they are joined in, fragments, its notes
        ("A talk [dQw4w9WgXcQ].f137.mp4", Why.UNFINISHED),
        ("A talk [dQw4w9WgXcQ].f140.m4a", Why.UNFINISHED),
        ("A talk [dQw4w9WgXcQ].f251-drc.webm", Why.UNFINISHED),
        ("A talk.fhls-audio-128000-Audio.mp4", Why.UNFINISHED),
        ("A talk.fdash-audio_eng=128000.m4a", Why.UNFINISHED),
        ("two\nlines.f140.m4a", Why.UNFINISHED),
        ("A talk.temp.mp4", Why.UNFINISHED),
        ("A talk.mp4.part-Frag12", Why.UNFINISHED),
        ("A talk.mp4.ytdl", Why.UNFINISHED),
        ("INCOMPLETE~song.mp3", Why.UNFINISHED),  # Nicotine+, today and before
        ("INCOMPLETE0123456789abcdef0123456789abcdefsong.mp3", Why.UNFINISHED),
        ("talk.mp3.SyncPart", Why.UNFINISHED),  # Resilio
        ("talk.mp3.ffs_tmp", Why.UNFINISHED),  # FreeFileSync
        ("talk.mp3.dtapart", Why.UNFINISHED),  # DownThemAll
        ("talk.mp3.opdownload", Why.UNFINISHED),
        ("talk.mp3.parts", Why.UNFINISHED),
        ("talk.mp3.downloading", Why.UNFINISHED),
        ("Monaco.f1.mp4", None),
        ("take.final.wav", None),
        ("song.feat.mp3", None),
        ("web.f4v", None),
        ("incomplete thoughts.mp3", None),
        ("incompleted.mp3", None),
        ("talk.part1.mp3", None),
        (".fuse_hidden0000001", Why.HIDDEN),
        (".nfs00000000000a1", Why.HIDDEN),
        ("._talk.mp3", Why.HIDDEN),
        ("notes.txt", Why.SUFFIX),
        ("mp3", Why.SUFFIX),
        ("part", Why.SUFFIX),
        ("", Why.SUFFIX),
    ],
)
def test_a_name_says_whether_it_is_a_job(name, why):
    assert RULES.file(name) is why


@pytest.mark.parametrize("suffix", ["part", "tmp"])
def test_what_is_unfinished_is_no_job_whatever_the_suffixes_say(suffix):
    assert Rules([suffix]).file(f"a.{suffix}") is Why.UNFINISHED


def test_suffixes_may_be_written_with_a_dot_and_in_any_case():
    assert Rules([".WaV"]).file("a.wav") is None


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("2026/november/talk.mp3", None),
        ("@eaDir/talk.mp3", Why.FOREIGN),
        ("a/@eaDir/b/talk.mp3", Why.FOREIGN),
        (".stfolder/talk.mp3", Why.HIDDEN),
        ("a/.stversions/talk.mp3", Why.HIDDEN),
        ("lost+found/talk.mp3", Why.FOREIGN),
        *[
            (f"{folder}/talk.mp3", Why.FOREIGN)
            for folder in (
                "#recycle", "@Recycle", "a/$RECYCLE.BIN/S-1-5-21-1", "RECYCLER", "#snapshot/GMT-2026",
                "@Recently-Snapshot/d1", "@GMT-2026.11.26-19.00.00", "@tmp", "System Volume Information", "FOUND.000",
                "FOUND.012", "Network Trash Folder", "__MACOSX/a", "show/_unpack",
                "DfsrPrivate/ConflictAndDeleted", "films/@Transcode", "_gsdata_/_saved_", "_SYNCAPP", "@sharesnap/1", "Recycle Bin - Volume_1",
            )
        ],
        (".Trash-1000/files/talk.mp3", Why.HIDDEN),
        (".snapshot/daily/talk.mp3", Why.HIDDEN),
        ("~snapshot/talk.mp3", Why.UNFINISHED),
        ("_UNPACK_Show/talk.mp3", Why.UNFINISHED),
        ("talk.mp3.download/talk.mp3", Why.UNFINISHED),
        ("RecycleBin.ffs_tmp/talk.mp3", Why.UNFINISHED),
        ("stream/0____/0001.ts", Why.UNFINISHED),
        ("2026_11_26/talk.mp3", None),
        ("downloads/talk.mp3", None),
        ("found/talk.mp3", None),
        ("lost.and.found.000/talk.mp3", None),
        ("~old/talk.mp3", Why.UNFINISHED),
        ("a.part/talk.mp3", None),  # a folder may be called anything
        ("a/notes.txt", Why.SUFFIX),
    ],
)  # fmt: skip
def test_everything_below_such_a_folder_is_no_job_either(path, why):
    assert RULES.path(path) is why


@pytest.mark.parametrize(
    "suffix",
    "vob m2ts m2t mod asf mpga weba 3g2 aifc wave bwf f4v qta m4r qt ec3 ogx mp1 awb snd m1a m2p divx gsm sln ulaw alaw mxf voc rm dss".split(),
)
def test_suffixes_of_cameras_phones_telephone_systems_and_discs_are_recordings(suffix):
    assert RULES.file(f"VTS_01_1.{suffix.upper()}") is None
