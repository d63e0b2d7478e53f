"""The language codes that Whisper knows.

Source: openai/whisper, whisper/tokenizer.py, LANGUAGES; the same list as faster_whisper/tokenizer.py's _LANGUAGE_CODES
(1.2.1), which the parent process does not import. `jw` is Whisper's own code for Javanese (ISO 639-1: jv). Models older than
large-v3 do not know `yue`.
"""

import difflib

_WORDS = """
    af afrikaans am amharic ar arabic as assamese az azerbaijani ba bashkir be belarusian bg bulgarian bn bengali bo
    tibetan br breton bs bosnian ca catalan cs czech cy welsh da danish de german el greek en english es spanish et
    estonian eu basque fa persian fi finnish fo faroese fr french gl galician gu gujarati ha hausa haw hawaiian he
    hebrew hi hindi hr croatian ht haitian hu hungarian hy armenian id indonesian is icelandic it italian ja japanese
    jw javanese ka georgian kk kazakh km khmer kn kannada ko korean la latin lb luxembourgish ln lingala lo lao lt
    lithuanian lv latvian mg malagasy mi maori mk macedonian ml malayalam mn mongolian mr marathi ms malay mt maltese
    my burmese ne nepali nl dutch nn nynorsk no norwegian oc occitan pa punjabi pl polish ps pashto pt portuguese ro
    romanian ru russian sa sanskrit sd sindhi si sinhala sk slovak sl slovenian sn shona so somali sq albanian sr
    serbian su sundanese sv swedish sw swahili ta tamil te telugu tg tajik th thai tk turkmen tl tagalog tr turkish tt
    tatar uk ukrainian ur urdu uz uzbek vi vietnamese yi yiddish yo yoruba yue cantonese zh chinese
""".split()
CODES = tuple(_WORDS[::2])
_NAMES = dict(zip(_WORDS[1::2], CODES, strict=True))
# what people write instead: codes of countries (ISO 3166), codes of three letters (ISO 639-2)
_OTHERS = {
    "jp": "ja", "cn": "zh", "tw": "zh", "kr": "ko", "vn": "vi", "ua": "uk", "gr": "el", "cz": "cs", "dk": "da", "se": "sv",
    "kh": "km", "mm": "my", "jv": "jw", "gb": "en", "us": "en", "tha": "th", "eng": "en", "jpn": "ja", "zho": "zh", "chi": "zh",
    "kor": "ko", "deu": "de", "ger": "de", "fra": "fr", "fre": "fr", "spa": "es", "lao": "lo", "khm": "km", "mya": "my",
    "mandarin": "zh", "farsi": "fa", "vie": "vi", "ind": "id", "msa": "ms", "rus": "ru", "por": "pt", "ita": "it", "hin": "hi", "ara": "ar", "nld": "nl",
}  # fmt: skip


def nearest(word: str) -> str:
    """`; did you mean ...?` if a wrong code looks like the name of a language, or like a code of another standard; else ""."""
    word = word.strip().lower()
    known = {**_NAMES, **_OTHERS, **{code: code for code in CODES}}
    found = known.get(word) or known.get(word.replace("_", "-").partition("-")[0])
    if found is None:
        close = difflib.get_close_matches(word, _NAMES, n=1, cutoff=0.7)
        found = _NAMES[close[0]] if close else None
    return f"; did you mean {found}?" if found else ""
