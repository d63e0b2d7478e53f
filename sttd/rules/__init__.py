"""The daemon's decisions: pure functions over values, with `now` passed in. Nothing here does I/O."""
