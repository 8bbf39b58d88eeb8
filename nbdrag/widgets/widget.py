"""A session in a notebook cell: the widget, which is how a notebook shows it.

It joins a `Session`, which is the state, and a `Wire`, which keeps the pages in step with it.
Several widgets may show one session; it goes on until the last of them is closed.
Everything live travels as custom messages. Two traits exist for the notebook file alone, so that
it shows the last picture where no kernel runs; traits aren't made for threads, so only the thread
that made the widget sets them.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import anywidget
import traitlets
from PIL import Image

from nbdrag.editing.step import Step
from nbdrag.runtime import pictures
from nbdrag.runtime.frames import Picture
from nbdrag.runtime.home import HomeThread
from nbdrag.runtime.kernel import SendingContext, free_replies
from nbdrag.widgets import from_kernel
from nbdrag.widgets.models import Models
from nbdrag.widgets.session import Session
from nbdrag.widgets.state import Listener
from nbdrag.widgets.wire import Wire

BUNDLE = Path(__file__).parent.parent / "assets" / "js"


class SessionWidget(anywidget.AnyWidget):
    """Shows a session.

    Parameters
    ----------
    session : Session
    models : Models
        Of that session.

    Attributes
    ----------
    still : bytes
        The last picture at rest, as lossless WebP, for the notebook file.
    saved : dict
        The last state at rest, for the notebook file.
    """

    _bundle: ClassVar[str] = "drag"
    _wire_of: ClassVar[type[Wire]] = Wire

    _esm = traitlets.Unicode().tag(sync=True)
    _css = traitlets.Unicode().tag(sync=True)
    still = traitlets.Bytes().tag(sync=True)
    saved = traitlets.Dict().tag(sync=True)

    def __init__(self, session: Session, models: Models) -> None:
        esm, css = bundled(f"{self._bundle}.js"), bundled(f"{self._bundle}.css")
        self._session, self._models = session, models
        self._callbacks: list[Callable[[Step], object]] = []
        self._sending = SendingContext()
        self._wire = self._wire_of(session, models, self._send_custom)
        self._leave: Callable[[], object] = lambda: None
        self._home = HomeThread()
        self._saved_version = self._version()
        super().__init__(_esm=esm, _css=css, **self._savings())
        free_replies(self.comm)
        listener = Listener(
            on_change=self._changed,
            on_move=self._moved,
            on_pass=self._wire.show_now,
            on_loading=self._wire.tell_loading,
            paints=self._wire.paints,
        )
        self._leave = session.listen(listener)
        self.on_msg(self._sending.kept_by(self._on_page_message))

    def close(self) -> None:
        """Take the editor off all pages.

        If it was the last one of its session, the edit and whatever is being loaded end.
        """
        if hasattr(self, "_wire"):
            self._leave()
            if not self._session.listeners:
                self._models.stop()
                self._session.close()
            self._wire.close()
        super().close()

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is not None:
            # Where there is no widget: on code hosts, in exported documents. Never text/html,
            # which some front ends prefer to the live widget.
            bundle[0]["image/png"] = base64.b64encode(pictures.png(self._sheet())).decode()
        return bundle

    def _on_page_message(
        self, _: object, content: object, buffers: Sequence[memoryview] | None
    ) -> None:
        self._wire.receive(content, buffers or ())

    def _send_custom(self, content: dict[str, Any], buffers: list[bytes]) -> None:
        self._sending.run(self.send, content, buffers)

    def _changed(self) -> None:
        self._wire.publish()
        self._home.call(self._save)

    def _moved(self, step: Step, picture: Picture) -> None:
        self._wire.show(picture)
        for callback in [*self._callbacks]:
            try:
                callback(step)
            except Exception as error:
                complaint = f"on_step: {type(error).__name__}: {error}"
                if complaint != self._session.status.text:  # once, and not at every step
                    self._session.complain(complaint)

    def _save(self) -> None:
        """Set the traits, on the thread that made the editor, if there is another still."""
        session = self._session
        with session.lock:
            if session.running or self._saved_version == self._version():
                return
            if not session.album.is_whole(session.album.current):
                return  # the whole picture comes soon, and this is called again
            self._saved_version = self._version()
            savings = self._savings()
        for name, value in savings.items():
            try:
                setattr(self, name, value)
            except Exception:
                # It is set, but can't be told: the page or the kernel is going away.
                logging.getLogger(__name__).debug("not sent: %s", name, exc_info=True)

    def _version(self) -> object:
        """Another one when there is something else to save."""
        return self._session.still_version

    def _sheet(self) -> Image.Image:
        """What shows where there is no widget."""
        return self._session.image()

    def _savings(self) -> dict[str, Any]:
        """What the notebook file keeps: a still, and the state that belongs to it."""
        session = self._session
        with session.lock:
            still = session.album.still(session.album.current)
            return {"still": still, "saved": from_kernel.encode(self._wire.snapshot())}


def bundled(name: str) -> str:
    """A file of the browser half."""
    path = BUNDLE / name
    if not path.is_file():
        raise FileNotFoundError(
            f"the editor's browser half is not built, {path} is missing; run `make build` in the "
            "repository, or install nbdrag from a wheel."
        )
    return path.read_text(encoding="utf-8")
