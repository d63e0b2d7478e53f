"""Names of Whisper's languages, as people, containers and subtitle files call them; and the languages of segments.

The codes are Whisper's own (ISO 639-1, and ISO 639-2 where that has none). From the tables of the Library of Congress,
https://www.loc.gov/standards/iso639-2/php/code_list.php: ISO 639-2/B and /T, and the English names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from sttd.part import Segment

_TABLE = """
    af afr Afrikaans;am amh Amharic;ar ara Arabic;as asm Assamese;az aze Azerbaijani;ba bak Bashkir;be bel Belarusian;
    bg bul Bulgarian;bn ben Bengali;bo tib/bod Tibetan;br bre Breton;bs bos Bosnian;ca cat Catalan;cs cze/ces Czech;
    cy wel/cym Welsh;da dan Danish;de ger/deu German;el gre/ell Greek;en eng English;es spa Spanish/Castilian;et est Estonian;
    eu baq/eus Basque;fa per/fas Persian/Farsi;fi fin Finnish;fo fao Faroese;fr fre/fra French;gl glg Galician;gu guj Gujarati;
    ha hau Hausa;haw haw Hawaiian;he heb Hebrew;hi hin Hindi;hr hrv Croatian;ht hat Haitian;hu hun Hungarian;
    hy arm/hye Armenian;id ind Indonesian;is ice/isl Icelandic;it ita Italian;ja jpn Japanese;jw jav/jv Javanese;
    ka geo/kat Georgian;kk kaz Kazakh;km khm Khmer;kn kan Kannada;ko kor Korean;la lat Latin;lb ltz Luxembourgish;
    ln lin Lingala;lo lao Lao;lt lit Lithuanian;lv lav Latvian;mg mlg Malagasy;mi mao/mri Maori;mk mac/mkd Macedonian;
    ml mal Malayalam;mn mon Mongolian;mr mar Marathi;ms may/msa Malay;mt mlt Maltese;my bur/mya Burmese/Myanmar;
    ne nep Nepali;nl dut/nld Dutch/Flemish;nn nno Nynorsk;no nor/nob/nb Norwegian/Bokmal;oc oci Occitan;pa pan Punjabi/Panjabi;
    pl pol Polish;ps pus Pashto;pt por Portuguese;ro rum/ron Romanian/Moldavian;ru rus Russian;sa san Sanskrit;sd snd Sindhi;
    si sin Sinhala/Sinhalese;sk slo/slk Slovak;sl slv Slovenian;sn sna Shona;so som Somali;sq alb/sqi Albanian;sr srp Serbian;
    su sun Sundanese;sv swe Swedish;sw swa Swahili;ta tam Tamil;te tel Telugu;tg tgk Tajik;th tha Thai;tk tuk Turkmen;
    tl tgl Tagalog;tr tur Turkish;tt tat Tatar;uk ukr Ukrainian;ur urd Urdu;uz uzb Uzbek;vi vie Vietnamese;yi yid Yiddish;
    yo yor Yoruba;yue yue/zho/chi Cantonese;zh chi/zho Chinese/Mandarin
"""
_ROWS = [row.split() for row in _TABLE.replace("\n", " ").split(";")]
# tags of subtitles besides ISO 639: OpenSubtitles's and Bazarr's codes of variants, withdrawn codes
_OTHERS = {"pob": "pt", "pb": "pt", "zht": "zh", "zhe": "zh", "chs": "zh", "cht": "zh", "cmn": "zh", "ea": "es", "iw": "he", "fil": "tl"}  # fmt: skip
_NAMES = {code: {code, *three.split("/")} for code, three, _ in _ROWS}
_CODES = {
    name: code for code, three, english in reversed(_ROWS) for name in (english.lower().split("/") + three.split("/"))
}
_CODES |= {code: code for code in _NAMES} | _OTHERS | dict.fromkeys(("chi", "zho"), "zh")
_ENGLISH = {code: english.partition("/")[0] for code, _, english in _ROWS}


def codes_of(language: str) -> set[str]:
    """What containers call one of Whisper's languages: its codes of ISO 639-1, 639-2/B and /T."""
    return _NAMES.get(language, {language})


def language_of(text: str) -> str | None:
    """Whisper's code for "en", "eng", "en-US", "pt_BR", "English" or "Chinese (Simplified)"; None: it names no language."""
    first = re.split(r"[-_ (\[,]", text.strip().lower(), maxsplit=1)[0]
    return _CODES.get(first)


def english_name(language: str) -> str:
    """For people."""
    return _ENGLISH.get(language, language)


def languages(segments: Iterable[Segment]) -> dict[str, float]:
    """Seconds of speech in each language, the one that has most first; of equals, the one that comes first."""
    found: dict[str, float] = {}
    for segment in segments:
        found[segment.language] = found.get(segment.language, 0.0) + segment.end - segment.start
    return dict(sorted(found.items(), key=lambda pair: -pair[1]))


def main_language(segments: Iterable[Segment]) -> str | None:
    """The language that has most of the time; None where nothing was said."""
    return next(iter(languages(segments)), None)
