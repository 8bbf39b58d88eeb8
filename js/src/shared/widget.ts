// An anywidget module of one of our widgets.
//
// Its default export is a function, so that every model gets a session of its own: it is opened in
// `initialize`, where no message can be missed, and shared by all the views that `render` makes.

import type { AnyWidget } from "@anywidget/types";
import { showBeneath } from "./beneath";
import type { Session } from "./session";
import type { Model } from "./wire";

interface Parts<S> {
  open(model: Model): S;
  /** Draws the session's editor into the element; returns what takes it away again. */
  mount(el: HTMLElement, session: S): () => void;
}

export function defineWidget<S extends Pick<Session, "connect" | "close">>({
  open,
  mount,
}: Parts<S>): AnyWidget {
  return () => {
    let session: S | null = null;

    const sessionFor = (model: Model): S => {
      session ??= open(model);
      return session;
    };

    return {
      initialize({ model }) {
        sessionFor(model as Model).connect();
        return () => {
          session?.close();
          session = null;
        };
      },
      render({ model, el, host }) {
        const opened = sessionFor(model as Model);
        opened.connect();
        const place = document.createElement("div");
        el.append(place);
        const unmount = mount(place, opened);
        const leave = showBeneath(model as Model, el, host);
        return () => {
          leave();
          unmount();
        };
      },
    };
  };
}
