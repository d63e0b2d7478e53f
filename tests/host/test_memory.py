"""The memory figures and what they mean, over cgroup trees as kernels show them."""

from __future__ import annotations

import os

import psutil
import pytest
from hypothesis import given, strategies as st

from sttd.host import memory
from sttd.host.memory import HYSTERESIS, Level, Usage, level, usage

MIB = 2**20
percents = st.floats(0, 120)


def tree(tmp_path, cgroup: str, files: dict[str, str]):
    """A /proc and a /sys/fs/cgroup of files."""
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text(cgroup)
    (tmp_path / "cgroup").mkdir()
    for name, text in files.items():
        path = tmp_path / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return usage(tmp_path / "proc", tmp_path / "cgroup")


def test_without_a_limit_the_host_counts(tmp_path):
    host = psutil.virtual_memory()
    found = tree(tmp_path, "0::/user.slice\n", {"user.slice/memory.max": "max", "user.slice/memory.current": "5000"})
    assert found.limit == host.total
    assert found.used == pytest.approx(host.total - host.available, rel=0.5)


def test_the_service_s_own_limit_counts_and_droppable_cache_does_not(tmp_path):
    folder = "system.slice/sttd.service"
    found = tree(
        tmp_path,
        f"0::/{folder}\n",
        {
            f"{folder}/memory.max": str(100 * MIB),
            f"{folder}/memory.current": str(90 * MIB),
            f"{folder}/memory.stat": f"anon 1\ninactive_file {30 * MIB}\nactive_file 7",
        },
    )
    assert found == Usage(60 * MIB, 100 * MIB)
    assert found.percent == pytest.approx(60)


def test_a_slice_that_is_fuller_than_the_service_counts(tmp_path):
    found = tree(
        tmp_path,
        "0::/big.slice/sttd.service\n",
        {
            "big.slice/memory.max": str(200 * MIB),
            "big.slice/memory.current": str(190 * MIB),
            "big.slice/sttd.service/memory.max": str(100 * MIB),
            "big.slice/sttd.service/memory.current": str(10 * MIB),
        },
    )
    assert found == Usage(190 * MIB, 200 * MIB)


def test_a_lower_memory_high_is_the_limit(tmp_path):
    found = tree(
        tmp_path,
        "0::/a\n",
        {"a/memory.max": str(100 * MIB), "a/memory.high": str(50 * MIB), "a/memory.current": str(20 * MIB)},
    )
    assert found == Usage(20 * MIB, 50 * MIB)


def test_version_1_in_a_hybrid_tree(tmp_path):
    found = tree(
        tmp_path,
        "9:name=systemd:/x\n4:cpu,memory:/docker/abc\n0::/x\n",
        {
            "memory/memory.limit_in_bytes": "9223372036854771712",
            "memory/memory.usage_in_bytes": str(10**9),
            "memory/docker/abc/memory.limit_in_bytes": str(100 * MIB),
            "memory/docker/abc/memory.usage_in_bytes": str(80 * MIB),
            "memory/docker/abc/memory.stat": f"inactive_file 1\ntotal_inactive_file {20 * MIB}",
        },
    )
    assert found == Usage(60 * MIB, 100 * MIB)


@pytest.mark.parametrize("version", [1, 2])
def test_in_a_container_the_top_of_the_mount_is_ours(tmp_path, version):
    """Docker without a cgroup namespace: /proc tells the host's path, the mount shows only our part."""
    if version == 2:
        found = tree(tmp_path, "0::/docker/abc\n", {"memory.max": str(8 * MIB), "memory.current": str(2 * MIB)})
    else:
        found = tree(
            tmp_path,
            "4:memory:/docker/abc\n",
            {"memory/memory.limit_in_bytes": str(8 * MIB), "memory/memory.usage_in_bytes": str(2 * MIB)},
        )
    assert found == Usage(2 * MIB, 8 * MIB)


def test_without_proc_or_with_nonsense_in_it_the_host_counts(tmp_path):
    assert usage(tmp_path / "none", tmp_path).limit == psutil.virtual_memory().total
    assert tree(tmp_path, "nonsense\n\n0:x\n", {}).limit == psutil.virtual_memory().total


def test_the_real_machine_gives_sensible_figures():
    assert 0 < usage().percent <= 100
    assert memory.rss() == pytest.approx(psutil.Process(os.getpid()).memory_info().rss, rel=0.2)


@pytest.mark.parametrize(
    ("percent", "found"),
    [
        (0, "normal"),
        (80, "normal"),
        (80.1, "moderate"),
        (90.1, "high"),
        (95, "high"),
        (95.1, "critical"),
        (100, "critical"),
    ],
)
def test_a_level_begins_above_its_threshold(percent, found):
    assert str(level(percent, 80, 90, 95)) == found


def test_a_figure_that_trembles_about_a_threshold_crosses_it_once():
    before, crossings = Level.NORMAL, 0
    for percent in (79, 80.5, 79.5, 80.2, 79, 80.9, 78.5, 81):
        after = level(percent, 80, 90, 95, before)
        crossings += after is not before
        before = after
    assert crossings == 1
    assert level(77.9, 80, 90, 95, before) is Level.NORMAL


@given(percents, percents, st.sampled_from(Level))
def test_more_memory_is_never_a_lower_level(one, other, before):
    low, high = sorted((one, other))
    assert level(low, 80, 90, 95, before) <= level(high, 80, 90, 95, before)


@given(percents, st.sampled_from(Level))
def test_the_same_figure_twice_is_no_second_crossing(percent, before):
    after = level(percent, 80, 90, 95, before)
    assert level(percent, 80, 90, 95, after) is after


@given(percents, st.sampled_from(Level))
def test_a_level_is_never_more_than_the_hysteresis_off(percent, before):
    plain = level(percent, 80, 90, 95)
    assert plain <= level(percent, 80, 90, 95, before) <= level(percent + HYSTERESIS + 1e-9, 80, 90, 95)


def test_a_level_reads_as_its_word_everywhere():
    assert f"{Level.HIGH} {Level.HIGH!s}" == "high high"
    assert "{:>5}".format(Level.HIGH) == " high"  # noqa: UP032
