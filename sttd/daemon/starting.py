"""What decides which job starts next, and how, besides the rows of waiting jobs; see dispatch.py."""

from __future__ import annotations

from dataclasses import dataclass, field

from sttd.daemon.model_holds import ModelHolds
from sttd.rules.fairness import Turns


@dataclass(slots=True)
class Starting:
    turns: Turns = field(default_factory=Turns)
    models: ModelHolds = field(default_factory=ModelHolds)
    busy_only: bool = False  # memory is high: no job starts while another runs
