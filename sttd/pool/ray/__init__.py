"""Workers on the nodes of a Ray cluster: each is `sttd worker`, run by a Ray actor, with its streams tunnelled through Ray.

    the daemon            the driver, its child        a node of the cluster
    CommandWorker         Hire                         Runner (the actor)      sttd worker (`sttd.pool.far`)
    Tunnel ── 3 pipes ──> reads and writes pipes ──>   calls with bytes   ──>  standard input, output, error
    Link   ── socket ───> Driver

The daemon imports nothing of Ray. Its driver does, because Ray replaces signal handlers, and ends the process when it loses the
cluster. What the two say to each other is in `wire.py`.
"""
