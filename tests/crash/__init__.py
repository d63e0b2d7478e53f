"""The crash matrix: every durable step on the way of a file, with the daemon killed, a worker killed, the power cut.

`python -m tests.crash` walks them all and prints the table. `steps` stops a real daemon after each durable call of
the system; `disk` knows what of its files a power cut would leave; `case` kills, starts again, and asks
`tests.invariants`; `lane` does so in a mount namespace of its own.
"""
