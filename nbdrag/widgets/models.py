"""Which generator an editor works with: the next one is loaded beside it and takes its place.

Until it has come, first picture and all, everything goes on with the present one; and where it
can't be had, nothing but a message comes of it.
"""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike, fsdecode
from pathlib import PurePosixPath, PureWindowsPath
from urllib.parse import unquote, urlsplit

from nbdrag.generators.checkpoint import read_generator
from nbdrag.generators.progress import Progress
from nbdrag.generators.stylegan2 import Generator
from nbdrag.generators.zoo import ZOO, load_generator
from nbdrag.runtime.loading import Loading, LoadingStopped
from nbdrag.runtime.upload import Upload
from nbdrag.widgets import from_kernel as k
from nbdrag.widgets.session import Session
from nbdrag.widgets.state import described
from nbdrag.widgets.work import Work


class Models:
    """Loads generators for a session, one at a time.

    Parameters
    ----------
    session : Session
        Its `loading` is kept up to date here.

    Attributes
    ----------
    present : Loading or None
        The newest loading; it may have ended.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.present: Loading[Generator] | None = None
        self._upload: Upload | None = None
        self._number = -1  # by which the page calls the upload

    def load(self, source: str | PathLike[str]) -> Loading[Generator]:
        """Load a generator, as `load_generator` does, and go on with it. Returns at once."""
        if not isinstance(source, str | PathLike):
            raise ValueError(
                f"source is a {type(source).__name__}; expected a name, a path or an address. A "
                "generator that is there already goes to editor.generator."
            )
        source = fsdecode(source)

        def load(tell: Progress) -> Work:
            generator = load_generator(source, progress=tell)
            tell("drawing the first picture", None)
            return Work.begin(generator, source=source, name=title(source))

        return self._begin(title(source), load)

    def take_upload(self, number: int, name: str, size: int) -> None:
        """Load a generator from a file whose pieces will come, and go on with it.

        Raises ValueError if there is no room for it; then what is being loaded goes on.
        """
        upload = Upload(name, size)

        def load(tell: Progress) -> Work:
            try:
                path = upload.wait(tell)
                tell(f"reading {upload.name}", None)
                generator = read_generator(path)
            finally:
                upload.discard()
            tell("drawing the first picture", None)
            return Work.begin(generator, name=title(upload.name))

        with self._session.lock:
            self._begin(upload.name, load, upload)
            self._number = number

    def take_chunk(self, number: int, offset: int, data: bytes | memoryview) -> None:
        """Take the next piece of the upload. Raises ValueError if it isn't that."""
        with self._session.lock:
            upload = self._upload if number == self._number else None
        if upload is None:
            raise ValueError("that file is no longer wanted: loading it was stopped, or failed.")
        upload.add(offset, data)

    def use(self, generator: Generator) -> None:
        """Go on with a generator that was loaded already. Waits for its first picture."""
        if not isinstance(generator, Generator):
            raise ValueError(
                f"generator is a {type(generator).__name__}; expected a Generator. A name, path or "
                "address goes to load()."
            )
        self._session.go_on_with(Work.begin(generator, name=title(generator.source)))
        self.stop()

    def stop(self) -> None:
        """Give up what is being loaded, if anything is."""
        if self.present is not None:
            self.present.stop()

    # ------------------------------------------------------------------------------------- inside

    def _begin(
        self, name: str, load: Callable[[Progress], Work], upload: Upload | None = None
    ) -> Loading[Generator]:
        """Begin a loading in place of the one before."""
        session = self._session

        def load_and_go_on(tell: Progress) -> Generator:
            work = load(tell)
            session.go_on_with(work, loading.claim)
            return work.generator

        loading = Loading(name, load_and_go_on, on_progress=self._progressed, on_end=self._ended)
        with session.lock:
            self.stop()
            self.present, self._upload, self._number = loading, upload, -1
            session.set_loading(k.Loading(name=name, text="begins", fraction=None))
        loading.start()
        return loading

    def _progressed(self, loading: Loading[Generator]) -> None:
        session = self._session
        with session.lock:
            if loading is not self.present or session.loading is None:
                return
            session.loading = k.Loading(
                name=loading.name, text=loading.text, fraction=loading.fraction
            )
            listeners = [*session.listeners]
        for listener in listeners:
            listener.on_loading()

    def _ended(self, loading: Loading[Generator]) -> None:
        session, error = self._session, loading.error
        with session.lock:
            if loading is not self.present:
                return
            if self._upload is not None:
                self._upload.discard()
            self._upload = None
            said = None
            if isinstance(error, LoadingStopped):
                said = k.Status(level="info", text=f"Loading {loading.name} was stopped.")
            elif error is not None:
                text = f"{loading.name} was not loaded: {described(error)}"
                said = k.Status(level="error", text=text)
            session.set_loading(None, said)


def choices() -> list[k.KnownModel]:
    """The generators that have a name, as a page shows them."""
    return [
        k.KnownModel(
            name=known.name,
            title=known.title,
            resolution=known.resolution,
            source=known.source,
            licence=known.licence,
            at_hand=known.at_hand,
            size=known.file_size,
        )
        for known in ZOO.values()
    ]


def title(source: str) -> str:
    """What to call a generator: its name, or its file's without folder and ending."""
    if source in ZOO:
        return source
    path = unquote(urlsplit(source).path) if "://" in source else source.removeprefix("hf:")
    name = PureWindowsPath(path).name  # which knows both kinds of slashes
    return PurePosixPath(name).stem[:60] or "generator"
