"""The daemon's decisions, and what it refuses: pure functions over values, with `now` passed in. Nothing here does I/O."""
