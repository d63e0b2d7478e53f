"""sttd and faster-whisper side by side: a real Whisper on real speech, judged by the words that they get wrong.

    python -m tests.real get                puts the models together in the cache
    python -m tests.real FOLDER             hears the recordings of FOLDER in all ways, and prints the tables:
                                            word errors; in English, punctuation and capital letters too
    python -m tests.real FOLDER --joined    the same with long recordings joined from them

FOLDER has a manifest.json, or is a LibriSpeech or Common Voice tree; see corpus.py. Models, what was heard, and joined
recordings are kept in ~/.cache/sttd-real, or where STTD_REAL_CACHE says. STTD_REAL_SPEECH names a FOLDER for those tests of
pytest that need people who speak Thai and English.
"""

# why tests of this package are skipped
NO_EXTRA = "the extra `real` is not installed here"
NO_SPEECH = "no recordings of a person are here"
