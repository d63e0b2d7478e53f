"""Every file of the corpus comes to its own end, and none to anybody else's."""

from __future__ import annotations

import fcntl
import json
import os
import stat
import unicodedata
from collections import Counter

import pytest

from sttd.job import State
from sttd.outbox.places import MARK
from sttd.part import Cause
from sttd.text import printable
from tests import speech
from tests.hostile import corpus
from tests.hostile.corpus import Case, Fate
from tests.hostile.run import OWN_FILES, Run, own_folders
from tests.machine import needs_trace

pytestmark = pytest.mark.ci  # a run over the whole corpus
CASES = corpus.cases()
REMEDIES = ("copy it again", "copy or export it again", "convert the file", "convert it", "split it", "export it with")


@pytest.fixture(scope="session")
def run(tmp_path_factory) -> Run:
    """One run for all test processes: whoever comes first does it, the others wait."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    root = shared / "hostile"
    with (shared / "hostile.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        root.mkdir(exist_ok=True)
        done = Run(root)
        if not (root / "code").exists():
            done.go()
    return done


def of(fate: Fate) -> list[Case]:
    return [case for case in CASES if case.fate is fate]


def test_the_corpus_is_large_and_each_name_is_there_once():
    assert len(CASES) >= 80
    assert len({case.path for case in CASES}) == len(CASES)


def test_the_daemon_lives_to_the_end_and_loses_no_worker(run):
    """Exit code 1: some failed. No worker crashed, was killed or timed out, and nothing went wrong unforeseen."""
    assert run.code == 1, run.log[-3000:]
    assert b"Traceback" not in run.log
    assert b"went wrong" not in run.log
    with run.daemon.ledger() as ledger:
        causes = {ledger.attempts(job.id)[-1]["cause"] for job in run.jobs.values() if ledger.attempts(job.id)}
    assert causes == {None, str(Cause.BAD_FILE)}


def test_what_is_a_job_ends_at_its_first_attempt(run):
    """So that it delays what is behind it by no more than that; what is none is no job."""
    assert set(run.jobs) == {case.name for case in CASES if case.fate is not Fate.LEFT}
    assert {name: job.attempt for name, job in run.jobs.items() if job.attempt != 1} == {}
    assert {job.state for job in run.jobs.values()} == {State.DONE, State.FAILED}


def test_recordings_are_transcribed_as_far_as_they_can_be(run):
    """What is heard is what was said; damage is told in the result; the source is in the archive."""
    wrong = {}
    for case in of(Fate.DONE):
        job = run.jobs[case.name]
        results = {path.rpartition(".")[2]: path for path in job.outputs}
        if job.state is not State.DONE or len(results) != 5:
            wrong[case.name] = (str(job.state), job.error)
            continue
        with open(results["txt"], encoding="utf-8") as file:
            text = file.read().strip()
        with open(results["json"], encoding="utf-8") as file:
            record = json.load(file)
        if not heard(case, text, record["language"]) or case.warns not in " ".join(record["warnings"]):
            wrong[case.name] = (text, record["language"], record["warnings"])
        if not os.path.isfile(job.location or "") or os.path.lexists(run.daemon.inbox / case.name):
            wrong[case.name] = job.location
    assert wrong == {}


def heard(case: Case, text: str, language: str) -> bool:
    if case.says == "*":
        return True
    return speech.says(text, case.says) if case.says else (text, language) == ("", "und")


def test_what_cannot_be_transcribed_is_in_failed_with_words_for_an_operator(run):
    """What is the matter, what to do about the file, and the whole command that has it tried again."""
    wrong = {}
    program = f"sttd --root {run.daemon.root}"
    for case in of(Fate.FAILED):
        job = run.jobs[case.name]
        if job.state is not State.FAILED or not os.path.isfile(job.location or ""):
            wrong[case.name] = (str(job.state), job.location)
            continue
        records = [json.loads(each.read_bytes()) for each in run.daemon.failed.rglob("*.error.json")]
        mine = [record for record in records if record["job"] == job.id]
        if len(mine) != 1 or mine[0]["retry"] != f"{program} retry {job.id}" or mine[0]["error"] != job.error:
            wrong[case.name] = mine
        if case.says not in (job.error or "") or not any(word in job.error for word in REMEDIES):
            wrong[case.name] = job.error
    assert wrong == {}


def test_what_is_no_recording_stays_where_it_is_and_is_counted(run):
    left = of(Fate.LEFT)
    for case in left:
        assert os.path.lexists(run.daemon.inbox / case.name), case
    counted = run.daemon.live()["inbox"]["ignored"]
    words = Counter(case.says for case in left if case.says)
    assert {why: sum(count for said, count in counted.items() if why in said) for why in words} == words
    assert run.daemon.json("status")["inbox"]["ignored"] == counted, (
        "a drain has no daemon behind it that could be asked"
    )


def test_twins_keep_their_own_results_sources_and_records(run):
    """NFC and NFD, upper and lower case, names that are cut at the same letter: nothing is written over anything."""
    jobs = run.jobs.values()
    outputs = [path for job in jobs for path in job.outputs]
    places = [job.location for job in jobs]
    for paths in (outputs, places):
        assert len(set(paths)) == len(paths)
    records = list(run.daemon.failed.rglob("*.error.json"))
    assert len(records) == len(of(Fate.FAILED))
    alike = Counter(unicodedata.normalize("NFC", name).casefold() for name in run.jobs)
    assert sum(count for count in alike.values() if count > 1) >= 10, "there are such names"


def test_no_name_of_a_result_is_too_long_hidden_or_outside_its_folder(run):
    top = os.fsencode(run.daemon.transcripts)
    for job in run.jobs.values():
        for path in map(os.fsencode, job.outputs):
            assert path.startswith(top + b"/")
            assert os.path.realpath(path) == path
            assert len(os.path.basename(path)) <= 255
            assert not os.path.basename(path).startswith(b".")
            assert stat.S_IMODE(os.stat(path).st_mode) == 0o640
    names = [os.path.basename(os.fsencode(job.location or "")) for job in run.jobs.values()]
    assert all(len(name) <= 255 for name in names)


def test_nothing_of_ours_is_left_behind(run):
    for folder in (run.daemon.transcripts, run.daemon.archive, run.daemon.failed):
        left = [path for path in folder.rglob(".sttd*") if not path.is_dir() or any(path.iterdir())]
        assert left == [folder / MARK]
    assert not any((run.daemon.state / "work").iterdir())
    assert not (run.daemon.root / "pwned").exists()


def test_names_forge_no_line_and_no_colour(run):
    """Every line of the log begins with its time, is text, and names each job once as it is shown elsewhere."""
    for line in run.log.decode("utf-8").splitlines():
        assert line[:2] == "20", line
        assert line.isprintable() or printable(line) == line.replace("\\", "\\\\"), line
    for words in (("jobs",), ("status",), ("jobs", "--state", "failed")):
        shown = run.daemon.sttd(*words)
        assert shown.returncode == (3 if words == ("status",) else 0), shown.stderr  # it does not run
        assert not [char for char in shown.stdout if char not in "\n\t" and unicodedata.category(char) in ("Cc", "Cs")]


def test_programs_get_every_name_whole(run):
    """`--json` is JSON, and tells undecodable names apart."""
    jobs = run.daemon.json("jobs")
    assert len({job["source"] for job in jobs}) == len(run.jobs)
    assert run.daemon.json("status")["jobs"]["failed"] == len(of(Fate.FAILED))
    odd = [job for job in run.jobs.values() if "\udcff" in job.source or "\n" in job.source]
    assert odd
    for job in odd[:3]:
        assert run.daemon.json("show", str(job.id))["state"] == str(job.state)


@needs_trace
def test_no_process_opens_a_socket_or_starts_a_program(run):
    calls = Counter(call.name for call in run.calls)
    assert not {"socket", "connect", "bind"} & set(calls)
    programs = {call.path.rpartition(b"/")[2] for call in run.calls if call.name == "execve"}
    assert all(program.startswith(b"python") for program in programs), programs


@needs_trace
def test_each_recording_is_opened_with_care_and_leads_to_no_other_file(run):
    """Every path that any process opened: the recordings, sttd's own folders, the interpreter and its libraries."""
    inbox = os.fsencode(run.daemon.inbox)
    paths = [call.path if call.path.startswith(b"/") else call.opened or b"" for call in run.calls if call.is_source]
    names = [os.fsdecode(path.removeprefix(inbox + b"/")) for path in paths if path.startswith(inbox + b"/")]
    sources = Counter(name for name in names if not os.path.basename(name).startswith(".sttd"))
    # by its worker, once; and where name and suffix leave a doubt, by the daemon for its first bytes
    assert sources == Counter(list(run.jobs)) + Counter(name for name in run.jobs if name.endswith(".ts"))
    may = [*own_folders(), *map(os.fsencode, folders_of(run))]
    root = os.fsencode(run.daemon.root)  # synced when folders are made in it
    others = {
        path
        for call in run.calls
        # a name below the handle of a folder: what was opened by it counts
        for path in (call.path if call.path.startswith(b"/") else None, call.opened)
        if call.name != "execve" and path and path not in OWN_FILES | {root} and not below(path, may)
    }
    assert {path for path in others if not in_inbox(path, inbox, run)} == set()


def folders_of(run: Run) -> list[os.PathLike[str]]:
    return [run.daemon.state, run.daemon.transcripts, run.daemon.archive, run.daemon.failed]


def below(path: bytes, folders: list[bytes]) -> bool:
    return any(path == folder or path.startswith(folder + b"/") for folder in folders)


def in_inbox(path: bytes, inbox: bytes, run: Run) -> bool:
    """Whether it is the inbox, a folder in it, a job's file there, or sttd's lock and mark."""
    name = os.fsdecode(path.removeprefix(inbox).lstrip(b"/").removesuffix(b"/"))
    return below(path, [inbox]) and (
        not name
        or name in run.jobs
        or (os.path.isdir(path) and not os.path.islink(path))
        or os.path.basename(name).startswith(".sttd")
    )
