"""What people who write without spaces find, and what they are not shown."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import budoux
import pytest

from sttd.search.atoms import atoms
from tests.search.transcripts import Archive

UDHR = Path(__file__).with_name("udhr")


def paragraphs(language):
    return (UDHR / f"{language}.txt").read_text("utf-8").splitlines()


def split(text, length=30):
    """Segments as a model cuts them, anywhere between two clusters: readers do not know where."""
    cuts = [at for at in range(length, len(text), length) if not _joins(text[at])]
    return [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]


def _joins(char):
    """Whether it belongs to the cluster before it. A rule of the test's own, for Thai."""
    return unicodedata.category(char) == "Mn" or char == "ำ"


def bare(text):
    """A text without what search passes over."""
    return re.sub(r"[\s\u200b\W](?<![\u0e31\u0e34-\u0e3a\u0e47-\u0e4e])", "", text)


def has(text, word):
    """Whether a word stands in a text on borders of clusters: a scan that knows nothing of the index."""
    return any(
        not _joins((text + " ")[match.end()]) and not _joins(text[match.start()])
        for match in re.finditer(f"(?={re.escape(word)})", text)
        for match in [re.compile(re.escape(word)).match(text, match.start())]
    )


@pytest.fixture(scope="module")
def thai(tmp_path_factory):
    archive = Archive(tmp_path_factory.mktemp("thai"))
    texts = paragraphs("tha")
    with archive.ledger.transaction():
        jobs = {archive.done(f"{number}.m4a", split(text)).id: text for number, text in enumerate(texts)}
    archive.follow()
    yield archive, {job: bare(text) for job, text in jobs.items()}
    archive.close()


def words(texts):
    """Thai words as budoux parts them, of two characters and more, in the order of the text."""
    parser = budoux.load_default_thai_parser()
    found = [bare(word) for text in texts for run in text.split() for word in parser.parse(run)]
    return list(dict.fromkeys(word for word in found if len(word) >= 2 and word[0] >= "ก" and not _joins(word[0])))


def test_three_hundred_thai_words_are_found_wherever_a_scan_finds_them_and_nowhere_else(thai):
    """Recall 1.00 and precision 1.00, for words of two characters and more."""
    archive, texts = thai
    wanted = words(paragraphs("tha"))[:300]
    assert len(wanted) == 300
    assert sum(len(word) <= 3 for word in wanted) > 50
    wrong = {
        word: (archive.jobs(word), expected)
        for word in wanted
        if archive.jobs(word)
        != (expected := sorted((job for job, text in texts.items() if has(text, word)), reverse=True))
    }
    assert wrong == {}


def test_the_marks_of_a_hit_are_what_was_asked_for(thai):
    archive, _ = thai
    for word in words(paragraphs("tha"))[:40]:
        for hit in archive.search.find(word).hits:
            excerpt = hit.passage.excerpt
            assert excerpt.marks
            assert {bare(excerpt.text[start:end]) for start, end in excerpt.marks} == {word}


@pytest.mark.parametrize("language", ["lao", "khm", "mya", "jpn", "cmn_hans"])
def test_other_scripts_without_spaces_are_searched_in_the_same_way(archive, language):
    """Each stretch of two to six clusters of each paragraph is found in it."""
    texts = paragraphs(language)
    with archive.ledger.transaction():
        jobs = [archive.done(f"{number}.m4a", [text], language).id for number, text in enumerate(texts)]
    archive.follow()
    for job, text in zip(jobs, texts, strict=True):
        parts = atoms(text)
        for at in range(0, len(parts) - 6, 17):
            for length in (1, 2, 6):
                assert job in archive.jobs("".join(parts[at : at + length]))


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ("น้ำท่วมกรุงเทพฯ", "น้\u0e4d\u0e32ท่วม"),  # sara am in two characters
        ("น้ำท่วมกรุงเทพฯ", "น\u0e4d\u0e49\u0e32"),  # and its tone mark last
        ("น้ำท่วมกรุงเทพฯ", "น\u0e33\u0e49"),  # the tone mark behind it
        ("ໄປກິນນ້ຳ", "ນ\u0ecd\u0ec9\u0eb2"),
        ("เสื้อสีแดง", "เเดง"),  # two sara e look as sara ae
        ("ปี ๒๕๖๗", "2567"),
        ("ในปี 2567", "๒๕๖๗"),
        ("ภาษา\u200bไทย", "ภาษาไทย"),  # zero-width space
        ("ต่าง ๆ", "ต่างๆ"),
        ("สวัสดี ครับ", "สวัสดีครับ"),  # spaces are where a writer took breath
        ("สวัสดีครับ", "สวัสดี ครับ"),
        ("ใช้ Docker รัน", "ใช้docker"),  # Thai and English mixed
        ("แผน B2 ขั้นตอน", "b2ขั้"),
        ("แผน B2 ขั้น", "b2ขั้น"),
        ("ส่ง email ให้ลูกค้า", "ลูกค้า EMAIL"),
        ("ガラス", "ｶﾞﾗｽ"),  # half-width kana
        ("ＡＢＣ商事", "abc"),
        ("학교에서 공부한다", "학교"),
        ("한국", unicodedata.normalize("NFD", "한국")),
        ("café", "cafe\u0301"),
        ("Résumé", "resume"),
        ("Straße", "STRASSE"),
        ("Ёлка", "елка"),
        ("العَرَبِيَّة", "العربية"),
    ],
)  # fmt: skip
def test_people_type_otherwise_than_it_was_written(archive, said, asked):
    job = archive.done("a.m4a", [said])
    archive.follow()
    assert archive.jobs(asked) == [job.id]


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ("ที่บ้าน", "ที"),  # another tone mark is another word
        ("น้ำ", "น้"),
        ("たかい", "たがい"),
        ("мой", "мои"),
        ("ตากลม", "ตลก"),
        ("a record", '"rec"'),
    ],
)
def test_what_is_another_word_is_not_found(archive, said, asked):
    archive.done("a.m4a", [said])
    archive.follow()
    assert archive.jobs(asked) == []
