"""The page that people look at: the queue, a job with its player, the search."""

from __future__ import annotations

from sttd.web.pages.endpoints import Pages, error

__all__ = ["Pages", "error"]
