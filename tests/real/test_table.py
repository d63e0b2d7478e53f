"""When sttd is as good as it must be, and when `python -m tests.real` fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.real import NO_EXTRA

pytest.importorskip("rapidfuzz", reason=NO_EXTRA)
pytest.importorskip("whisper_normalizer", reason=NO_EXTRA)

from tests.real import table
from tests.real.corpus import Clip

TEN = "a b c d e f g h i j"


def heard(text, processor=1.0):
    return {"text": text, "processor": processor, "language": "en", "sampled": False}


def group(said, language="en", **ways):
    """One recording, and by way what was heard: a text, or one for each run."""
    clip = Clip(Path("x"), "x", "g", language, said)
    runs = {
        way.replace("_", "-"): {"x": [heard(text) for text in ([texts] if isinstance(texts, str) else texts)]}
        for way, texts in ways.items()
    }
    return table.groups([clip], runs)[0]


def test_as_many_errors_as_the_best_peer_are_good_enough_and_one_more_is_a_miss():
    peers = {"sequential": "a b c d e f g h x x", "vad": "x x x x x x x x x x", "batched": ""}
    assert not group(TEN, sttd="x x c d e f g h i j", **peers).misses()
    (miss,) = group(TEN, sttd="x x x d e f g h i j", **peers).misses()
    assert miss == "3 errors; sequential has 2, so at most 2 are wanted"


def test_words_that_are_left_out_weigh_more_than_others():
    (miss,) = group(TEN, sttd="a b c d e f g h i", sequential="a b c d e f g h x x").misses()
    assert miss == "1 deletions; sequential has 0"


def test_thai_must_have_a_fifth_fewer_errors():
    said, peer = "กขคงจฉชซฌญ", "กขคงจอออออ"
    assert not group(said, "th", sttd="กขคงจฉออออ", sequential=peer).misses()
    assert group(said, "th", sttd=peer, sequential=peer).misses()


def test_any_word_where_nobody_speaks_is_a_miss_whatever_the_peers_write():
    assert group("", "und", sttd="you", sequential="thank you").misses() == ["1 words where nobody speaks"]
    assert not group("", "und", sttd="", sequential="thank you").misses()


def test_where_languages_are_mixed_the_way_that_is_told_which_is_judged():
    found = group("hello ครับ", "mul", sttd="hello", sttd_th_en="hello ครับ", sequential="hello ครับ")
    assert found.ours() == "sttd-th-en"
    assert not found.misses()


def test_the_run_with_the_middle_count_of_errors_counts():
    found = group(TEN, sttd=[TEN, "", "x b c d e f g h i j"], sequential=TEN)
    assert found.total("sttd").errors == 1


def test_the_table_and_the_reasons_name_what_is_wrong():
    found = group(TEN, sttd="b c d e f g h i j", sequential=TEN, vad=TEN)
    rows = list(table.table([found]))
    assert rows[2] == "| g: 1 files, 10 words | sttd | 10.0 % | 1 | 0 | 0 | 1 | 0 | 1.00 | 1 |"
    assert list(table.files(found))[2] == "| x | 10 | 1 = 0+0+1+0 | 0 = 0+0+0+0 | 0 = 0+0+0+0 |"
    assert list(table.reasons(found)) == ["x: sttd 1, sequential 0 of 10 (en)", "  sttd:  [a → ∅]", "  sequential: "]
