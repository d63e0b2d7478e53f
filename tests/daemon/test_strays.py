"""Sources under private names that no plan knows: each gets its name back, and a flood of planted ones holds nobody up."""

from __future__ import annotations

import pytest

from sttd import outbox
from sttd.daemon import strays
from sttd.inbox import Own
from tests.harness import PATIENCE


def private(number: int) -> str:
    return f".sttd-{number}-0123456789abcdef.filing.talk{number}.wav"


@pytest.fixture
def walked(stations):
    """Tells of strays as a walk does, and waits until what follows from it is done; returns how many errands it took."""
    context, inputs = stations

    def walk(*rels: str) -> int:
        before = context.work.errands.under_way
        strays.put_back(context, Own(rels))
        posted = context.work.errands.under_way - before
        for _ in range(context.work.errands.under_way):
            inputs.get(timeout=PATIENCE).settle()
        return posted

    context.places = outbox.Places(context.config.paths)
    return walk


def test_a_flood_of_private_names_takes_a_bounded_number_of_errands_and_all_get_their_names(walked, tmp_path):
    rels = [private(number) for number in range(1, 251)]
    for rel in rels:
        (tmp_path / "inbox" / rel).touch()
    took = 0
    while left := [rel for rel in rels if (tmp_path / "inbox" / rel).exists()]:
        took = max(took, walked(*left))
    assert took == strays.MOST
    assert len(list((tmp_path / "inbox").glob("talk*.wav"))) == len(rels)


def test_what_cannot_be_given_its_name_back_is_said_once_and_keeps_nobody_else_from_it(walked, tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(strays, "say", lambda _kind, text: said.append(text))
    put_back = outbox.put_back

    def refuse(rel, places):
        if rel.startswith("theirs/"):
            raise PermissionError(1, "Operation not permitted", rel)
        return put_back(rel, places)

    monkeypatch.setattr(outbox, "put_back", refuse)
    planted = [f"theirs/{private(number)}" for number in range(1, 2 * strays.MOST)]
    for _ in range(4):
        walked(*planted)
    assert len(said) == strays.NAMED
    (tmp_path / "inbox" / private(1)).touch()
    walked(*planted, private(1))
    assert (tmp_path / "inbox" / "talk1.wav").exists()
