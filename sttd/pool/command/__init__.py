"""Workers behind a command (`ssh`, `srun`, `kubectl run -i`, `docker run -i`) that runs `sttd worker` on another machine.

The command's standard input and output are the line, its standard error goes to the log. The other side is `sttd.pool.far`.
"""
