// The view: one editor in one cell, laid out and given the keyboard.

import { type JSX, render } from "preact";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { Filmstrip } from "../shared/filmstrip";
import { keepFocus } from "../shared/focus";
import { useSelect } from "../shared/hooks";
import { listenToKeys } from "../shared/keyboard";
import { Panels } from "../shared/panels";
import { isLive, mode, shownStep } from "../shared/store";
import { watchTheme } from "../shared/theme";
import { watchVisibility } from "../shared/visibility";
import { createEditor, type Editor, startAfresh } from "./editor";
import { createDragGestures } from "./gestures";
import { ownKeys } from "./keyboard";
import { Menu } from "./menu";
import type { Session } from "./session";
import { Sidebar } from "./sidebar";
import { Stage } from "./stage";
import { Status } from "./status";
import { isSettled } from "./store";
import { Toolbar } from "./toolbar";

/** Draws the session's editor into `el`; returns what takes it away again. */
export function mountEditor(el: HTMLElement, session: Session): () => void {
  const editor = createEditor(session);
  render(<View editor={editor} />, el);
  return () => render(null, el);
}

function View({ editor }: { editor: Editor }): JSX.Element {
  const { store } = editor.session;
  const root = useRef<HTMLDivElement>(null);
  const gestures = useMemo(() => createDragGestures(editor), [editor]);

  useEffect(() => {
    const stage = root.current?.querySelector<HTMLElement>(".nb-stage");
    if (!root.current || !stage) return;
    const ends = [
      watchTheme(root.current),
      keepFocus(root.current, () => stage),
      watchVisibility(root.current, editor.session),
      listenToKeys(root.current, editor, gestures, ownKeys(editor)),
    ];
    return () => {
      for (const end of ends) end();
    };
  }, [editor, gestures]);

  const generator = useSelect(store, ({ snapshot }) => {
    const { name, width, height } = snapshot?.model ?? { name: "", width: 0, height: 0 };
    return `${name} ${width} x ${height}`;
  });
  useEffect(() => {
    gestures.cancel();
    startAfresh(editor);
  }, [editor, gestures, generator]);

  return (
    <div
      ref={root}
      class="nbdrag"
      tabIndex={-1}
      data-testid="drag-editor"
      data-lm-suppress-shortcuts="true"
      data-jp-suppress-context-menu=""
      data-state={useSelect(store, mode)}
      data-step={useSelect(store, shownStep)}
      data-frames={useSelect(store, ({ frames }) => frames)}
      data-final={useSelect(store, ({ frame }) => frame?.final ?? false)}
      data-settled={useSelect(store, isSettled)}
      data-model-version={useSelect(store, ({ snapshot }) => snapshot?.revision ?? -1)}
    >
      <section class="nb-editor" aria-label="Drag editor">
        <Toolbar editor={editor} />
        <Stage editor={editor} gestures={gestures} />
        <Sidebar editor={editor} />
        {useSelect(store, isLive) && <Filmstrip editor={editor} />}
        <Status editor={editor} />
        <Panels editor={editor} />
        <Menu editor={editor} />
      </section>
    </div>
  );
}
