"""A worker's exceptions: a part cannot be done (with its `part.Cause` and a sentence for a person), or there is no model."""

from sttd.errors import SttdError
from sttd.part import Cause


class PartFailed(Exception):
    """Ends the attempt. `run_part` turns it into a `Failed` message.

    `retriable`: another attempt may go better. `unread`: the byte from which on the file could not be read.
    """

    def __init__(self, cause: Cause, message: str, retriable: bool = False, unread: int = 0) -> None:
        super().__init__(message)
        self.cause = cause
        self.message = message
        self.retriable = retriable
        self.unread = unread

    def __reduce__(self) -> tuple[type["PartFailed"], tuple[Cause, str, bool, int]]:
        """Pickle all arguments; `Exception` itself would keep the message alone."""
        return type(self), (self.cause, self.message, self.retriable, self.unread)


class NoModel(SttdError):
    """Neither the model nor its fallback can be used: the machine's fault, never the recording's."""

    def __init__(self, message: str, *, gpu_memory: bool = False) -> None:
        super().__init__(message)
        self.gpu_memory = gpu_memory  # a load failed because the GPU's memory was full


def one_line(error: BaseException) -> str:
    """The message of a library's error, on one line."""
    return " ".join(str(error).split()) or type(error).__name__
