"""Workers elsewhere that are asked for and have not answered: a cluster that is full, a queue, a node that an autoscaler buys."""

from __future__ import annotations

import dataclasses

import pytest

from sttd.config import Config
from sttd.part import Event, Lost, ModelSpec, Options, PartSpec
from sttd.pool.death import Death
from sttd.pool.pool import Pool
from sttd.pool.roster import UNWANTED
from sttd.pool.staff import WAITS
from sttd.pool.wire import Do
from sttd.pool.worker import Ears
from tests.pool.contract.fake import FakeSource


class Asked:
    """A worker that answers when the test says so; `demand` is what the cluster sees of those that are hired."""

    pid = None

    def __init__(self, name: str, ears: Ears, demand: list[Asked]) -> None:
        self.name, self.ears, self.demand, self.orders = name, ears, demand, []

    def start(self) -> None:
        self.demand.append(self)

    def send(self, order: object) -> bool:
        self.orders.append(order)
        return True

    def end(self, *, hard: bool) -> None:
        if hard:
            self.die(Death(-9, unborn="killed"))

    def die(self, death: Death) -> None:
        self.demand.remove(self)
        self.ears.ended(death)

    def abandon(self) -> None:
        raise AssertionError("it ends when it is told to")

    def rss(self) -> int:
        return 0


class Cluster(FakeSource):
    """Its workers are asked for ahead."""

    name, here, ahead = "cluster", False, True

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.demand: list[Asked] = []

    def hire(self, number: int, ears: Ears) -> Asked:
        return Asked(f"cluster/{number + 1}", ears, self.demand)


class Hires:
    """A pool of one cluster, its clock, and the parts that wait."""

    def __init__(self, slots: int) -> None:
        self.now, self.events = 1000.0, list[Event]()
        config = Config()
        config = dataclasses.replace(config, pool=dataclasses.replace(config.pool, workers=slots, idle_ttl=1e9))
        self.config, self.cluster = config, Cluster(config)
        self.pool = Pool(config, lambda made: [self.cluster], clock=lambda: self.now)
        self.pool.start(self.events.append)

    @property
    def demand(self) -> list[Asked]:
        return self.cluster.demand

    def pass_time(self, seconds: float, want: int) -> None:
        """As the daemon's loop does it, once a second."""
        for _ in range(round(seconds)):
            self.now += 1
            if self.pool.can_grow() and not self.pool.free_slots():
                self.pool.want(want)
            self.pool.tick(self.now)

    def work(self) -> None:
        """One worker has a part from now on."""
        self.demand[0].ears.ready()
        self.pool.submit(PartSpec("1.0", 1, "/a", 1, 1, ModelSpec("demo"), Options()))
        assert isinstance(self.demand[0].orders[-1], Do)


@pytest.fixture
def hires():
    made: list[Hires] = []

    def make(slots: int) -> Hires:
        made.append(Hires(slots))
        return made[-1]

    yield make
    for each in made:
        each.pool.close(0.0)
        assert each.demand == []
        assert each.pool.workers() == []


def test_workers_that_wait_in_the_cluster_are_given_up_once_nothing_waits_for_them(hires):
    """Else an autoscaler bought a node for each, for no work."""
    told = hires(8)
    told.pass_time(1, want=8)
    told.work()
    assert len(told.demand) == 8
    told.pass_time(UNWANTED - 2, want=0)
    assert len(told.demand) == 8, "not at once: a part may come"
    told.pass_time(3, want=0)
    assert [each.name for each in told.demand] == ["cluster/1"], "the one that works"
    assert told.pool.sources()[0].away == ""
    told.pass_time(1, want=3)
    assert len(told.demand) == 1 + 3, "they are asked for again when there is work"


def test_workers_that_wait_in_the_cluster_keep_their_place_while_there_is_work(hires):
    """Days, in a queue of Slurm; and only as many as there is work for."""
    told = hires(8)
    told.pass_time(1, want=8)
    first = list(told.demand)
    told.pass_time(3600, want=3)
    assert told.demand == first[:3]


def test_workers_that_wait_by_old_terms_or_for_slots_that_are_no_more_are_given_up_at_once(hires):
    told = hires(4)
    told.pass_time(1, want=4)
    fewer = dataclasses.replace(told.config, pool=dataclasses.replace(told.config.pool, workers=1))
    told.cluster.configure(fewer)
    told.pool.configure(fewer)
    told.pass_time(1, want=4)
    assert [each.name for each in told.demand] == ["cluster/1"]


def test_a_full_cluster_is_not_away_while_one_works_there(hires):
    """Each `start_timeout` one that finds no room ends; those that are there had no part for a while."""
    told = hires(3)
    told.pass_time(1, want=3)
    told.demand[0].ears.ready()
    for wait in (*WAITS, WAITS[-1]):
        for waiting in told.demand[1:]:
            waiting.die(Death(-9, unborn="no worker answered within 600 s"))
        (source,) = told.pool.sources()
        assert (source.away, source.workers, source.is_cut_off) == ("", 1, False)
        assert told.pool.free_slots() == 1, "that one takes parts all the same"
        told.pool.want(2)
        told.pool.tick(told.now + wait - 1)
        assert len(told.demand) == 1, "a further one is asked for after a wait"
        told.now += 1.25 * wait
        told.pool.want(2)
        told.pool.tick(told.now)
        assert len(told.demand) == 3


def test_a_cluster_where_nobody_works_and_nobody_answers_is_away(hires):
    told = hires(3)
    told.pass_time(1, want=3)
    told.demand[0].die(Death(-9, unborn="no worker answered within 600 s"))
    (source,) = told.pool.sources()
    assert (source.away, source.is_cut_off, told.pool.free_slots()) == ("no worker answered within 600 s", True, 0)


def test_a_worker_that_works_and_is_lost_makes_its_source_wait_though_others_work(hires):
    """A line that breaks is another matter than one that never was."""
    told = hires(2)
    told.pass_time(1, want=2)
    told.demand[1].ears.ready()
    told.work()
    told.demand[0].die(Death(-9, line="the worker on cluster/1 is lost: a cable"))
    assert [type(event) for event in told.events] == [Lost]
    assert told.pool.free_slots() == 0
    assert "a cable" in told.pool.sources()[0].away
