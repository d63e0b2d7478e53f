"""What may be used: cores, memory and GPUs, over trees of control groups as kernels show them."""

from __future__ import annotations

import os

import pytest

from sttd.config import Config, Model, Pool
from sttd.host import capacity
from sttd.host.capacity import Capacity, cores, gpus, memory
from sttd.lanes import lanes_of
from sttd.part import MOST_LANES

GIB = 2**30
V1_NONE = "9223372036854771712"


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(8)))
    monkeypatch.setattr(os, "sysconf", lambda name: {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 16 * GIB // 4096}[name])


@pytest.fixture
def tree(tmp_path):
    """A /proc and a /sys/fs/cgroup; returns cores and memory as found there."""

    def made(cgroup: str, **files: str) -> tuple[int, int]:
        (tmp_path / "proc/self").mkdir(parents=True)
        (tmp_path / "proc/self/cgroup").write_text(cgroup)
        for name, text in files.items():
            path = tmp_path / "cgroup" / name.replace("__", "/").replace("_DOT_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text + "\n")
        where = tmp_path / "proc", tmp_path / "cgroup"
        return cores(*where), memory(*where)

    return made


def test_without_limits_the_machine_counts(tree):
    assert tree("0::/a\n", a__memory_DOT_max="max", a__cpu_DOT_max="max 100000") == (8, 16 * GIB)


def test_the_least_of_a_group_s_and_its_ancestors_limits_counts(tree):
    found = tree(
        "0::/big.slice/sttd.service\n",
        big_DOT_slice__sttd_DOT_service__memory_DOT_max="max",
        big_DOT_slice__sttd_DOT_service__cpu_DOT_max="400000 100000",
        big_DOT_slice__memory_DOT_max=str(3 * GIB),
        big_DOT_slice__cpu_DOT_max="150000 100000",
    )
    assert found == (2, 3 * GIB)


def test_version_1_has_its_own_files(tree):
    found = tree(
        "4:cpu,cpuacct:/docker/x\n3:memory:/docker/x\n",
        cpu__docker__x__cpu_DOT_cfs_quota_us="50000",
        cpu__docker__x__cpu_DOT_cfs_period_us="100000",
        cpu__cpu_DOT_cfs_quota_us="-1",
        cpu__cpu_DOT_cfs_period_us="100000",
        memory__docker__x__memory_DOT_limit_in_bytes=str(2 * GIB),
        memory__memory_DOT_limit_in_bytes=V1_NONE,
    )
    assert found == (1, 2 * GIB)


def test_a_container_whose_mount_s_top_is_its_own_group_is_found_there(tree):
    found = tree("0::/docker/x\n", memory_DOT_max=str(GIB), memory_DOT_high=str(GIB // 2), cpu_DOT_max="50000 100000")
    assert found == (1, GIB // 2)


def test_what_cannot_be_read_is_no_limit(tree, tmp_path):
    assert cores(tmp_path / "no", tmp_path / "no") == 8
    assert tree("nonsense\n0::/a\n", a__cpu_DOT_max="100000", a__memory_DOT_max="lots") == (8, 16 * GIB)


@pytest.mark.parametrize(
    ("visible", "found"),
    [
        (None, ("0", "1", "2")), ("", ()), ("-1", ()), ("2,0", ("2", "0")), ("1, 7,0", ("1",)), ("0,-1,1", ("0",)),
        ("GPU-8f,1", ("GPU-8f", "1")), ("NoDevFiles", ("NoDevFiles",)),
    ],
)  # fmt: skip
def test_gpus_are_those_that_cuda_would_show(tmp_path, visible, found):
    for name in ("nvidia0", "nvidia1", "nvidia2", "nvidiactl", "nvidia-uvm", "sda"):
        (tmp_path / name).touch()
    environ = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    assert gpus(environ, tmp_path) == found
    assert gpus(environ, tmp_path / "none") == ()


@pytest.mark.parametrize(
    ("of", "device", "workers"),
    [
        (Capacity(8, 16 * GIB, ("0", "1")), "auto", 2),
        (Capacity(8, 16 * GIB, ("0", "1")), "cpu", 2),
        (Capacity(4, 16 * GIB, ("0", "1")), "cpu", 1),
        (Capacity(20, 3 * GIB, ()), "auto", 1),
        (Capacity(1, 64 * GIB, ()), "auto", 1),
        (Capacity(9, 64 * GIB, ()), "auto", 3),
    ],
)
def test_auto_is_a_worker_for_each_gpu_that_is_used_or_for_four_cores_and_4_gib(of, device, workers):
    assert of.workers(device) == workers


def layout(of: Capacity, workers: int, most: int = MOST_LANES) -> list[tuple[int, int]]:
    """Lanes, and threads of each, of every worker on a CPU."""
    each = of.cores_each(workers)
    return [lanes_of(each + of.cores_over(number, workers), most) for number in range(workers)]


def used(found: list[tuple[int, int]]) -> int:
    return sum(lanes * threads for lanes, threads in found)


@pytest.mark.parametrize("memory", [1, 4, 8, 15, 16, 64, 512])
def test_no_core_is_left_over_whatever_their_number(memory):
    """Of 6 cores 4 had work, of 10 6, of 14 8, of 23 12. Where the memory has room for few workers one core each may be idle."""
    for count in range(1, 129):
        of = Capacity(count, memory * GIB, ())
        workers = of.workers("cpu")
        assert workers == 1 or workers * 4 <= memory
        found = layout(of, workers)
        if workers == -(-count // 4):
            assert used(found) == count
            assert set(found) <= {(1, 1), (2, 1), (3, 1), (2, 2)}
        else:
            assert count - workers <= used(found) <= count


def test_a_number_of_workers_that_a_person_chose_is_used_with_all_cores():
    """More workers than cores have one each; few workers with many cores may leave one of theirs idle."""
    for count in range(1, 65):
        of = Capacity(count, GIB, ())
        for workers in range(1, 2 * count):
            busy = used(layout(of, workers))
            if workers >= count:
                assert busy == workers
            else:
                assert count - workers <= busy <= count
                assert busy == count or count // workers >= 4


@pytest.mark.parametrize("most", range(1, 5))
def test_threads_are_shared_out_over_as_many_lanes_as_there_are_windows(most):
    for threads in range(1, 257):
        lanes, each = lanes_of(threads, most)
        assert lanes <= most
        assert threads - 1 <= lanes * each <= threads or (threads, most) == (3, 2)
        assert lanes > 1 or threads == 1 or most == 1
    assert [lanes_of(threads) for threads in (2, 3, 4, 8)] == [(2, 1), (3, 1), (2, 2), (2, 4)]


def test_a_half_core_and_3_gib_make_one_worker_of_one_thread(monkeypatch):
    """It was five workers of six threads, in a container on a large machine."""
    monkeypatch.setattr("sttd.config.capacity", lambda: Capacity(1, 3 * GIB, ("0", "1", "2", "3", "4")))
    config = Config(model=Model(device="cpu"))
    assert (config.worker_count(), config.model_spec().cpu_threads) == (1, 1)
    assert Config(pool=Pool(workers=3)).worker_count() == 3


def test_this_process_has_something():
    capacity.capacity.cache_clear()
    found = capacity.capacity()
    assert found.cores >= 1
    assert found.memory > 2**20
