"""`python -m tests.notify.hasty`: sttd, whose notifier looks ten times a second."""

from __future__ import annotations

from sttd.cli import main
from sttd.notify import service

service.INTERVAL = 0.1
main()
