"""The group of all commands, and how each one ends: an exit code, and at most one line a problem."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

import click

from sttd import __version__
from sttd.cli.options import Given, shared
from sttd.errors import INTERRUPTED, ConfigError, SttdError
from sttd.host.stream import is_journal, open_closed
from sttd.text import sentence

COMMANDS = {  # where each lives, in the order in which a person meets them
    "run": "serve", "demo": "demo", "status": "status", "jobs": "look", "show": "look", "search": "search", "wait": "wait", "logs": "logs", "retry": "ask", "cancel": "ask",
    "redo": "ask", "next": "ask", "pause": "ask", "resume": "ask", "transcribe": "transcribe", "check-config": "serve", "model": "models",
    "install": "install", "report": "report", "web": "web", "notify": "notify", "worker": "worker",
    "config": "config", "completion": "shells", "help": "help",
}  # fmt: skip


class _Commands(click.Group):
    """The commands, each imported when it is wanted."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"sttd.cli.{COMMANDS[cmd_name]}")
        name = cmd_name.replace("-", "_")
        command = getattr(module, name, None) or getattr(module, f"{name}_")  # `next` is a word of Python
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.exceptions.NoSuchCommand as error:  # click looks among the commands that are imported
            raise click.exceptions.NoSuchCommand(error.command_name, possibilities=COMMANDS, ctx=ctx) from None


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="sttd", message="%(prog)s %(version)s")
@shared
def sttd() -> None:
    """Recordings dropped into a folder become transcripts, on this machine.

    Exit codes: 0; 1 failed; 2 usage; 3 runs already; 6 not configured; 130 Ctrl-C. `sttd status` has its own.
    """


def main(words: Sequence[str] | None = None) -> None:
    """Run one command, and end the process with its exit code."""
    open_closed()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a name that the terminal's encoding has no letters for is no error
            stream.reconfigure(errors="backslashreplace")
    code = _outcome(words)
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # nobody reads any more; the interpreter's own flush at the end must find nothing amiss
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1  # click's, where it happens earlier
    sys.exit(code)


def _outcome(words: Sequence[str] | None) -> int:
    given = Given()
    try:
        result = sttd.main(words, prog_name="sttd", standalone_mode=False, obj=given)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else "", err=True)
        return 2
    except click.UsageError as error:
        hint = f" (see `{error.ctx.command_path} --help`)" if error.ctx is not None else ""
        return _print_problems([error.format_message() + hint], error.exit_code)
    except click.ClickException as error:
        return _print_problems([error.format_message()], error.exit_code)
    except ConfigError as error:
        return _print_problems(error.problems, error.exit_code)
    except SttdError as error:
        return _print_problems([given.spoken(str(error))], error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except OSError as error:
        where = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
        return _print_problems([f"{where}{error.strerror or error}"], 1)
    return result if isinstance(result, int) else 0


def _print_problems(problems: Sequence[str], code: int) -> int:
    """One line for each problem on standard error; for the journal, with the priority of an error."""
    mark = "<3>" if is_journal(2, os.environ) else ""
    for problem in problems:
        print(f"{mark}sttd: {sentence(' '.join(problem.split()))}", file=sys.stderr)
    return code
