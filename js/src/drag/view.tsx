// The view: one editor in one cell, laid out and given the keyboard.

import { type JSX, render } from "preact";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { keepFocus } from "../shared/focus";
import { useSelect } from "../shared/hooks";
import { watchTheme } from "../shared/theme";
import { createEditor, type Editor, startAfresh } from "./editor";
import { Filmstrip } from "./filmstrip";
import { createGestures } from "./gestures";
import { listenToKeys } from "./keyboard";
import { Panels } from "./panels";
import type { Session } from "./session";
import { Sidebar } from "./sidebar";
import { Stage } from "./stage";
import { StatusLine } from "./status";
import { isLive, isSettled, mode, shownStep } from "./store";
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
  const gestures = useMemo(() => createGestures(editor), [editor]);

  useEffect(() => {
    const stage = root.current?.querySelector<HTMLElement>(".nb-stage");
    if (!root.current || !stage) return;
    const ends = [
      watchTheme(root.current),
      keepFocus(root.current, stage),
      watchVisibility(root.current, editor.session),
      listenToKeys(root.current, editor, gestures),
    ];
    return () => {
      for (const end of ends) end();
    };
  }, [editor, gestures]);

  const generator = useSelect(store, ({ snapshot }) => {
    const { name, width, height } = snapshot?.model ?? { name: "", width: 0, height: 0 };
    return `${name} ${width} x ${height}`;
  });
  useEffect(() => startAfresh(editor), [editor, generator]);

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
        <StatusLine editor={editor} />
        <Panels editor={editor} />
      </section>
    </div>
  );
}

/** Tells the session whether somebody can see this view, so that unseen frames stop coming. */
function watchVisibility(root: HTMLElement, session: Session): () => void {
  let onScreen = true;
  const visible = () => onScreen && document.visibilityState !== "hidden";
  const removeView = session.addView(visible);
  const observer = new IntersectionObserver((entries) => {
    onScreen = entries.at(-1)?.isIntersecting ?? true;
    session.wake();
  });
  observer.observe(root);
  document.addEventListener("visibilitychange", session.wake);
  return () => {
    removeView();
    observer.disconnect();
    document.removeEventListener("visibilitychange", session.wake);
  };
}
