"""Which of a recording's audio tracks is transcribed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from av.stream import Disposition

from sttd.part import Cause, Options
from sttd.worker.errors import PartFailed

# Whisper's languages (ISO 639-1, some 639-2) and what containers call them (ISO 639-2/B and /T, mostly three letters).
# From the tables of the Library of Congress, https://www.loc.gov/standards/iso639-2/php/code_list.php
_NAMES = {
    two: set(three.split("/")) | {two}
    for two, _, three in (
        pair.partition(" ")
        for pair in (
            "af afr,am amh,ar ara,as asm,az aze,ba bak,be bel,bg bul,bn ben,bo tib/bod,br bre,bs bos,ca cat,cs cze/ces,"
            "cy wel/cym,da dan,de ger/deu,el gre/ell,en eng,es spa,et est,eu baq/eus,fa per/fas,fi fin,fo fao,"
            "fr fre/fra,gl glg,gu guj,ha hau,haw haw,he heb,hi hin,hr hrv,ht hat,hu hun,hy arm/hye,id ind,is ice/isl,"
            "it ita,ja jpn,jw jav/jv,ka geo/kat,kk kaz,km khm,kn kan,ko kor,la lat,lb ltz,ln lin,lo lao,lt lit,lv lav,"
            "mg mlg,mi mao/mri,mk mac/mkd,ml mal,mn mon,mr mar,ms may/msa,mt mlt,my bur/mya,ne nep,nl dut/nld,nn nno,"
            "no nor/nob,oc oci,pa pan,pl pol,ps pus,pt por,ro rum/ron,ru rus,sa san,sd snd,si sin,sk slo/slk,sl slv,"
            "sn sna,so som,sq alb/sqi,sr srp,su sun,sv swe,sw swa,ta tam,te tel,tg tgk,th tha,tk tuk,tl tgl,tr tur,"
            "tt tat,uk ukr,ur urd,uz uzb,vi vie,yi yid,yo yor,yue yue/zho/chi,zh chi/zho"
        ).split(",")
    )
}
_FOR_FEW = Disposition.comment | Disposition.visual_impaired | Disposition.karaoke | Disposition.dub


def choose(tracks: Sequence[Any], options: Options) -> Any:
    """The track of the language asked for, else the default one, else the first that is no commentary.

    Args:
        tracks: the container's audio streams.
        options: of which the languages count.

    Raises:
        PartFailed: BAD_FILE; there is none, or none that can be decoded.
    """
    if not tracks:
        raise PartFailed(
            Cause.BAD_FILE, "there is no sound in the file: it has no audio track; export it with its sound"
        )
    decodable = [track for track in tracks if track.codec_context is not None]
    if not decodable:
        raise PartFailed(
            Cause.BAD_FILE, "the sound is in a coding that cannot be decoded here; convert it, to FLAC say"
        )
    wanted = (options.language,) if options.language else options.languages
    names = set().union(*(_NAMES.get(language, {language}) for language in wanted))
    return max(decodable, key=lambda track: _rank(track, names))  # the first one of equals


def _rank(track: Any, names: set[str]) -> tuple[bool, bool, bool]:
    language = (track.language or "").lower().partition("-")[0]
    return language in names, not track.disposition & _FOR_FEW, bool(track.disposition & Disposition.default)
