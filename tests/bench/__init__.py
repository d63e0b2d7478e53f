"""Measurements, run on demand. Each prints ratios of figures taken side by side in one run on one machine.

python -m tests.bench.clips       60 short clips against a plain loop over WhisperModel.transcribe
python -m tests.bench.memory      a worker's peak memory on 3 h against 10 min
python -m tests.bench.parent      the daemon's memory, idle processor time, and time until READY
"""
