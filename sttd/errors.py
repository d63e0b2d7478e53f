"""The errors that all stations share. Each message says what is wrong and what to do about it."""

INTERRUPTED = 130  # exit code after Ctrl-C, as a shell has it: 128 + SIGINT


class SttdError(Exception):
    """Any error that sttd reports to a person in one line; `exit_code` is that of the command."""

    exit_code = 1


class ConfigError(SttdError):
    """The configuration cannot be used as it is written. `problems` holds one sentence for each bad key."""

    exit_code = 2

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class NotConfigured(SttdError):
    """A folder that the service needs is missing, not writable, or on a file system that cannot hold it."""

    exit_code = 6


class AlreadyRunning(SttdError):
    """Another daemon holds the state folder or the inbox."""

    exit_code = 3


class UsageError(SttdError):
    """What was typed names something that does not exist or cannot be done."""

    exit_code = 2


class SourceChanged(SttdError):
    """The source is another version than the one that was transcribed: its job starts anew."""


class NoSuchJob(SttdError):
    """The ledger has no job of this number. It is no fault of the machine: no work waits for it, and nothing is tried again."""

    def __init__(self, number: int) -> None:
        super().__init__(f"there is no job {number}: `sttd jobs` lists them")


class Stale(SttdError):
    """The job's row has another state or attempt than a step expected. The caller decides again, from the row as it is now."""


class LedgerError(SttdError):
    """The ledger cannot be opened, read or written; the machine's fault, never a job's."""


class LedgerCorrupt(LedgerError):
    """The ledger is damaged, or another program's database: it is to be set aside and rebuilt."""
