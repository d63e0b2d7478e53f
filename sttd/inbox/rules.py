"""Which names are never a job, and why. Names are strings that may hold surrogates; the disk is not accessed."""

from __future__ import annotations

import enum
import re
from collections.abc import Collection, Iterable

# The last suffix that programs give a file until it is whole: browsers, downloaders, torrents, sync apps, yt-dlp
_UNFINISHED = frozenset(
    """
    part partial parts tmp temp crdownload download opdownload filepart dlpart fdmdownload dwnld dctmp xltd incomplete unfinished
    !qb !ut !bt bc! jc! fb! ob! !sync syncpart synctemp aria2 aria2__temp ytdl dtapart adadownload downloading unconfirmed
    inprogress ffs_tmp td
    """.split()
)
# And unfinished files whose names end as a recording's. Nicotine+ begins them with INCOMPLETE. yt-dlp loads picture and sound
# as `name.f137.mp4` and `name.f140.m4a` (f and the format's number or kind), joins them in `name.temp.mp4`, and renames that;
# a fragment of a stream is `name.part-Frag7`
_UNFINISHED_NAME = re.compile(
    r"INCOMPLETE(~|[0-9a-f]{32}).*"
    r"|(?i:.+\.f(\d{2,}[av]?|(hls|https?|dash|rtmp|mpd|m3u8)[^.]*)(-[\w-]+)?\.\w+)"
    r"|(?i:.+\.(temp|tmp|partial|incomplete|unfinished|downloading)\.\w+)"
    r"|(?i:.+\.part-frag\d+)",
    re.DOTALL,
)
# N_m3u8DL-RE puts a stream's segments into `0____` beside it
_SEGMENTS = re.compile(r"\d+____")
# ends of folders' names while the files in them are incomplete (Safari's downloads) or being deleted (FreeFileSync)
_BUNDLES = (".download", ".ffs_tmp")
_UNPACKING = ("_UNPACK_", "_FAILED_")  # what the names of folders begin with in which an archive is unpacked: SABnzbd
# In lower case. Recycle bins and snapshots of Windows, Synology, QNAP, Asustor, Buffalo, NetGear and of Samba's modules;
# thumbnails under the recording's own name (@eaDir); smaller copies of films (QNAP's @Transcode); what GoodSync and Allway Sync keep
# of files that were deleted or replaced; what macOS, Windows and ext4 put beside people's files; NZBGet's
# unpacking folder; what Windows' file replication puts aside. Those that begin with a dot or `~` need no mention: .Trash-1000,
# .snapshot, .zfs, ~snapshot, .AppleDouble
_FOREIGN_FOLDERS = frozenset(
    {
        "#recycle", "#snapshot", "@recycle", "@recently-snapshot", "@tmp", "@eadir", "@sharebin", "@__thumb", "@.streams",
        "$recycle.bin", "recycler", "recycled", "recycle.bin", "recycle bin", "trashbox", "network trash folder",
        "system volume information", "temporary items", "thevolumesettingsfolder", "__macosx", "lost+found", "_unpack",
        "dfsrprivate", "@sharesnap", "@transcode", "_gsdata_", "_syncapp",
    }
)  # fmt: skip
# chkdsk's finds; Samba's shadow copies; Synology's snapshots; D-Link's recycle bins
_FOREIGN_PATTERN = re.compile(r"found\.\d{3}|@gmt-[\d.-]+|#snapshot.*|recycle bin - .+")


def is_unfinished_suffix(name: str) -> bool:
    """Whether a name has a suffix that programs use until the file is complete."""
    return name.rpartition(".")[2].lower() in _UNFINISHED


class Why(enum.StrEnum):
    """Why something in the inbox is no job, in the words of `sttd status`."""

    HIDDEN = "hidden"
    UNFINISHED = "unfinished copy or download"
    FOREIGN = "recycle bin, snapshot or other folder of a NAS, a system or a sync app"
    LINK = "symbolic link"
    SPECIAL = "not a regular file"
    SUFFIX = "suffix not in watch.suffixes"
    RESULT = "result, or a file of its kind"
    CONTENT = "no recording, by its first bytes"
    DEEP = "path too long"


class Rules:
    """The ignore rules of DESIGN section 4, with the configured `suffixes` (any case, with or without the dot).

    `results`: the suffixes of results that are written beside their recordings. Such files are no jobs, and not reported
    as left alone. Any thread may set it.
    """

    def __init__(self, suffixes: Iterable[str], results: Collection[str] = ()) -> None:
        self._suffixes = frozenset(suffix.lower().removeprefix(".") for suffix in suffixes)
        self.results = results

    def file(self, name: str) -> Why | None:
        """Why a file of this name is no job; None: it is one. An unfinished file is none, even if `suffixes` has its suffix."""
        if name[:1] == ".":
            return Why.HIDDEN
        stem, dot, suffix = name.rpartition(".")
        suffix = suffix.lower()
        if name[:1] == "~" or (dot and suffix in _UNFINISHED) or _UNFINISHED_NAME.fullmatch(name):
            return Why.UNFINISHED
        if dot and stem and suffix in self._suffixes:
            return None
        return Why.RESULT if dot and suffix in self.results else Why.SUFFIX

    def folder(self, name: str) -> Why | None:
        """Why nothing below a folder of this name is a job; None: it is looked into."""
        if name[:1] == ".":  # .stfolder, .stversions, .Trash-1000, .git
            return Why.HIDDEN
        lower = name.lower()
        if name[:1] == "~" or name.startswith(_UNPACKING) or lower.endswith(_BUNDLES) or _SEGMENTS.fullmatch(lower):
            return Why.UNFINISHED
        return Why.FOREIGN if lower in _FOREIGN_FOLDERS or _FOREIGN_PATTERN.fullmatch(lower) else None

    def path(self, rel: str) -> Why | None:
        """The same for a path relative to the inbox: each folder of it counts, then the file's name."""
        *folders, name = rel.split("/")
        for folder in folders:
            why = self.folder(folder)
            if why is not None:
                return why
        return self.file(name)
