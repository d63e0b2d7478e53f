"""What people and programs are shown of the daemon and its jobs, and how they ask it: the same for commands, the page and notices.

It prints nothing and answers no request: `cli` and `web` do, and neither imports the other's.
"""
