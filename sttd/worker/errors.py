"""What a worker says when a part cannot be done: the cause in the words of `part.Cause`, and what a person should know."""

from sttd.errors import SttdError
from sttd.part import Cause


class PartFailed(Exception):
    """Ends the attempt. `run_part` turns it into a `Failed` message; `retriable`: another attempt may go better."""

    def __init__(self, cause: Cause, message: str, retriable: bool = False) -> None:
        super().__init__(message)
        self.cause = cause
        self.message = message
        self.retriable = retriable

    def __reduce__(self) -> tuple[type["PartFailed"], tuple[Cause, str, bool]]:
        """Pickles with its three parts; an exception's own way would keep the message alone."""
        return type(self), (self.cause, self.message, self.retriable)


class NoModel(SttdError):
    """Neither the model nor its fallback can be used: the machine's fault, never the recording's."""

    def __init__(self, message: str, *, gpu_memory: bool = False) -> None:
        super().__init__(message)
        self.gpu_memory = gpu_memory  # one of the loads failed for want of it


def one_line(error: BaseException) -> str:
    """The message of a library's error, on one line."""
    return " ".join(str(error).split()) or type(error).__name__
