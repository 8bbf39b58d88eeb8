"""The command line: `nbdrag lab`, `bench`, `info`, `convert`, `recipe replay` and `transfer`.

Each command is a function of its arguments. It raises `ValueError` or `OSError` for what a user
can mend, and `main` prints that without a traceback.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbdrag.runtime.batch.progress import TransferProgress
    from nbdrag.transfer.vectors import EditVector


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command, and give its exit status: 2 for a wish that cannot be met."""
    # What a command does not know goes on to the program that it starts.
    known, rest = parser().parse_known_args(arguments)
    command: Callable[..., int] = known.command
    if rest and command not in (lab, bench):
        parser().error(f"unrecognized arguments: {' '.join(rest)}")
    try:
        return command(known, rest)
    except (ValueError, OSError) as error:
        print(f"nbdrag: {error}", file=sys.stderr)
        return 2


def lab(known: argparse.Namespace, rest: list[str]) -> int:
    """Open JupyterLab on a notebook."""
    notebook: Path | None = known.notebook
    if notebook is not None and not notebook.is_file():
        raise FileNotFoundError(f"there is no notebook {str(notebook)!r}")
    if importlib.util.find_spec("jupyterlab") is None:
        raise ValueError("JupyterLab is not installed; add it with: pip install 'nbdrag[lab]'")
    command = [sys.executable, "-m", "jupyterlab"]
    if notebook is not None:
        command.append(str(notebook))
    if known.port is not None:
        command.append(f"--ServerApp.port={known.port}")
    if known.no_browser:
        command.append("--no-browser")
    return run([*command, *rest])


def bench(known: argparse.Namespace, rest: list[str]) -> int:
    """Run one of the benchmarks, or say which there are."""
    folder = Path(__file__).parents[1] / "benchmarks"
    names = sorted(path.stem for path in folder.glob("[a-z]*.py"))
    if not names:
        raise ValueError(
            "the benchmarks are not part of an installed nbdrag: run this in a checkout of its "
            "repository, installed with: pip install -e '.[test]'"
        )
    if known.name is None:
        print("\n".join(names))
        return 0
    if known.name not in names:
        raise ValueError(f"there is no benchmark {known.name!r}; there are: {', '.join(names)}")
    return run([sys.executable, "-m", f"benchmarks.{known.name}", *rest], cwd=folder.parent)


def info(known: argparse.Namespace, rest: list[str]) -> int:
    """Tell what a file with a generator holds, and draw what it makes."""
    sheet: Path | None = known.sheet
    if sheet is not None:
        check_picture(sheet)
    from nbdrag.generators import card
    from nbdrag.generators.progress import drawn
    from nbdrag.generators.sheet import sheet_png
    from nbdrag.generators.zoo import find_file

    with drawn(None) as tell:
        path = find_file(known.generator, tell)
    generator, facts = card.read_card(path)
    show(facts)
    if sheet is not None:
        sheet.write_bytes(sheet_png(generator))
        print(f"{sheet}: eight samples")
    return 0


def convert(known: argparse.Namespace, rest: list[str]) -> int:
    """Write a generator as .safetensors."""
    from nbdrag.generators import card
    from nbdrag.generators.progress import drawn
    from nbdrag.generators.zoo import find_file

    out: Path = known.out
    with drawn(None) as tell:
        path = find_file(known.generator, tell)
    card.convert(path, out)
    show(card.read_card(out)[1])
    return 0


def recipe_replay(known: argparse.Namespace, rest: list[str]) -> int:
    """Make the picture that a saved session ended with."""
    picture: Path = known.picture
    check_picture(picture)
    import torch

    from nbdrag.generators.segmenter_file import load_segmenter
    from nbdrag.generators.zoo import load_generator
    from nbdrag.runtime.pictures import to_pil
    from nbdrag.runtime.recipe import Recipe

    recipe = Recipe.load(known.recipe)
    name = known.generator or recipe.generator
    if not name:
        raise ValueError(
            f"{known.recipe} does not say which generator it was made with; name it: "
            "--generator NAME_OR_PATH"
        )
    generator = load_generator(name)
    if known.segmenter is not None:
        generator.segmenter = load_segmenter(known.segmenter, generator)
    ws = recipe.replay(generator)
    with torch.no_grad():
        image = generator.synthesis(ws[None]).image[0]
    to_pil(image).save(picture)
    print(f"{picture}: edits replayed: {len(recipe.edits)}")
    return 0


def transfer(known: argparse.Namespace, rest: list[str]) -> int:
    """Edit many pictures as one was edited. Exit status 1 if some were skipped, 130 for Ctrl-C."""
    import torch

    from nbdrag.generators.zoo import load_generator
    from nbdrag.runtime.batch import sinks, sources
    from nbdrag.runtime.batch.transfer import transfer_edit

    direction = find_edit(known.edit, known.generator)
    name = known.generator or direction.generator
    if not name:
        raise ValueError(
            f"{known.edit} doesn't say which generator it is for; name it: --generator NAME_OR_PATH"
        )
    generator = load_generator(name)
    if known.cluster is None:
        generator.to(known.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    source: object = known.source
    if seeds := re.fullmatch(r"(\d+):(\d+)", known.source):
        first, stop = map(int, seeds.groups())
        source = sources.Seeds(range(first, stop), truncation=known.truncation)
    made: dict[str, Callable[[], sinks.Sink]] = {
        "png": lambda: sinks.PictureFolder(known.sink),
        "webp": lambda: sinks.PictureFolder(known.sink, encoding="webp"),
        "shards": lambda: sinks.Shards(known.sink),
        "zarr": lambda: sinks.Zarr(known.sink),
        "latents": lambda: sinks.LatentShards(known.sink),
    }
    with cluster(known.cluster) if known.cluster else nullcontext() as client:
        progress = transfer_edit(
            direction,
            source,
            made[known.to](),
            client,
            generator=generator,
            strength=known.strength,
            resume=known.resume,
            shard_size=known.shard_size,
            micro_batch=known.micro_batch,
        )
        try:
            return drawn_to_end(progress)
        except KeyboardInterrupt:
            print(f"stopped; {known.sink} has what is done, and --resume goes on", file=sys.stderr)
            return 130


def find_edit(name: str, generator: str | None) -> EditVector:
    """The vector or direction in a file, or one that ships with the generator."""
    from nbdrag.generators.zoo import load_generator
    from nbdrag.transfer.library import EditLibrary
    from nbdrag.transfer.vectors import EditVector

    if name.endswith(".safetensors"):
        return EditVector.load(name)
    library = EditLibrary.packaged(load_generator(generator or "toonfaces-128"))
    if name not in library:
        raise ValueError(
            f"there is no edit {name!r}; give a .safetensors file, or one of those that come with "
            f"the generator: {', '.join(library) or 'none'}"
        )
    return library[name]


def cluster(address: str) -> AbstractContextManager[object]:
    """A client of the Dask cluster at an address, to be closed in the end."""
    try:
        from distributed import Client
    except ImportError:
        raise ValueError(
            "Dask's distributed is not installed; add it with: pip install 'nbdrag[scale]'"
        ) from None
    client: AbstractContextManager[object] = Client(address)  # type: ignore[no-untyped-call]
    return client


def drawn_to_end(progress: Iterator[TransferProgress]) -> int:
    """Draw how far a transfer is until it ends; say what was skipped."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    last = next(progress)
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    with Progress(
        *columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True
    ) as bar:
        task = bar.add_task("", total=last.total, completed=last.done + last.failed)
        for last in progress:
            for problem in last.problems:
                bar.console.print(Text(f"skipped {problem}", style="yellow"))
            bar.update(
                task,
                completed=last.done + last.failed,
                total=last.total,
                description=f"{last.rate:.1f} a second",
            )
    print(last)
    return 1 if last.failed else 0


def check_picture(path: Path) -> None:
    """Refuse a place where no picture can be written, before there is one."""
    if path.suffix.lower() != ".png":
        raise ValueError(f"the picture is to be {str(path)!r}; its name must end in .png")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {str(path.parent)!r}")


def show(facts: Mapping[str, str]) -> None:
    """Print names and texts as a table."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in facts.items():
        table.add_row(Text(name), Text(text))
    Console().print(table)


def run(command: list[str], cwd: Path | None = None) -> int:
    """Run a program in the foreground; Ctrl-C is its own affair."""
    with subprocess.Popen(command, cwd=cwd) as program:
        while True:
            try:
                return program.wait()
            except KeyboardInterrupt:
                continue


def parser() -> argparse.ArgumentParser:
    """What can be said on the command line."""
    whole = argparse.ArgumentParser(
        prog="nbdrag",
        description="Edit generative images in a notebook: drag a point, it follows.",
    )
    whole.add_argument("--version", action="version", version=f"nbdrag {version('nbdrag')}")
    commands = whole.add_subparsers(required=True, metavar="COMMAND")

    lab_parser = commands.add_parser(
        "lab",
        help="open JupyterLab on a notebook",
        description="Open JupyterLab on a notebook. Other options of the form --NAME=VALUE are "
        "handed on to JupyterLab.",
    )
    lab_parser.add_argument("notebook", nargs="?", type=Path, help="the notebook to open")
    lab_parser.add_argument("--port", type=int, help="the port to serve on")
    lab_parser.add_argument("--no-browser", action="store_true", help="print the address only")
    lab_parser.set_defaults(command=lab)

    bench_parser = commands.add_parser("bench", help="run a benchmark; without a name, list them")
    bench_parser.add_argument("name", nargs="?", help="which benchmark")
    bench_parser.set_defaults(command=bench)

    info_parser = commands.add_parser(
        "info",
        help="tell what a file with a generator holds",
        description="Tell what a file with a generator holds. Nothing in it is executed.",
    )
    info_parser.add_argument(
        "generator", metavar="FILE", help="a checkpoint of any kind, its address, or a known name"
    )
    info_parser.add_argument(
        "--sheet", type=Path, metavar="OUT.png", help="draw eight samples into that picture"
    )
    info_parser.set_defaults(command=info)

    convert_parser = commands.add_parser(
        "convert",
        help="write a generator as .safetensors",
        description="Write a generator as .safetensors, with the very same weights: a file that "
        "cannot carry code, and loads at once.",
    )
    convert_parser.add_argument(
        "generator", metavar="IN", help="a checkpoint of any kind, its address, or a known name"
    )
    convert_parser.add_argument("out", type=Path, metavar="OUT.safetensors", help="the new file")
    convert_parser.set_defaults(command=convert)

    recipe_parser = commands.add_parser("recipe", help="do something with a saved session")
    recipe_commands = recipe_parser.add_subparsers(required=True, metavar="COMMAND")
    replay = recipe_commands.add_parser("replay", help="make the picture that a session ended with")
    replay.add_argument("recipe", type=Path, metavar="FILE", help="the recipe, a .safetensors file")
    replay.add_argument("picture", type=Path, metavar="OUT.png", help="where to write the picture")
    replay.add_argument(
        "--generator", metavar="NAME_OR_PATH", help="where its generator is now, if it has moved"
    )
    replay.add_argument(
        "--segmenter",
        type=Path,
        metavar="FILE",
        help="what tells the parts that were painted, if it didn't come with the generator",
    )
    replay.set_defaults(command=recipe_replay)
    add_transfer(commands)
    return whole


def add_transfer(commands: Any) -> None:
    """What can be said of a transfer."""
    transfer_parser = commands.add_parser(
        "transfer",
        help="edit many pictures as one was edited",
        description="Edit many pictures as one was edited. A run that was stopped or killed goes "
        "on with --resume; nothing is done twice.",
    )
    add = transfer_parser.add_argument
    add("edit", metavar="EDIT", help="a direction or vector, a .safetensors file; or a known name")
    add(
        "source",
        metavar="SOURCE",
        help="seeds as FIRST:STOP; a .safetensors or .npy file of latents; a folder of pictures",
    )
    add("sink", type=Path, metavar="SINK", help="the folder to be made")
    add(
        "--to",
        choices=["png", "webp", "shards", "zarr", "latents"],
        default="png",
        help="what the folder shall hold (default: png)",
    )
    add("--resume", action="store_true", help="go on with what was begun in SINK")
    add("--strength", type=float, metavar="S", help="how much of a vector (default: 1)")
    add(
        "--truncation",
        type=float,
        default=0.7,
        metavar="PSI",
        help="of the seeds, from 0 to 1 (default: 0.7)",
    )
    add("--generator", metavar="NAME_OR_PATH", help="default: the one that the edit is for")
    add("--device", metavar="DEVICE", help="cpu or cuda (default: cuda where there is a GPU)")
    add("--cluster", metavar="ADDRESS", help="of a Dask scheduler, such as tcp://10.0.0.1:8786")
    add("--shard-size", type=int, metavar="N", help="items that are noted as done at once")
    add("--micro-batch", type=int, metavar="N", help="pictures that are made at once")
    transfer_parser.set_defaults(command=transfer)
