"""A real Slurm of one node, with its folders, its key and its network apart from the machine's."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.harness import wait_for
from tests.remote.conftest import gone, tree
from tests.remote.net import ADDRESS, Net

CORES = 2  # that Slurm gives away, whatever the machine has
PROGRAMS = ("slurmctld", "slurmd", "srun", "munged")

_CONFIG = """
ClusterName=test
SlurmctldHost={host}({address})
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
ReturnToService=2
KillWait=1
NodeName={host} NodeAddr={address} CPUs={cores} RealMemory=1000 State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


class Slurm:
    """Made with `cluster`."""

    def __init__(self, net: Net, folder: Path) -> None:
        self._words = ["env", f"SLURM_CONF={folder}/slurm.conf", *net.inside(mounts=False)]

    def command(self, *words: str) -> list[str]:
        """What a [[pool.remote]] table would have: one task, one core."""
        return [*self._words, "srun", "--ntasks=1", "--cpus-per-task=1", *words]

    def say(self, *words: str) -> str:
        """What one of Slurm's commands prints; "": it failed, as while the daemons start."""
        return subprocess.run([*self._words, *words], capture_output=True, text=True, check=False).stdout.strip()

    def jobs(self) -> list[str]:
        """The numbers of those that run or wait."""
        return self.say("squeue", "--noheader", "--format=%i").split()


@contextlib.contextmanager
def cluster(net: Net, folder: Path) -> Iterator[Slurm]:
    """Ended with all that it has started."""
    for name in ("state", "spool"):
        (folder / name).mkdir()
    host = socket.gethostname().split(".")[0]
    (folder / "slurm.conf").write_text(_CONFIG.format(host=host, address=ADDRESS, folder=folder, cores=CORES))
    key = folder / "munge.key"
    key.touch(0o600)
    key.write_bytes(secrets.token_bytes(1024))
    slurm = Slurm(net, folder)
    munge = [f"--{name}-file={folder}/munge.{name}" for name in ("key", "pid", "log", "seed")]
    with contextlib.ExitStack() as stack:
        _start(stack, net, folder, "munged", "--foreground", "--force", f"--socket={folder}/munge.socket", *munge)
        wait_for((folder / "munge.socket").exists, "munged listens")
        _start(stack, net, folder, "slurmctld", "-D")
        wait_for(lambda: "UP" in slurm.say("scontrol", "ping"), "slurmctld answers")
        _start(stack, net, folder, "slurmd", "-D", mounts=True)
        wait_for(lambda: slurm.say("sinfo", "--noheader", "--format=%T") == "idle", "the node is idle")
        yield slurm


def _start(
    stack: contextlib.ExitStack, net: Net, folder: Path, program: str, *words: str, mounts: bool = False
) -> None:
    path = shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin")
    with (folder / f"{program}.out").open("wb") as log:
        process = subprocess.Popen(
            [*net.inside(mounts=mounts), str(path), *words], stdout=log, stderr=log,
            env=os.environ | {"SLURM_CONF": f"{folder}/slurm.conf"},
        )  # fmt: skip
    stack.callback(_end, process)


def _end(process: subprocess.Popen[bytes]) -> None:
    left = tree(process.pid) if process.poll() is None else []
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 9)
    process.wait()
    wait_for(lambda: gone(left), "a daemon of Slurm is gone")
