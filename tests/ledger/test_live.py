"""The file of live figures (sttd/ledger/live.py)."""

from __future__ import annotations

import json
import os

import pytest

from sttd.ledger import live

FIGURES = {"workers": [], "trouble": ["\udcff"]}


def test_the_runtime_folder_holds_it_and_without_one_the_state_folder(tmp_path):
    assert live.path_of(tmp_path, {"RUNTIME_DIRECTORY": "/run/sttd:/run/other"}).parts[:3] == ("/", "run", "sttd")
    assert live.path_of(tmp_path, {}) == tmp_path / "live.json"


@pytest.mark.parametrize("mask", [0o000, 0o077])
def test_the_group_may_read_it_whatever_the_umask_is(tmp_path, mask):
    before = os.umask(mask)
    try:
        live.write(tmp_path / "live.json", FIGURES)
    finally:
        os.umask(before)
    assert (tmp_path / "live.json").stat().st_mode & 0o777 == 0o640
    assert [path.name for path in tmp_path.iterdir()] == ["live.json"]


def test_figures_of_another_process_are_no_figures(tmp_path):
    """A daemon that has just started has not written its own yet; its predecessor's workers are gone."""
    live.write(tmp_path / "live.json", FIGURES)
    assert live.read(tmp_path / "live.json", os.getpid())["trouble"] == ["\udcff"]
    assert live.read(tmp_path / "live.json", 1) == {}


@pytest.mark.parametrize("found", ["nothing", "a link", "a pipe", "a folder", "no JSON", "a list"])
def test_what_is_no_file_of_ours_is_no_figures_and_holds_nobody_up(tmp_path, found):
    path = tmp_path / "live.json"
    match found:
        case "a link":
            live.write(tmp_path / "other", FIGURES)
            path.symlink_to(tmp_path / "other")
        case "a pipe":
            os.mkfifo(path)
        case "a folder":
            path.mkdir()
        case "no JSON" | "a list":
            path.write_text("[1]" if found == "a list" else '{"pid": ')
    assert live.read(path, os.getpid()) == {}


def test_old_figures_make_room_for_new_ones(tmp_path, monkeypatch):
    """On a disk that is full they are what a person asks for."""
    path, real = tmp_path / "live.json", json.dump
    live.write(path, FIGURES)

    def dump(value, file):
        if path.exists():
            raise OSError(28, "No space left on device")
        real(value, file)

    monkeypatch.setattr("sttd.ledger.live.json.dump", dump)
    live.write(path, FIGURES | {"trouble": ["the disk is full"]})
    assert live.read(path, os.getpid())["trouble"] == ["the disk is full"]


def test_figures_that_cannot_be_written_leave_no_old_ones(tmp_path, monkeypatch):
    live.write(tmp_path / "live.json", FIGURES)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("sttd.ledger.live.json.dump", full)
    live.write(tmp_path / "live.json", FIGURES)
    assert list(tmp_path.iterdir()) == []
