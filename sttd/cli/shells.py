"""`completion`: the script by which a shell completes; see `sttd.cli.completion` for what it is offered."""

from __future__ import annotations

import click

from sttd.cli.options import shared

SHELLS = ("bash", "zsh", "fish")
# no space behind `pool.workers=`: the value comes next. fish knows that by itself
_NO_SPACE = {
    "COMPREPLY+=($value)": "COMPREPLY+=($value)\n            [[ $value == *= ]] && compopt -o nospace",
    "_describe -V unsorted completions_with_descriptions -U": (
        "local -a tight\n"
        "        [[ $key == *= ]] && tight=(-S '')\n"
        '        _describe -V unsorted completions_with_descriptions -U "${tight[@]}"'
    ),
}


@click.command(short_help="Print the completion script of a shell.")
@click.argument("shell", type=click.Choice(SHELLS))
@shared
def completion(shell: str) -> None:
    r"""Print what makes a shell complete commands, numbers of jobs, models, languages and keys. `sttd install` installs it.

    \b
    bash:  sttd completion bash > ~/.local/share/bash-completion/completions/sttd
    zsh:   sttd completion zsh > "${fpath[1]}/_sttd"
    fish:  sttd completion fish > ~/.config/fish/completions/sttd.fish
    """
    click.echo(script(shell), nl=False)


def script(shell: str) -> str:
    """What click makes for a shell. Not the class's own `source`: bash's looks for a bash on this machine first."""
    from click.shell_completion import ShellComplete, get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None, shell
    nothing = click.Group("sttd")  # the script is the same for all commands
    made = ShellComplete.source(kind(nothing, {}, "sttd", "_STTD_COMPLETE")).rstrip() + "\n"
    for its, ours in _NO_SPACE.items():
        made = made.replace(its, ours)
    return made
