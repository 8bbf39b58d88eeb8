// What the status line tells of a drag: its step, and how far the points still have to go.

import type { JSX } from "preact";
import { useSelect } from "../shared/hooks";
import { StatusLine } from "../shared/status";
import { shownStep } from "../shared/store";
import type { Editor } from "./editor";
import { type EditorState, isHeld, pixelsToGo, shownPairs } from "./store";

export function Status({ editor }: { editor: Editor }): JSX.Element {
  const { store } = editor.session;
  const step = useSelect(store, shownStep);
  const toGo = useSelect(store, togo);
  const held = useSelect(store, isHeld);
  return (
    <StatusLine editor={editor} word={held ? "following" : undefined}>
      {step > 0 && !held && <span data-testid="step">step {step}</span>}
      {toGo && <span data-testid="to-go">{toGo}</span>}
    </StatusLine>
  );
}

function togo(state: EditorState): string {
  if (isHeld(state)) return "";
  const pixels = pixelsToGo(shownPairs(state));
  return pixels === null ? "" : `${pixels.toFixed(1)} px to go`;
}
