"""Measurements, run on demand: sttd and its peers side by side, on the same files, model, cores and beam.

python -m tests.bench                         all rows, written to tests/bench/RESULTS.md
python -m tests.bench --rows 1,3 --scale 0.1  some rows at a tenth of their size: printed, not written

One row group alone, printed: python -m tests.bench.clips (rows 1 and 2), .long (3, 4 and 7), .memory (5 and 6), .latency (8),
.scale (9 to 11), .overhead (12) and .rounds (13). And python -m tests.bench.parent: the daemon's memory, idle processor time, and time until READY.

Needs `pip install '.[test,bench]'`. A contender whose text is not what is said (or sttd's, where it is worse than a peer's) ends the bench, and nothing is written.
"""
