"""`bench`: the measurements behind the project's claims of speed."""

from typing import Annotated, Literal

import typer

from explorer.commands.console import Json, emit, only_results, sleeping_threads
from explorer.commands.train import Device

app = typer.Typer(
    help="Measure how fast this machine starts the app, decodes, trains and draws maps.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)


@app.command()
def startup(
    runs: Annotated[
        int,
        typer.Option(
            min=1, max=50, metavar="INTEGER", help="Starts that are measured, after one to warm up."
        ),
    ] = 5,
    as_json: Json = False,
) -> None:
    """Time how fast the app opens, in a Chromium.

    From the start of the command to the title painted, which comes before the page, to the page, and to the first
    grid of samples.
    """
    from explorer.bench.startup import measure

    with only_results():
        result = measure(runs)
    if as_json:
        emit(result)
    else:
        print(
            f"title painted after {result['title_s']:.2f} s, the page after {result['page_s']:.2f} s, "
            f"its first grid after {result['first_grid_s']:.2f} s"
        )


@app.command()
def decode(
    model: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="Only this model; may be given several times. Without: all shipped."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Time how closely the picture follows the pointer, in a Chromium.

    Updates during a two-second drag, the time from the pointer's event to the picture on the screen, and the time
    that decoding takes by itself.
    """
    from explorer.bench.decode import measure

    with only_results():
        result = measure(model or ())
    if as_json:
        emit(result)
        return
    print("updates/s, pointer to paint p50 and p95, decoding 1, 16, 64 pictures (ms):")
    for name, row in result["checkpoints"].items():
        delay, times = row["pointer_to_paint_ms"], row["decode_ms"]
        words = f"{row['updates_per_s']:5.1f} | {delay['p50']:5.1f} {delay['p95']:5.1f} |"
        print(f"{name:20} {words} " + " ".join(f"{times[n]:6.2f}" for n in times))
    print(f"{'a plain st.slider':20} {result['slider']['updates_per_s']:5.1f}")


@app.command()
def train(
    device: Device = "cpu",
    seconds: Annotated[
        float, typer.Option(min=0.1, metavar="SECONDS", help="Time for each of the measured rounds.")
    ] = 4.0,
    rounds: Annotated[
        int, typer.Option(min=1, max=100, metavar="INTEGER", help="Rounds, each with all loops in turn.")
    ] = 5,
    size: Annotated[
        Literal["32", "64"], typer.Option(help="Pixels: 32, Fashion-MNIST; or 64, avatars.")
    ] = "32",
    as_json: Json = False,
) -> None:
    """Time training against a plain loop.

    The other loop is written as most tutorials write it; both have the same networks and objective.
    """
    from explorer.bench.train import measure

    with only_results():
        result = measure(device, seconds, rounds, 64 if size == "64" else 32)
    if as_json:
        emit(result)
        return
    print(f"{result['dataset']}, {result['device']}, {result['threads']} threads, images a second:")
    for family in ("vae", "gan"):
        row = result[family]
        print(
            f"{family}: {row['images_per_s']:,.0f}, plain loop {row['plain_images_per_s']:,.0f}: {row['ratio']:.2f}x"
        )


@app.command()
def embed(
    count: Annotated[
        int, typer.Option("--n", min=1000, metavar="INTEGER", help="Latents, at most 60,000.")
    ] = 60_000,
    device: Device = "cpu",
    as_json: Json = False,
) -> None:
    """Time a map of Fashion-MNIST's latents against umap-learn with its defaults."""
    sleeping_threads()
    from explorer.bench.embed import measure

    with only_results():
        result = measure(count, device)
    if as_json:
        emit(result)
        return
    print(
        f"{result['n']:,} points: {result['seconds']:.1f} s, umap-learn {result['umap_learn_seconds']:.1f} s: "
        f"{result['ratio']:.2f}x"
    )
    print(
        f"trustworthiness {result['trustworthiness']:.4f}, umap-learn {result['umap_learn_trustworthiness']:.4f}; "
        f"from the cache {result['cached_seconds']:.2f} s; peak memory {result['peak_mb']:,.0f} MB"
    )
