// The status line: what is going on, in words; errors too.

import type { JSX } from "preact";
import { useSelect } from "../shared/hooks";
import type { Editor } from "./editor";
import { type EditorState, type Mode, mode, pixelsToGo, shownPairs, shownStep } from "./store";

const WORDS: Record<Mode, string> = {
  connecting: "connecting",
  live: "",
  idle: "ready",
  running: "dragging",
  error: "error",
  silent: "the kernel is busy",
  gone: "kernel gone",
  static: "saved picture",
} as Record<Mode, string>;

const REMEDY: Partial<Record<Mode, string>> = {
  gone: "Run the cell again.",
  silent: "It does not answer; if that lasts, run the cell again.",
  static: "No kernel here: run the notebook to edit it.",
};

export function StatusLine({ editor }: { editor: Editor }): JSX.Element {
  const { store } = editor.session;
  const now = useSelect(store, mode);
  const notice = useSelect(store, (state) => state.notice);
  // "busy" says again what the word before it says.
  const said = notice?.level === "busy" ? "" : (notice?.text ?? "");
  const text = REMEDY[now] ?? said;
  const level = REMEDY[now] ? "warning" : (notice?.level ?? "info");
  const stepText = useSelect(store, step);
  const toGo = useSelect(store, togo);
  const speed = useSelect(store, stepsPerSecond);
  return (
    <div class="nb-status" data-testid="status">
      <span class="nb-live" role="status" aria-live="polite">
        <span class={`nb-state nb-is-${now}`}>
          <i class="nb-dot" aria-hidden="true" />
          {WORDS[now]}
        </span>
        {text && (
          <span class={`nb-message nb-${level}`} data-testid="message" title={text}>
            {text}
          </span>
        )}
      </span>
      {stepText && <span data-testid="step">{stepText}</span>}
      {toGo && <span data-testid="to-go">{toGo}</span>}
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

function step(state: EditorState): string {
  const at = shownStep(state);
  return at > 0 ? `step ${at}` : "";
}

function togo(state: EditorState): string {
  const pixels = pixelsToGo(shownPairs(state));
  return pixels === null ? "" : `${pixels.toFixed(1)} px to go`;
}

function stepsPerSecond({ frame, snapshot }: EditorState): string {
  if (!snapshot?.running || !frame?.steps_per_s) return "";
  const { steps_per_s: rate } = frame;
  return `${rate < 10 ? rate.toFixed(1) : Math.round(rate)} steps/s`;
}
