"""Checks values of a configuration against each other: contradictions (errors), and what is probably not meant (warnings)."""

from __future__ import annotations

import importlib.util
import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path

from sttd.config import Config
from sttd.config.ray import NAME, host_and_port, token_problem
from sttd.config.service import NONE
from sttd.host.capacity import capacity
from sttd.units import format_duration

NORMAL = 2.2  # the highest compression ratio of text without loops: sttd/worker/decoding/repetition.py
FOLDERS = ("inbox", "transcripts", "archive", "failed", "state")
TABLE = "[[watch]]"
Relation = tuple[frozenset[str], str]  # the keys concerned, and the sentence for the user


def errors(config: Config) -> Iterator[Relation]:
    """A sentence for each contradiction. The paths must be absolute."""
    lie = folders(config)
    yield from overlaps(lie, lie)  # by the paths as written: `folders.look` resolves links
    memory = config.memory
    if not memory.moderate < memory.high < memory.critical:
        figures = f"{memory.moderate:g} %, {memory.high:g} %, {memory.critical:g} %"
        keys = frozenset({"memory.moderate", "memory.high", "memory.critical"})
        yield keys, f"[memory] moderate, high and critical must rise; {figures} do not"
    if config.pool.workers == NONE and not config.has_others:
        yield frozenset({"pool.workers"}), "[pool] workers = 0 needs a [[pool.remote]] table: nobody would transcribe"
    yield from _of_ray(config)
    if config.transcribe.language and config.transcribe.languages:
        sentence = (
            "[transcribe] language and languages are both set: keep language where all is spoken in one, languages where "
            "it is to be detected in each window"
        )
        yield frozenset({"transcribe.language", "transcribe.languages"}), sentence
    taken = {suffix.lower().removeprefix(".") for suffix in config.watch.suffixes} & set(config.output.formats)
    if config.output.place == "beside" and taken:
        listed = ", ".join(sorted(taken))
        sentence = (
            f'[output] place = "beside" would write {listed} into the inbox, which [watch] suffixes takes for recordings: '
            "take them out of one of the two"
        )
        yield frozenset({"output.place", "output.formats", "watch.suffixes"}), sentence
    pool = config.pool
    if pool.part_length > pool.split_after:
        length, after = format_duration(pool.part_length), format_duration(pool.split_after)
        sentence = (
            f"[pool] part_length ({length}) is over split_after ({after}): a recording shared out would be one part"
        )
        yield frozenset({"pool.part_length", "pool.split_after"}), sentence
    subtitles = config.subtitles
    if subtitles.shortest > subtitles.longest:
        shortest, longest = format_duration(subtitles.shortest), format_duration(subtitles.longest)
        keys = frozenset({"subtitles.shortest", "subtitles.longest"})
        yield keys, f"[subtitles] shortest ({shortest}) is over longest ({longest})"


def _of_ray(config: Config) -> Iterator[Relation]:
    """What Ray needs, if it is used."""
    ray = config.ray
    if config.pool.backend != "ray":
        return
    if importlib.util.find_spec("ray") is None:
        yield frozenset({"pool.backend"}), "[pool] backend = \"ray\" needs Ray: pip install 'sttd[ray]'"
    if host_and_port(ray.address) is None:
        sentence = (
            f'[pool.ray] address must be that of the cluster\'s head, such as "10.0.0.1:6379", not "{ray.address}"'
        )
        yield frozenset({"pool.ray.address"}), sentence
    keys = frozenset({"pool.ray.token_file", "pool.ray.insecure"})
    if ray.token_file == Path() and not ray.insecure:
        sentence = (
            "[pool.ray] token_file must name the file with the token of the cluster: without one, whoever reaches the cluster "
            "runs anything on it (insecure = true goes without)"
        )
        yield keys, sentence
    if ray.token_file != Path() and ray.insecure:
        yield keys, "[pool.ray] token_file and insecure are both set: keep one of them"
    elif ray.token_file != Path() and _is_seen(ray.token_file) and (why := token_problem(ray.token_file)):
        yield keys, f"[pool.ray] token_file: {why}"
    if any(remote.name.lower() == NAME for remote in config.remotes):
        yield frozenset({"pool.backend"}), "[[pool.remote]] ray: is the name of the workers of Ray: choose another"


def _is_seen(path: Path) -> bool:
    """Whether this user can see the file. If not, it may still be there: `sttd status` need not run as the daemon's user."""
    try:
        return path.exists()
    except OSError:
        return False


def folders(config: Config) -> dict[str, Path]:
    """All folders of a configuration, by name; those of its tables have names such as "[[watch]] movies"."""
    watched = {f"{TABLE} {each.name}": each.inbox for each in config.watched}
    return {name: getattr(config.paths, name) for name in FOLDERS} | watched


def _is_inbox(name: str) -> bool:
    return name == "inbox" or name.startswith(TABLE)


def overlaps(paths: Mapping[str, Path], real: Mapping[str, Path]) -> Iterator[Relation]:
    """Folders that are the same, or of which one lies inside an inbox, or an inbox inside it.

    Results inside an inbox would be taken for recordings, and two uses of one folder would mix their files.

    Args:
        paths: the folders as they are configured, by name; see `folders`.
        real: their real paths; a folder that is not in it is not compared.
    """
    for one, other in itertools.combinations((name for name in paths if name in real), 2):
        if _is_inbox(other) and not _is_inbox(one):
            one, other = other, one  # noqa: PLW2901 - the inbox first
        keys = frozenset({f"paths.{one}", f"paths.{other}", "paths.root"})
        start = one if one.startswith(TABLE) else f"[paths] {one}"
        if real[one] == real[other]:
            yield keys, f"{start} and {other} are the same folder ({paths[one]}): give each its own"
        elif _is_inbox(one) and real[other].is_relative_to(real[one]):
            inside = other if other.startswith(TABLE) else f"[paths] {other}"
            inbox = "the inbox" if one == "inbox" else f"the inbox of {one}"
            yield keys, f"{inside} ({paths[other]}) lies inside {inbox} ({paths[one]}): put it elsewhere"
        elif _is_inbox(one) and real[one].is_relative_to(real[other]):
            yield keys, f"{start} ({paths[one]}) lies inside {other} ({paths[other]}): put it elsewhere"


def warnings(config: Config) -> Iterator[str]:
    """Each thing that works but is probably not meant."""
    from sttd.lanes import lanes_of  # noqa: PLC0415 - commands that only look do without it

    model, pool = config.model, config.pool
    if model.fallback and model.fallback == model.name:
        yield f"[model] fallback is the model itself ({model.name}): where it does not load there is nothing to fall back to"
    for_all = list(_of_an_inbox(config))
    yield from for_all
    for table in config.watched:
        own = (text for text in _of_an_inbox(config.over(table)) if text not in for_all)
        yield from (f"{TABLE} {table.name}: {text}" for text in own)
    spec, workers, cores = config.model_spec(), config.worker_count(), capacity().cores
    if workers * spec.cpu_threads > cores and model.device != "cuda":
        yield (
            f"[pool] workers = {workers} with [model] cpu_threads = {spec.cpu_threads} make {workers * spec.cpu_threads} "
            f"threads on {cores} cores: all become slower; set one of them lower, or cpu_threads to auto"
        )
    lanes, each = lanes_of(spec.cpu_threads, spec.lanes)
    if model.cpu_threads > lanes * each and model.device != "cuda":
        yield (
            f"[model] cpu_threads = {model.cpu_threads}: {lanes * each} of them are used, as {lanes} batches side by side have "
            f"{each} each; set {lanes * each} or {model.cpu_threads + 1}"
        )
    if config.expert.compression_ratio < NORMAL:
        yield (
            f"[expert] compression_ratio ({config.expert.compression_ratio:g}) is below {NORMAL:g}, which normal text reaches: "
            "good text is decoded again, at length"
        )
    if pool.job_timeout < pool.sweep_interval:
        yield (
            f"[pool] job_timeout ({format_duration(pool.job_timeout)}) is below sweep_interval "
            f"({format_duration(pool.sweep_interval)}): a stuck worker is found only by the sweep"
        )


def _of_an_inbox(config: Config) -> Iterator[str]:
    """The warnings about keys that can be set for each inbox."""
    watch = config.watch
    if config.output.place == "beside" and config.output.source == "delete":
        yield '[output] source = "delete" deletes nothing with place = "beside": every source stays where it is'
    if config.transcribe.channel_names and config.transcribe.channels == "mix":
        yield '[transcribe] channel_names name nobody with channels = "mix": set channels = "split"'
    if 0 < config.settle() < watch.settle_closed:  # with 0 a file is taken at once, whether it was closed or not
        yield (
            f"[watch] settle_closed ({format_duration(watch.settle_closed)}) is over settle "
            f"({format_duration(config.settle())}): files that are known to be closed wait longer than the others"
        )
