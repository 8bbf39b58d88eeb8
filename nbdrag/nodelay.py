"""Send small messages to the browser at once: an extension of the Jupyter server.

A frame of a drag is a small message that follows another small message, and TCP by default holds
it back until the browser has acknowledged the one before (Nagle's algorithm meets delayed
acknowledgement). A Jupyter server leaves that default on, so every frame waits about 40 ms even on
one machine: 19 frames a second where 65 are possible. This extension sets ``TCP_NODELAY`` when a
kernel's websocket opens. It is enabled by a file the wheel installs,
``etc/jupyter/jupyter_server_config.d/nbdrag.json``, and can be turned off with
``jupyter server extension disable nbdrag.nodelay``.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": __name__}]


def _load_jupyter_server_extension(server: ServerApp) -> None:
    """Start the extension; a server we do not know is left as it is."""
    try:
        from jupyter_server.services.kernels.websocket import KernelWebsocketHandler

        send_at_once(KernelWebsocketHandler)
    except (ImportError, TypeError) as error:
        server.log.warning(
            "nbdrag.nodelay does not know this Jupyter server (%s): it changes nothing, and live "
            "pictures arrive about 40 ms later than they could.",
            error,
        )


def send_at_once(handler: type[Any]) -> None:
    """Make every websocket of a handler class set ``TCP_NODELAY`` when it opens.

    Parameters
    ----------
    handler : subclass of tornado.websocket.WebSocketHandler
        Changed in place. A second call changes nothing more.

    Raises
    ------
    TypeError
        If the class has no ``open`` to extend or no ``set_nodelay`` to call.
    """
    for method in ("open", "set_nodelay"):
        if not callable(getattr(handler, method, None)):
            raise TypeError(f"{handler.__name__} has no method {method!r}")
    if getattr(handler.open, "sends_at_once", False):
        return
    open_as_before = handler.open

    @functools.wraps(open_as_before)
    def open_at_once(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            self.set_nodelay(True)
        except Exception as error:  # a slow connection is better than none
            self.log.warning("nbdrag.nodelay could not set TCP_NODELAY: %s", error)
        return open_as_before(self, *args, **kwargs)

    open_at_once.sends_at_once = True  # type: ignore[attr-defined]
    handler.open = open_at_once
