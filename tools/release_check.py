"""Check that a wheel is all a user needs: `python tools/release_check.py dist/nbdrag-….whl`.

Looks into the wheel for the widgets' JavaScript and CSS, the weights and the server's settings;
then installs it into an empty environment where there is no Node, and makes an editor there. The
dependencies are lent by the environment that runs the check, so nothing is downloaded.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import tempfile
import venv
import zipfile
from fnmatch import fnmatch
from pathlib import Path

REQUIRED = (
    "nbdrag/__init__.py",
    "nbdrag/py.typed",
    "nbdrag/assets/js/drag.js",
    "nbdrag/assets/js/drag.css",
    "nbdrag/assets/js/paint.js",
    "nbdrag/assets/js/paint.css",
    "nbdrag/assets/js/batch.js",
    "nbdrag/assets/js/batch.css",
    "nbdrag/assets/toonfaces-128.safetensors",
    "nbdrag/assets/toonfaces-128-parts.safetensors",
    "nbdrag/assets/toonfaces-128-predictor.safetensors",
    "nbdrag/assets/toonfaces-128-latent-transformer.safetensors",
    "nbdrag/assets/toonfaces-128-edits/*.safetensors",
    "nbdrag-*.data/data/etc/jupyter/jupyter_server_config.d/nbdrag.json",
    "nbdrag-*.dist-info/entry_points.txt",
    "nbdrag-*.dist-info/licenses/LICENSE",
)
UNWANTED = ("tests/*", "js/*", "*/node_modules/*", "*.ts", "*.map", "*.pyc", "notebooks/*")
SIZE_LIMIT = 12_000_000  # bytes; a notebook server should be able to install it on slow Wi-Fi
IMPORT_LIMIT = 0.1  # seconds

MEASURE_IMPORT = """
import sys, time
start = time.perf_counter()
import nbdrag
print(time.perf_counter() - start)
heavy = {"torch", "numpy", "PIL", "matplotlib", "ipywidgets", "anywidget"} & sys.modules.keys()
if heavy:
    raise SystemExit(f"import nbdrag imports {sorted(heavy)}")
"""

MAKE_EDITOR = """
import pathlib, shutil, sys
import nbdrag
home = pathlib.Path(nbdrag.__file__).parent
assert home.is_relative_to(sys.prefix), f"nbdrag is imported from {home}"
assert shutil.which("node") is None and shutil.which("npm") is None, "Node is there"
settings = pathlib.Path(sys.prefix, "etc/jupyter/jupyter_server_config.d/nbdrag.json")
assert settings.is_file(), f"{settings} was not installed"
editor = nbdrag.DragEditor()
assert editor.image.size == (128, 128), editor.image.size
assert len(editor._esm) > 1000 and len(editor._css) > 100, "the widget has no front end"
print(f"DragEditor shows a picture of {editor.image.size} from {home}")
"""


def main(wheel: Path) -> None:
    """Check a wheel, and end the program with what is wrong with it."""
    if problems := contents_problems(wheel):
        raise SystemExit(f"{wheel.name}:\n  " + "\n  ".join(problems))
    with tempfile.TemporaryDirectory() as folder:
        python = empty_environment(Path(folder) / "venv")
        install(wheel, python)
        seconds = import_seconds(python)
        if seconds > IMPORT_LIMIT:
            raise SystemExit(f"import nbdrag takes {seconds:.3f} s, more than {IMPORT_LIMIT} s")
        print(f"import nbdrag takes {seconds * 1000:.0f} ms and no torch")
        print(run(python, MAKE_EDITOR).strip())
    print(f"{wheel.name} is complete: {wheel.stat().st_size / 1e6:.1f} MB")


def contents_problems(wheel: Path) -> list[str]:
    """What the wheel lacks, and what it should not hold."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    problems = [
        f"{pattern} is missing"
        for pattern in REQUIRED
        if not any(fnmatch(name, pattern) for name in names)
    ]
    problems += [
        f"{name} should not be there"
        for name in names
        if any(fnmatch(name, pattern) for pattern in UNWANTED)
    ]
    if wheel.stat().st_size > SIZE_LIMIT:
        problems.append(f"{wheel.stat().st_size:,} bytes are more than {SIZE_LIMIT:,}")
    return problems


def empty_environment(folder: Path) -> Path:
    """Make an environment that holds nothing but a view of this one's dependencies."""
    venv.create(folder, symlinks=True, with_pip=False)
    python = folder / "bin" / "python"
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = subprocess.run([python, "-c", where], check=True, capture_output=True, text=True)
    # A path file adds the folder alone: an editable nbdrag installed there stays unseen.
    lent = Path(packages.stdout.strip()) / "lent_dependencies.pth"
    lent.write_text(sysconfig.get_path("purelib") + "\n")
    return python


def install(wheel: Path, python: Path) -> None:
    """Install the wheel alone."""
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    subprocess.run([*pip, "--no-index", "--no-deps", "--force-reinstall", str(wheel)], check=True)


def import_seconds(python: Path) -> float:
    """How long `import nbdrag` takes: the best of five, as other programs only add to it."""
    return min(float(run(python, MEASURE_IMPORT)) for _ in range(5))


def run(python: Path, code: str) -> str:
    """Run code in the new environment, in an empty folder, with no program on PATH but Python."""
    done = subprocess.run(
        [python, "-c", code],
        check=False,
        cwd=python.parents[1],
        env={"PATH": str(python.parent), "HOME": str(python.parents[1])},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(f"in the new environment:\n{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    if len(sys.argv) != 2 or not sys.argv[1].endswith(".whl"):
        raise SystemExit("usage: python tools/release_check.py dist/nbdrag-….whl")
    main(Path(sys.argv[1]))
