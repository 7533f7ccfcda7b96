"""The command `latent-explorer`.

Exit codes: 0 done, 1 failed (one line on stderr that says what and what to do), 2 wrong usage, 130 interrupted.
A stack trace is shown only where EXPLORER_DEBUG is set.
"""

import errno
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from models.errors import UserError

# Command: its module below `explorer.commands`, its name there (a function, or an app of commands). They are imported
# when they are asked for: what they need would be a fifth of a second that the app's first page had to wait for.
_COMMANDS = {
    "models": ("lists", "models"),
    "datasets": ("lists", "datasets"),
    "sample": ("pictures", "sample"),
    "interpolate": ("pictures", "interpolate"),
    "train": ("train", "train"),
    "evaluate": ("evaluate", "evaluate"),
    "embed": ("embed", "embed"),
    "export": ("exchange", "export"),
    "import": ("exchange", "import_"),
    "bench": ("bench", "app"),
}


def _load(name: str) -> Any:
    module, attribute = _COMMANDS[name]
    source = import_module(f"explorer.commands.{module}")
    found = getattr(source, attribute)
    if not isinstance(found, typer.Typer):
        function, found = found, typer.Typer(add_completion=False, rich_markup_mode=None)
        found.command(name, epilog=source.epilog() if hasattr(source, "epilog") else None)(function)
    command = typer.main.get_command(found)
    command.name = name
    return command


class _Commands(TyperGroup):
    """A group that imports its commands when they are asked for, and whose command is `run` where none is named."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(dict.fromkeys([*super().list_commands(ctx), *_COMMANDS]))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in self.commands:  # all of them after a mistake, so that the nearest can be named
            names = [cmd_name] if cmd_name in _COMMANDS else _COMMANDS
            self.commands.update({name: _load(name) for name in names})
        return super().get_command(ctx, cmd_name)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        own = {option for param in self.get_params(ctx) for option in param.opts}
        if not args or (args[0].startswith("-") and args[0].partition("=")[0] not in own):
            args = ["run", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_Commands,
    help="Explore the latent spaces of VAEs and GANs. Without a command, the app opens in a browser.",
    context_settings={"help_option_names": ["-h", "--help"]},
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import PackageNotFoundError, version

        try:
            print(version("latent-explorer"))
        except PackageNotFoundError:
            print("source")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    del version


@app.command()
def run(
    host: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Address to listen on; 0.0.0.0 lets other machines in.",
            show_default="EXPLORER_HOST or 127.0.0.1",
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=1, max=65535, metavar="PORT", help="Port to listen on.", show_default="EXPLORER_PORT or 8501"
        ),
    ] = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Do not open a browser.")] = False,
) -> None:
    """Open the app in a browser (what happens without a command)."""
    from explorer import starting

    starting.hold_garbage()
    from explorer.settings import settings

    chosen = settings()
    starting.import_streamlit()  # after a mistake in the settings was told
    from explorer.app import serve

    serve(host or chosen.host, port or chosen.port, browser=chosen.browser and not no_browser)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return the exit code.

    Args:
        arguments: The words after `latent-explorer`; by default those of the process.
    """
    try:
        app(args=list(sys.argv[1:] if arguments is None else arguments), prog_name="latent-explorer")
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        return code or _flush()
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if os.environ.get("EXPLORER_DEBUG"):
            raise
        print(f"latent-explorer: {_sentence(error)}", file=sys.stderr)
        return 1
    return _flush()


def _flush() -> int:
    """Write out what is still buffered, so that a full disk is noticed here and not after the exit code."""
    try:
        sys.stdout.flush()
    except OSError as error:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  the interpreter flushes it again at its end
        if error.errno != errno.EPIPE:
            print(f"latent-explorer: {_sentence(error)}", file=sys.stderr)
        return 1
    return 0


def _sentence(error: Exception) -> str:
    """Word an error for people: what is wrong and what to do, on one line."""
    if isinstance(error, UserError):
        text = str(error)
    elif isinstance(error, OSError) and error.errno == errno.ENOSPC:
        text = "The disk is full. Free some space and try again."
    elif isinstance(error, OSError) and error.strerror:
        where = f": {error.filename}" if error.filename else ""
        text = f"{error.strerror}{where}. Check that the file is there and may be read or written."
    elif isinstance(error, MemoryError):
        text = "There is not enough memory. Ask for less at once, or close other programs."
    else:
        kind = type(error).__name__
        text = f"Something went wrong that should not ({kind}: {error}). Set EXPLORER_DEBUG=1 to see where."
    return " ".join(text.split())


if __name__ == "__main__":
    sys.exit(main())
