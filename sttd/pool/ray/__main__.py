"""The driver's process, a child of the daemon: `python -m sttd.pool.ray CLUSTER`. See `wire.py` for what goes in and out."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import threading
import uuid
from typing import NoReturn

from sttd.pool.ray import reach
from sttd.pool.ray.wire import Coming, DriverFailed, cluster, tell

_CLOSING = 3.0  # seconds that Ray may take to shut down


def main() -> NoReturn:
    about = cluster(sys.argv[1])
    way, news = socket.socket(fileno=os.dup(0)), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)  # what Ray prints goes to the log

    def give_up(why: str) -> NoReturn:
        tell(news, DriverFailed(why))
        os._exit(1)

    try:
        reach.connect(about, f"sttd-{uuid.uuid4().hex}", give_up, lambda: tell(news, Coming()))
        from sttd.pool.ray.driver import drive  # noqa: PLC0415 - it imports Ray

        # not by asyncio.run, which waits for threads: one may be in a call of Ray that waits for a dead head
        asyncio.new_event_loop().run_until_complete(drive(about, way, news))
    except reach.Unreachable as error:
        give_up(str(error))
    finally:  # by an exception too, which is printed then
        limit = threading.Timer(_CLOSING, os._exit, [1])
        limit.daemon = True
        limit.start()
    import ray  # noqa: PLC0415

    ray.shutdown()  # the cluster ends the actors that are left at once; without this only later
    os._exit(0)


if __name__ == "__main__":
    main()
