"""The command `latent-explorer`.

Exit codes: 0 done, 1 failed (one line on stderr that says what and what to do), 2 wrong usage, 130 interrupted.
A stack trace is shown only where EXPLORER_DEBUG is set.
"""

import errno
import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from explorer.commands import bench, evaluate, exchange, lists, pictures, train
from models.errors import UserError


class _RunByDefault(TyperGroup):
    """A group whose command is `run` where none is named."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        own = {option for param in self.get_params(ctx) for option in param.opts}
        if not args or (args[0].startswith("-") and args[0].partition("=")[0] not in own):
            args = ["run", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_RunByDefault,
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
    from explorer.settings import settings

    chosen = settings()

    from explorer.app import serve  # imports streamlit: after a mistake in the settings was told

    serve(host or chosen.host, port or chosen.port, browser=chosen.browser and not no_browser)


app.command("models")(lists.models)
app.command("datasets")(lists.datasets)
app.command("sample")(pictures.sample)
app.command("interpolate")(pictures.interpolate)
app.command("train", epilog=train.epilog())(train.train)
app.command("evaluate")(evaluate.evaluate)
app.command("export")(exchange.export)
app.command("import")(exchange.import_)
app.add_typer(bench.app, name="bench")


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
