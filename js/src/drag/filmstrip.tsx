// The filmstrip: every edit a picture; click one to go there.

import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { useSelect } from "../shared/hooks";
import type { Editor } from "./editor";
import { isEditable } from "./store";

export function Filmstrip({ editor }: { editor: Editor }): JSX.Element {
  const { store, ask } = editor.session;
  const history = useSelect(store, ({ snapshot }) => snapshot?.history);
  const cursor = useSelect(store, ({ snapshot }) => snapshot?.cursor ?? 0);
  const thumbnails = useSelect(store, (state) => state.thumbnails);
  const can = useSelect(store, isEditable);
  const current = useRef<HTMLButtonElement>(null);
  const entries = history ?? [];

  useEffect(() => {
    // Scrolls the strip alone: `scrollIntoView` would move the notebook too.
    const strip = current.current?.parentElement;
    if (!strip || !current.current) return;
    const { offsetLeft, offsetWidth } = current.current;
    if (offsetLeft < strip.scrollLeft) strip.scrollLeft = offsetLeft;
    const over = offsetLeft + offsetWidth - strip.clientWidth;
    if (over > strip.scrollLeft) strip.scrollLeft = over;
  }, [cursor, entries.length]);

  return (
    <div class="nb-film" data-testid="filmstrip">
      <div class="nb-strip" role="group" aria-label="History">
        {entries.map(({ id, label }, index) => (
          <button
            key={id}
            ref={index === cursor ? current : null}
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
        ))}
      </div>
      <span class="nb-count" data-testid="edits">
        {Math.max(0, cursor)} of {Math.max(0, entries.length - 1)} edits
      </span>
    </div>
  );
}
