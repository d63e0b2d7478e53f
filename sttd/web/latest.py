"""What takes long to work out and is asked for again: each thing is worked out once, however many ask at the same time."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

T = TypeVar("T")


class Latest(Generic[T]):
    """The latest ones, by a key that says what each was made of. For any thread.

    Args:
        are_many: whether the oldest one is to go; the newest always stays.
    """

    def __init__(self, are_many: Callable[[Collection[T]], bool]) -> None:
        self._are_many = are_many
        self._found: OrderedDict[Hashable, T] = OrderedDict()
        self._lock = threading.Lock()
        self._turns: WeakValueDictionary[Hashable, _Turn] = WeakValueDictionary()

    def get(self, key: Hashable, work: Callable[[], T]) -> T:
        """The one of a key; where there is none, `work` makes it, and the others who want it wait. Raises what `work` raises."""
        with self._lock:
            turn = self._turns.setdefault(key, _Turn())
        with turn.lock:
            with self._lock:
                found = self._found.pop(key, None)
            if found is None:
                found = work()
            with self._lock:
                self._found[key] = found
                while len(self._found) > 1 and self._are_many(self._found.values()):
                    self._found.popitem(last=False)
        return found


class _Turn:
    """Held by those who want the same thing."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
