"""`completion`: prints a script by which the shell completes commands and options."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.core.management import get_commands, load_command_class

from sendit.ground.commands import Command as ShellCommand

DJANGOS = ("check",)
"""Of Django's own commands, those that an operator types."""
NOT_FOR_PERSONS = ("work",)


@dataclass(frozen=True, slots=True)
class Completed:
    """A command with its options."""

    name: str
    help: str
    options: tuple[str, ...]


class Command(ShellCommand):
    """Print a script that completes commands and options."""

    help = "Print a script by which bash, zsh or fish completes sendit's commands and their options."
    requires_system_checks = []
    needs_keys = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare them."""
        parser.add_argument("shell", choices=sorted(SCRIPTS), help="the shell")

    def handle(self, *args: Any, shell: str, **options: Any) -> None:
        """Print it."""
        self.lines(SCRIPTS[shell](sorted(_commands(), key=lambda one: one.name)))


def _commands() -> Iterator[Completed]:
    for name, app in get_commands().items():
        is_ours = str(app).startswith("sendit") and name not in NOT_FOR_PERSONS
        if is_ours or name in DJANGOS:
            command = load_command_class(str(app), name)
            parser = command.create_parser("sendit", name)
            shown = [action for action in parser._actions if action.help != "==SUPPRESS=="]
            options = [option for action in shown for option in action.option_strings if option.startswith("--")]
            yield Completed(name, str(command.help).partition(". ")[0].rstrip("."), tuple(sorted(options)))


def _bash(commands: list[Completed]) -> Iterator[str]:
    yield '# eval "$(sendit completion bash)"'
    yield "_sendit() {"
    yield '  local word="${COMP_WORDS[COMP_CWORD]}" options="--help"'
    yield '  if [ "$COMP_CWORD" -eq 1 ]; then'
    names = " ".join(one.name for one in commands)
    yield f'    COMPREPLY=($(compgen -W "{names} --help --version" -- "$word")); return'
    yield "  fi"
    yield '  case "${COMP_WORDS[1]}" in'
    yield from (f'    {one.name}) options="{" ".join(one.options)}" ;;' for one in commands)
    yield "  esac"
    yield '  case "$word" in'
    yield '    -*) COMPREPLY=($(compgen -W "$options" -- "$word")) ;;'
    yield '    *) COMPREPLY=($(compgen -f -- "$word")) ;;'
    yield "  esac"
    yield "}"
    yield "complete -o filenames -F _sendit sendit"


def _zsh(commands: list[Completed]) -> Iterator[str]:
    yield '# eval "$(sendit completion zsh)"'
    yield "autoload -U +X compinit && compinit -u"
    yield "autoload -U +X bashcompinit && bashcompinit"
    yield from list(_bash(commands))[1:]


def _fish(commands: list[Completed]) -> Iterator[str]:
    yield "# sendit completion fish | source"
    for one in commands:
        said = one.help.replace("\\", "\\\\").replace("'", "\\'")
        yield f"complete -c sendit -n __fish_use_subcommand -f -a {one.name} -d '{said}'"
        for option in one.options:
            yield f"complete -c sendit -n '__fish_seen_subcommand_from {one.name}' -l {option.removeprefix('--')}"


SCRIPTS: dict[str, Callable[[list[Completed]], Iterator[str]]] = {"bash": _bash, "fish": _fish, "zsh": _zsh}
