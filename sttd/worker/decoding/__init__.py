"""From windows to segments of text."""
