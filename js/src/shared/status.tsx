// The status line: what is going on, in words; errors too.

import type { ComponentChildren, JSX } from "preact";
import type { AnyEditor } from "./editor";
import { useSelect } from "./hooks";
import { type Mode, mode, type WidgetState } from "./store";

const WORDS: Record<Exclude<Mode, "running">, string> = {
  connecting: "connecting",
  idle: "ready",
  error: "error",
  silent: "the kernel is busy",
  gone: "kernel gone",
  static: "saved picture",
};

const RUNNING: Record<string, string> = {
  drag: "dragging",
  free_drag: "dragging",
  auto_drag: "dragging",
  layout_drag: "dragging",
  paint: "following",
  refine: "refining",
};

const REMEDY: Partial<Record<Mode, string>> = {
  gone: "Run the cell again.",
  silent: "It does not answer; if that lasts, run the cell again.",
  static: "No kernel here: run the notebook to edit it.",
};

/** The line; its children are the numbers that the widget has to tell. */
export function StatusLine({
  editor,
  word: own,
  children,
}: {
  editor: AnyEditor;
  /** What is going on, where the widget knows better. */
  word?: string | undefined;
  children: ComponentChildren;
}): JSX.Element {
  const { store } = editor.session;
  const now = useSelect(store, mode);
  const known = useSelect(store, inAWord);
  const word = now === "idle" ? (own ?? known) : known;
  const notice = useSelect(store, (state) => state.notice);
  // "busy" says again what the word before it says.
  const said = notice?.level === "busy" ? "" : (notice?.text ?? "");
  const text = REMEDY[now] ?? said;
  const level = REMEDY[now] ? "warning" : (notice?.level ?? "info");
  const speed = useSelect(store, stepsPerSecond);
  return (
    <div class="nb-status" data-testid="status">
      <span class="nb-live" role="status" aria-live="polite">
        <span class={`nb-state nb-is-${now}`}>
          <i class="nb-dot" aria-hidden="true" />
          {word}
        </span>
        {text && (
          <span class={`nb-message nb-${level}`} data-testid="message" title={text}>
            {text}
          </span>
        )}
      </span>
      {children}
      {speed && <span data-testid="speed">{speed}</span>}
      <span class="nb-space" />
      <span class="nb-hint">
        hold <kbd>C</kbd> to compare ·{" "}
        <button type="button" class="nb-link" data-testid="help" onClick={editor.commands.help.run}>
          <kbd>?</kbd> keys
        </button>
      </span>
    </div>
  );
}

function inAWord(state: WidgetState): string {
  const now = mode(state);
  if (now !== "running") return WORDS[now];
  return RUNNING[state.snapshot?.method ?? "drag"] ?? "working";
}

function stepsPerSecond({ frame, snapshot }: WidgetState): string {
  if (!snapshot?.running || !frame?.steps_per_s) return "";
  const { steps_per_s: rate } = frame;
  return `${rate < 10 ? rate.toFixed(1) : Math.round(rate)} steps/s`;
}
