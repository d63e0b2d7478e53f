"""What was heard is kept, and decoded again only where something that it depends on is another."""

from __future__ import annotations

import pytest

from tests.real import ways


@pytest.fixture
def decoded(tmp_path, monkeypatch):
    """The (way, seed, file) that were decoded; a file that begins with "vary" is drawn at random."""
    monkeypatch.setenv("STTD_REAL_CACHE", str(tmp_path / "cache"))
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.bin").write_bytes(b"weights")
    done = []

    def decode(way, files, _setup, seed):
        for file in files:
            done.append((way, seed, file.name))
            sampled = file.read_bytes().startswith(b"vary")
            yield {"file": str(file), "text": f"{way} {seed}", "sampled": sampled, "processor": 1.0}

    monkeypatch.setattr(ways, "_decoded", decode)
    return done


def test_a_recording_is_decoded_once_and_again_with_other_weights_options_or_source(decoded, tmp_path, monkeypatch):
    file, setup = tmp_path / "a.wav", ways.Setup(tmp_path / "model")
    file.write_bytes(b"a")
    for _ in range(2):
        assert ways.hear("sttd", [file], setup, 1)[file]["text"] == "sttd 1"
    assert len(decoded) == 1
    ways.hear("sttd", [file], ways.Setup(tmp_path / "model", sets=("transcribe.beam_size=1",)), 1)
    ways.hear("sttd", [file], ways.Setup(tmp_path / "model", "float32"), 1)
    monkeypatch.setattr(ways, "_source", lambda: "another")
    ways.hear("sttd", [file], setup, 1)
    assert len(decoded) == 4
    ways.hear("vad", [file], setup, 1)
    monkeypatch.setattr(ways, "_source", lambda: "a third")
    ways.hear("vad", [file], setup, 1)  # a peer does not depend on sttd's source
    assert len(decoded) == 5


def test_only_what_was_drawn_at_random_is_decoded_with_each_seed(decoded, tmp_path):
    steady, varying = tmp_path / "a.wav", tmp_path / "b.wav"
    steady.write_bytes(b"a")
    varying.write_bytes(b"vary")
    runs = ways.repeated("sequential", [steady, varying], ways.Setup(tmp_path / "model"), (1, 2, 3))
    assert [len(runs[steady]), len(runs[varying])] == [1, 3]
    assert decoded[2:] == [("sequential", 2, "b.wav"), ("sequential", 3, "b.wav")]
