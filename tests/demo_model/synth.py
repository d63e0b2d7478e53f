"""Synthesise the training speech of the demo model with espeak-ng and flite.

Writes corpus.pkl: one int16 array of 16 kHz mono audio per utterance, and the words that were spoken in it. Needs the
Debian packages espeak-ng and flite.

    python -m tests.demo_model.synth OUT_DIR --english 9000 --thai 4000 --seed 1
"""

from __future__ import annotations

import argparse
import io
import pickle
import random
import subprocess
import wave
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

RATE = 16_000  # Hz

ENGLISH = (
    "zero one two three four five six seven eight nine ten eleven twelve hundred thousand "
    "hello world this is a test the quick brown fox jumps over lazy dog please transcribe "
    "file audio meeting notes start stop yes no monday tuesday wednesday thursday friday "
    "red green blue morning evening today tomorrow thank you good project system"
).split()

THAI = (
    "ศูนย์ หนึ่ง สอง สาม สี่ ห้า หก เจ็ด แปด เก้า สิบ สวัสดี ขอบคุณ ประชุม วันนี้ พรุ่งนี้ ไฟล์ เสียง ทดสอบ ระบบ ภาษา ไทย ดี มาก น้ำ บ้าน"
).split()

LEXICON = {"en": ENGLISH, "th": THAI}

VARIANTS = ["", "+m1", "+m2", "+m3", "+m4", "+m5", "+m6", "+m7", "+f1", "+f2", "+f3", "+f4", "+f5"]
ESPEAK_VOICES = ["en-us", "en-gb", "en-gb-scotland", "en-us-nyc", "en-gb-x-rp"]
FLITE_VOICES = ["kal16", "awb", "rms", "slt"]


@dataclass(frozen=True)
class Order:
    """What is to be said, and the seed that chooses how."""

    seed: int
    language: str
    words: list[str]


@dataclass(frozen=True)
class Utterance:
    language: str
    words: list[str]
    audio: np.ndarray  # int16, 16 kHz, mono

    def scaled(self, peak: float) -> np.ndarray:
        """The audio as float32 with its largest sample at `peak`."""
        audio = self.audio.astype(np.float32) / 32768
        return audio * np.float32(peak / max(1e-3, float(np.abs(audio).max())))


def read_wav(data: bytes) -> tuple[np.ndarray, int]:
    """Samples (int16) and rate. A stream's header may claim any length, and the data may end in half a sample."""
    with wave.open(io.BytesIO(data)) as file:
        raw = file.readframes(min(file.getnframes(), 2**30))
        return np.frombuffer(raw[: len(raw) // 2 * 2], dtype=np.int16), file.getframerate()


def resample(audio: np.ndarray, rate: int) -> np.ndarray:
    """`audio` at 16 kHz, by cutting or padding its spectrum: enough for synthetic speech."""
    if rate == RATE:
        return audio
    length = int(len(audio) * RATE / rate)
    spectrum = np.fft.rfft(audio.astype(np.float64))
    kept = min(int(len(spectrum) * min(1.0, RATE / rate)), length // 2 + 1)
    changed = np.zeros(length // 2 + 1, dtype=complex)
    changed[:kept] = spectrum[:kept]
    return np.clip(np.fft.irfft(changed, length) * (length / len(audio)), -32768, 32767).astype(np.int16)


def trim(audio: np.ndarray) -> np.ndarray:
    """Without the silence at both ends but 10 ms before and 20 ms after."""
    level = np.abs(audio.astype(np.int32))
    loud = np.flatnonzero(level > 0.01 * max(1, level.max()))
    return audio[max(0, loud[0] - 160) : loud[-1] + 320] if len(loud) else audio


def command(order: Order, rng: random.Random) -> list[str]:
    """The synthesizer's command line, with a voice, speed and pitch drawn from `rng`; it writes WAV to its output."""
    text = " ".join(order.words)
    if order.language == "en" and rng.random() < 0.3:
        voice, stretch = rng.choice(FLITE_VOICES), rng.uniform(0.8, 1.25)
        return ["flite", "-voice", voice, "--setf", f"duration_stretch={stretch:.2f}", "-t", text, "-o", "/dev/stdout"]
    voice = (rng.choice(ESPEAK_VOICES) if order.language == "en" else "th") + rng.choice(VARIANTS)
    speed, pitch, gap = rng.randint(120, 190), rng.randint(25, 75), rng.choice([0, 0, 1, 2, 4])
    return ["espeak-ng", "-v", voice, "-s", str(speed), "-p", str(pitch), "-g", str(gap), "--stdout", text]


def speak(order: Order) -> Utterance | None:
    """What the synthesizer makes of `order`; None where it gives nothing usable (0.2 to 12 s of speech)."""
    done = subprocess.run(command(order, random.Random(order.seed)), capture_output=True, check=False)
    if done.returncode or len(done.stdout) < 1000:
        return None
    try:
        audio, rate = read_wav(done.stdout)
    except (wave.Error, EOFError):
        return None
    audio = trim(resample(audio, rate))
    return Utterance(order.language, order.words, audio) if 0.2 < len(audio) / RATE < 12 else None


def orders(english: int, thai: int, seed: int) -> list[Order]:
    """`english` and then `thai` phrases of 1 to 8 words in any order."""
    rng = random.Random(seed)
    found = []
    for number, language in enumerate(["en"] * english + ["th"] * thai):
        count = rng.choice([1, 2, 2, 3, 3, 4, 4, 5, 6, 7, 8])
        words = [rng.choice(LEXICON[language]) for _ in range(count)]
        found.append(Order(seed * 10_000_019 + number, language, words))
    return found


def load_corpus(folder: Path) -> list[Utterance]:
    """What `main` wrote. Only for files of one's own: a pickle can run code."""
    return [Utterance(**fields) for fields in pickle.loads((folder / "corpus.pkl").read_bytes())]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--english", type=int, default=9000)
    parser.add_argument("--thai", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    with ThreadPoolExecutor(3) as pool:
        said = [each for each in pool.map(speak, orders(args.english, args.thai, args.seed)) if each]
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "corpus.pkl").write_bytes(pickle.dumps([vars(each) for each in said]))
    hours = sum(len(each.audio) for each in said) / RATE / 3600
    print(f"{len(said)} utterances, {hours:.2f} h")


if __name__ == "__main__":
    main()
