"""What the tests of the ledger share."""

from tests.memory import tmp_path

__all__ = ["tmp_path"]
