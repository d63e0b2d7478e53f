"""Mutated recordings of each container through the real worker: nothing may crash it, hang it or fill the memory.

`python -m tests.fuzz` makes 300 of each, and the bombs of tests/hostile/bombs.py, and prints a table.
"""
