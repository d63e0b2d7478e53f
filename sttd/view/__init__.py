"""What people and programs see of the daemon and its jobs, and how they ask it for something: for commands, the page and notices.

It prints nothing and serves nothing: `cli` and `web` do, and neither imports the other.
"""
