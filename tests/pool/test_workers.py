"""What processes of this machine owe to their parent, beside what holds for every kind of worker (tests/pool/contract)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap

import psutil

from sttd.host.capacity import Capacity
from sttd.part import Chunks, Done, Notice, Started
from sttd.pool.wire import Clean
from tests.harness import PATIENCE
from tests.pool.conftest import worker_processes


def pid_of(told, part_id):
    return told.of(part_id, Started)[-1].pid


def last_end(told, part_id) -> int:
    """The sample at which the last chunk that was told of ends."""
    return told.of(part_id, Chunks)[-1].chunks[-1].end


def test_another_model_gets_another_worker_and_at_the_limit_the_idle_one_makes_room(rig):
    told = rig(workers=1)
    told.run("1.0", "started done", model="demo")
    told.run("2.0", "started done", model="other")
    assert pid_of(told, "1.0") != pid_of(told, "2.0")
    told.wait(lambda: len(worker_processes()) == 1)
    assert told.pool.workers()[0].model == "other"


def test_an_idle_worker_that_takes_no_orders_gets_no_part(rig):
    """It was stopped in its idleness, and its pipe is full: the part goes to a new worker."""
    told = rig()
    told.run("1.0", "started done")
    (pid,) = told.pids()
    os.kill(pid, signal.SIGSTOP)
    while told.pool._seats()[0].worker.send(Clean()):
        pass
    assert isinstance(told.run("2.0", "started done"), Done)
    assert pid_of(told, "2.0") != pid
    told.wait(lambda: not psutil.pid_exists(pid))


def test_each_worker_sees_a_gpu_of_its_own(rig, monkeypatch, tmp_path):
    monkeypatch.setattr("sttd.pool.local.source.capacity", lambda: Capacity(2, 2**33, ("0", "1")))
    told = rig(workers=2)
    for number in (1, 2):
        told.submit(f"{number}.0", f"env gate:{tmp_path / 'go'} done")
    assert [told.seen(f"{number}.0", Notice).text for number in (1, 2)] == ["0", "1"]
    (tmp_path / "go").touch()


def test_the_kernel_takes_a_worker_before_the_daemon(rig):
    told = rig()
    told.run("1.0", "score done")
    assert int(told.of("1.0", Notice)[0].text) >= 500


PARENT = """
    import dataclasses, sys, time
    from tests.pool.conftest import Rig
    if __name__ == "__main__":
        told = Rig(workers=5)
        for number, script in enumerate(["started chunk hang", "started half", "started deaf hang", "started deaf gil"]):
            told.submit(f"{number}.0", script)
        told.run("9.0", "started done")
        for number in range(4):
            told.wait(lambda: told.of(f"{number}.0"))
        print(*told.pids(), flush=True)
        time.sleep(600)
"""


def test_no_worker_outlives_a_daemon_that_is_killed(tmp_path):
    """Working, stopped in mid-message, deaf to SIGTERM, stuck in C code with the GIL, idle: all gone, and with them the resource tracker."""
    script = tmp_path / "parent.py"
    script.write_text(textwrap.dedent(PARENT))
    parent = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True)
    try:
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert len(pids) == 5
        children = psutil.Process(parent.pid).children(recursive=True)
        assert len(children) == 6
    finally:
        parent.kill()
        parent.wait()
        parent.stdout.close()
    _, alive = psutil.wait_procs(children, timeout=PATIENCE)
    left = [each for each in alive if each.status() != psutil.STATUS_ZOMBIE]
    for each in left:
        each.kill()
    assert left == []


def test_the_parent_imports_nothing_of_the_workers():
    code = (
        "import sttd.pool.build, sttd.rules.policy, sttd.rules.deadlines, sys; "
        "print({'numpy', 'av', 'faster_whisper', 'ctranslate2', 'onnxruntime', 'huggingface_hub', 'sttd.worker'} "
        "& set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_ctrl_c_on_the_terminal_is_not_for_the_workers(rig, tmp_path):
    """They are in groups of their own, and SIGINT changes nothing: the daemon asks them to stop."""
    told = rig()
    told.submit("1.0", f"started gate:{tmp_path / 'go'} chunk done")
    pid = told.seen("1.0", Started).pid
    assert os.getpgid(pid) == pid
    os.kill(pid, signal.SIGINT)
    (tmp_path / "go").touch()
    assert isinstance(told.end("1.0"), Done)
