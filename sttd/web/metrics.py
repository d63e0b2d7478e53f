"""`/metrics`, for Prometheus: read from the ledger when it is asked. No name of a file is in it, nor any other text of a person.

Names follow https://prometheus.io/docs/practices/naming/: base units, `_total` for what only rises.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

from sttd.errors import SttdError
from sttd.job import ENDED, State
from sttd.ledger.facts import PAUSED
from sttd.part import Cause
from sttd.view import figures
from sttd.web.ended import PLANNED, Ended, Totals
from sttd.web.site import Site

_LEVELS = ("normal", "moderate", "high", "critical")


def route(site: Site) -> Callable[[Request], Response]:
    ended = Ended()

    def metrics(request: Request) -> Response:
        registry = CollectorRegistry()
        ProcessCollector(registry=registry)  # of this process, as monitors know it: process_open_fds and so on
        registry.register(_Ledger(site, ended))
        encode, kind = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), headers={"Content-Type": kind})

    return metrics


class _Ledger(Collector):
    """One reading. What cannot be read is left out, and `sttd_ledger_readable` is 0."""

    def __init__(self, site: Site, ended: Ended) -> None:
        self._site = site
        self._ended = ended

    def describe(self) -> Iterable[Metric]:
        return ()  # it is asked for once, and no other collector has its names

    def collect(self) -> Iterator[Metric]:
        found: list[Metric] = []
        is_readable = True
        for family in (self._daemon, self._jobs):
            try:
                found += list(family())
            except SttdError:
                is_readable = False
        yield gauge("sttd_ledger_readable", "1 if the ledger can be read; else what it says is missing.", is_readable)
        yield from found

    def _daemon(self) -> Iterator[Metric]:
        """What `sttd status` shows."""
        status = self._site.status()
        daemon, inbox, memory = status["daemon"], status["inbox"], status["memory"]
        yield gauge("sttd_daemon_running", "1 if a daemon has the state folder.", daemon["running"])
        yield gauge(
            "sttd_healthy", "1 if the daemon runs and nothing holds work up.", not figures.health(status, time.time())
        )
        yield gauge("sttd_troubles", "Things that hold work up now.", len(status["trouble"]))
        yield gauge("sttd_inbox_away", "1 if an inbox is unmounted or does not answer.", bool(inbox["away"]))
        yield gauge("sttd_inbox_ignored_files", "Files that no job is made of.", sum(inbox["ignored"].values()))
        yield gauge("sttd_inbox_settling_files", "Files that are still being written.", inbox["settling"])
        if daemon["since"] is not None:
            yield gauge("sttd_daemon_start_time_seconds", "When the daemon started, in UTC seconds.", daemon["since"])
            yield InfoMetricFamily("sttd", "The daemon that runs.", {"version": str(daemon["version"])})
        busy = sum(worker["job"] is not None for worker in status["workers"])
        workers = GaugeMetricFamily("sttd_workers", "Worker processes, by whether they have a job.", labels=["state"])
        workers.add_metric(["busy"], busy)
        workers.add_metric(["idle"], len(status["workers"]) - busy)
        yield workers
        if memory["percent"] is not None:
            yield gauge("sttd_memory_used_ratio", "Of the memory that the daemon may use.", memory["percent"] / 100)
        if memory["level"] in _LEVELS:
            words = ", ".join(f"{number} {level}" for number, level in enumerate(_LEVELS))
            yield gauge("sttd_memory_level", f"What that means: {words}.", _LEVELS.index(memory["level"]))

    def _jobs(self) -> Iterator[Metric]:
        with self._site.ledger() as ledger:
            counts, since = ledger.counts(), ledger.waits_since()
            paused, totals = ledger.fact(PAUSED), self._ended.look(ledger)
        yield gauge("sttd_paused", "1 if a person has paused the queue.", paused)
        jobs = GaugeMetricFamily("sttd_jobs", "Jobs in the ledger, by state.", labels=["state"])
        for state in State:
            jobs.add_metric([state], counts[state])
        yield jobs
        now = time.time()
        longest = 0.0 if since is None else max(0.0, now - since)
        yield gauge(
            "sttd_queue_longest_wait_seconds", "How long the job has waited that waits longest; 0: none waits.", longest
        )
        yield from _totals(totals)


def _totals(totals: Totals) -> Iterator[Metric]:
    """Counters, since the start of this process."""
    ended = CounterMetricFamily("sttd_jobs_ended", "Jobs that ended, by how.", labels=["state"])
    for state in State:
        if state in ENDED:
            ended.add_metric([state], totals.ended[state])
    yield ended
    problems = CounterMetricFamily(
        "sttd_attempts_failed",
        "Attempts, of jobs that ended, that something went wrong with, by cause.",
        labels=["cause"],
    )
    for cause in Cause:
        if cause not in PLANNED:
            problems.add_metric([cause.replace(" ", "_")], totals.problems[cause])
    yield problems
    for name, what, value in (
        ("sttd_audio_seconds", "Length of the recordings that are done.", totals.audio),
        ("sttd_jobs_done_wait_seconds", "Time from arrival to end, of the jobs that are done.", totals.waited),
        ("sttd_worker_seconds", "Time of workers, for the jobs that ended.", totals.worked),
        ("sttd_fallbacks", "Jobs that were done by the fallback model.", totals.fallbacks),
        ("sttd_jobs_warned", "Jobs that were done with a warning.", totals.warned),
    ):
        yield CounterMetricFamily(name, what, value)


def gauge(name: str, help: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, help, float(value))
