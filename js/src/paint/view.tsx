// The view: one painter in one cell, laid out and given the keyboard.

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
import { createPainter, type Painter, startAfresh } from "./editor";
import { createPaintGestures } from "./gestures";
import { ownKeys } from "./keyboard";
import type { Session } from "./session";
import { Sidebar } from "./sidebar";
import { Stages } from "./stage";
import { Status } from "./status";
import { isSettled } from "./store";
import { Toolbar } from "./toolbar";

/** Draws the session's painter into `el`; returns what takes it away again. */
export function mountPainter(el: HTMLElement, session: Session): () => void {
  const painter = createPainter(session);
  render(<View painter={painter} />, el);
  return () => render(null, el);
}

function View({ painter }: { painter: Painter }): JSX.Element {
  const { store } = painter.session;
  const root = useRef<HTMLDivElement>(null);
  const gestures = useMemo(() => createPaintGestures(painter), [painter]);

  useEffect(() => {
    const stages = root.current?.querySelector<HTMLElement>(".nb-stages");
    if (!root.current || !stages) return;
    const ends = [
      watchTheme(root.current),
      keepFocus(root.current, () => stages.querySelector<HTMLElement>(".nb-stage")),
      watchVisibility(root.current, painter.session),
      listenToKeys(root.current, painter, gestures, ownKeys(painter)),
    ];
    return () => {
      for (const end of ends) end();
    };
  }, [painter, gestures]);

  const generator = useSelect(store, ({ snapshot }) => {
    const { name, width, height } = snapshot?.model ?? { name: "", width: 0, height: 0 };
    return `${name} ${width} x ${height}`;
  });
  useEffect(() => startAfresh(painter), [painter, generator]);

  return (
    <div
      ref={root}
      class="nbdrag"
      tabIndex={-1}
      data-testid="painter"
      data-lm-suppress-shortcuts="true"
      data-jp-suppress-context-menu=""
      data-state={useSelect(store, mode)}
      data-method={useSelect(store, ({ snapshot }) => snapshot?.method ?? undefined)}
      data-step={useSelect(store, shownStep)}
      data-frames={useSelect(store, ({ frames }) => frames)}
      data-final={useSelect(store, ({ frame }) => frame?.final ?? false)}
      data-settled={useSelect(store, isSettled)}
      data-labels={useSelect(store, ({ edited }) => edited?.version ?? undefined)}
      data-strokes={useSelect(store, ({ snapshot }) => snapshot?.strokes ?? 0)}
      data-model-version={useSelect(store, ({ snapshot }) => snapshot?.revision ?? -1)}
    >
      <section class="nb-editor nb-painter" aria-label="Part painter">
        <Toolbar painter={painter} />
        <Stages painter={painter} gestures={gestures} />
        <Sidebar painter={painter} />
        {useSelect(store, isLive) && <Filmstrip editor={painter} />}
        <Status painter={painter} />
        <Panels editor={painter} />
      </section>
    </div>
  );
}
