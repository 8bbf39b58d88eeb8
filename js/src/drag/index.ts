// The DragEditor's page half, as an anywidget module.
//
// The default export is a function, so that every model gets a session of its own: it is opened in
// `initialize`, where no message can be missed, and shared by all the views that `render` makes.

import type { AnyWidget } from "@anywidget/types";
import "./drag.css";
import type { Model } from "../shared/wire";
import { openSession, type Session } from "./session";
import { mountEditor } from "./view";

const widget: AnyWidget = () => {
  let session: Session | null = null;

  const sessionFor = (model: Model): Session => {
    session ??= openSession(model);
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
    render({ model, el }) {
      const opened = sessionFor(model as Model);
      opened.connect();
      return mountEditor(el, opened);
    },
  };
};

export default widget;
