// The view: one batch in one cell, laid out and given the keyboard.

import { type JSX, render } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { keepFocus } from "../shared/focus";
import { useSelect } from "../shared/hooks";
import { watchTheme } from "../shared/theme";
import { createBatch } from "./batch";
import { Grid } from "./grid";
import { Header } from "./header";
import { listenToKeys } from "./keyboard";
import type { Layout } from "./layout";
import { Panels } from "./panels";
import type { Session } from "./session";
import { Status } from "./status";
import { isLive, isSettled, mode } from "./store";

/** Draws the session's batch into `el`; returns what takes it away again. */
export function mountBatch(el: HTMLElement, session: Session): () => void {
  render(<View session={session} />, el);
  return () => render(null, el);
}

function View({ session }: { session: Session }): JSX.Element {
  const { store } = session;
  const batch = useMemo(() => createBatch(session), [session]);
  const root = useRef<HTMLDivElement>(null);
  const layout = useRef<Layout | null>(null);
  const [seen, setSeen] = useState(true);
  const live = useSelect(store, isLive);
  const sheet = useSelect(store, (state) => state.sheet);
  const name = useSelect(store, ({ snapshot }) => snapshot?.name ?? "edit");

  useEffect(() => {
    const element = root.current;
    if (element === null) return;
    const ends = [
      watchTheme(element),
      keepFocus(element, () => element.querySelector<HTMLElement>(".nb-tiles")),
      watchSight(element, setSeen),
      listenToKeys(element, batch, () => layout.current?.columns ?? 1),
    ];
    return () => {
      for (const end of ends) end();
    };
  }, [batch]);

  return (
    <div
      ref={root}
      class="nbdrag"
      tabIndex={-1}
      data-testid="batch-preview"
      data-lm-suppress-shortcuts="true"
      data-jp-suppress-context-menu=""
      data-state={useSelect(store, mode)}
      data-running={useSelect(store, ({ snapshot }) => snapshot?.running ?? "")}
      data-settled={useSelect(store, isSettled)}
      data-model-version={useSelect(store, ({ snapshot }) => snapshot?.revision ?? -1)}
    >
      <section class="nb-batch" aria-label="Batch preview">
        <Header batch={batch} />
        {live ? (
          <Grid
            batch={batch}
            seen={seen}
            onLayout={(now) => {
              layout.current = now;
            }}
          />
        ) : (
          sheet && (
            <img
              class="nb-saved"
              data-testid="sheet"
              src={sheet}
              alt={`${name}, before and after`}
            />
          )
        )}
        <Status batch={batch} />
        <Panels batch={batch} />
      </section>
    </div>
  );
}

/** Tells whether somebody can see the element; returns what ends it. */
function watchSight(root: HTMLElement, tell: (seen: boolean) => void): () => void {
  let onScreen = true;
  const look = () => tell(onScreen && document.visibilityState !== "hidden");
  const observer = new IntersectionObserver((entries) => {
    onScreen = entries.at(-1)?.isIntersecting ?? true;
    look();
  });
  observer.observe(root);
  document.addEventListener("visibilitychange", look);
  look();
  return () => {
    observer.disconnect();
    document.removeEventListener("visibilitychange", look);
  };
}
