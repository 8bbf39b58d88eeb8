// The filmstrip: every edit a picture; click one to go there.

import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { AnyEditor } from "./editor";
import { useSelect } from "./hooks";
import { isEditable } from "./store";

export function Filmstrip({ editor }: { editor: AnyEditor }): JSX.Element {
  const { store, ask } = editor.session;
  const history = useSelect(store, ({ snapshot }) => snapshot?.history);
  const cursor = useSelect(store, ({ snapshot }) => snapshot?.cursor ?? 0);
  const thumbnails = useSelect(store, (state) => state.thumbnails);
  const can = useSelect(store, isEditable);
  const strip = useRef<HTMLOListElement>(null);
  const entries = history ?? [];

  useEffect(() => {
    // Scrolls the strip alone: `scrollIntoView` would move the notebook too.
    const current = strip.current?.children[cursor];
    if (!strip.current || !(current instanceof HTMLElement)) return;
    const { offsetLeft: left, offsetWidth: width } = current;
    const { scrollLeft, clientWidth } = strip.current;
    strip.current.scrollLeft = Math.min(left, Math.max(scrollLeft, left + width - clientWidth));
  }, [cursor, entries.length]);

  return (
    <div class="nb-film" data-testid="filmstrip">
      <ol ref={strip} class="nb-strip" aria-label="History">
        {entries.map(({ id, label }, index) => (
          <li key={id}>
            <button
              type="button"
              class={index > cursor ? "nb-thumb nb-undone" : "nb-thumb"}
              data-testid={`history-${index}`}
              aria-current={index === cursor}
              aria-label={`${index === 0 ? "Start" : `Edit ${index}`}: ${label}`}
              title={label}
              disabled={!can}
              onClick={() => index !== cursor && ask({ kind: "go_to", index })}
            >
              {thumbnails.has(id) ? <img src={thumbnails.get(id)} alt="" /> : index}
            </button>
          </li>
        ))}
      </ol>
      <span class="nb-count" data-testid="edits">
        {Math.max(0, cursor)} of {Math.max(0, entries.length - 1)} edits
      </span>
    </div>
  );
}
