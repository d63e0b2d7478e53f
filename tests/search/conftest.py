"""What the tests of search share."""

from __future__ import annotations

import pytest

from tests.search.transcripts import Archive


@pytest.fixture
def archive(tmp_path):
    made = Archive(tmp_path)
    yield made
    made.close()
