"""Make the spoken samples of `sttd/demo/samples`: two for the demo, and 32 held-out clips with their words.

    python -m tests.demo_model.samples SAMPLES_DIR

Needs the Debian packages espeak-ng, flite and ffmpeg.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
from pathlib import Path

from tests.demo_model.synth import ESPEAK_VOICES, FLITE_VOICES, LEXICON, VARIANTS

DEMO = {
    "english": ("en", "slt", "hello world this is a test please transcribe the file thank you"),
    "thai": ("th", "th", "สวัสดี ทดสอบ ระบบ เสียง ภาษา ไทย ดี มาก ขอบคุณ"),
}


def say(path: Path, voice: str, text: str, speed: int = 150) -> None:
    """Speak `text` into a 16 kHz mono FLAC file. `speed` is in words a minute, and espeak-ng's alone."""
    wav = path.with_suffix(".wav")
    if voice in FLITE_VOICES:
        command = ["flite", "-voice", voice, "-t", text, "-o", str(wav)]
    else:
        command = ["espeak-ng", "-v", voice, "-s", str(speed), "-w", str(wav), text]
    subprocess.run(command, check=True)
    form = ["-ac", "1", "-ar", "16000", "-bitexact"]
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-i", str(wav), *form, str(path)], check=True)
    wav.unlink()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    rng = random.Random(20261122)
    known = {}
    for name, (language, voice, text) in DEMO.items():
        say(args.out / f"{name}.flac", voice, text)
        known[f"{name}.flac"] = {"language": language, "words": text.split()}
    for number in range(32):
        language = "th" if number % 4 == 3 else "en"
        words = [rng.choice(LEXICON[language]) for _ in range(rng.randint(2, 8))]
        if language == "th":
            voice = "th" + rng.choice(VARIANTS)
        else:
            voice = rng.choice([*FLITE_VOICES, *(name + rng.choice(VARIANTS) for name in ESPEAK_VOICES)])
        say(args.out / f"clip{number:02}.flac", voice, " ".join(words), rng.randint(130, 175))
        known[f"clip{number:02}.flac"] = {"language": language, "words": words}
    (args.out / "words.json").write_text(json.dumps(known, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
