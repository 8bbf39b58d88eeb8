// The status line: what is going on, in words; how many are included; errors too.

import type { JSX } from "preact";
import { useSelect } from "../shared/hooks";
import { type Batch, SORT_NAMES } from "./batch";
import { megabytes } from "./download";
import type { Progress } from "./protocol.gen";
import { type BatchState, isLive, type Mode, mode, running } from "./store";

const WORDS: Record<Exclude<Mode, "running">, string> = {
  connecting: "connecting",
  idle: "ready",
  error: "error",
  silent: "the kernel is busy",
  gone: "kernel gone",
  static: "saved pictures",
};

const DOING = { search: "searching", export: "exporting", download: "downloading" };

const REMEDY: Partial<Record<Mode, string>> = {
  gone: "Run the cell again.",
  silent: "It does not answer; if that lasts, run the cell again.",
  static: "No kernel here: run the notebook to move the slider.",
};

export function Status({ batch }: { batch: Batch }): JSX.Element {
  const { store } = batch.session;
  const now = useSelect(store, mode);
  const word = useSelect(store, inAWord);
  const notice = useSelect(store, (state) => state.notice);
  const said = notice?.level === "busy" ? "" : (notice?.text ?? "");
  const text = REMEDY[now] ?? said;
  const level = REMEDY[now] ? "warning" : (notice?.level ?? "info");
  const told = useSelect(store, ({ snapshot }) => snapshot?.progress ?? null);
  const fetching = useSelect(store, (state) => state.fetching);
  const far = fetching ? howFar(fetching) : told;
  const written = useSelect(store, ({ snapshot }) => snapshot?.written ?? null);
  const { run, enabled } = batch.commands.download;
  const downloads = useSelect(store, enabled);
  const selected = useSelect(store, howMany);
  const sorted = useSelect(store, ({ snapshot }) => snapshot?.by ?? "source");
  const live = useSelect(store, isLive);
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
      {far && (
        <span class="nb-progress" data-testid="progress">
          <progress max={1} value={far.fraction ?? undefined} aria-label={word} />
          {far.text}
        </span>
      )}
      {written && downloads && (
        <button
          type="button"
          class="nb-link nb-download"
          data-testid="download"
          title={`Download ${written.name} from where the notebook runs (D)`}
          onClick={run}
        >
          Download {written.name}, {megabytes(written.size)}
        </button>
      )}
      <span data-testid="count">{selected}</span>
      {live && sorted !== "source" && <span>sorted {SORT_NAMES[sorted]}</span>}
      <span class="nb-space" />
      {live && (
        <span class="nb-hint">
          hold <kbd>C</kbd> to compare ·{" "}
          <button
            type="button"
            class="nb-link"
            data-testid="help"
            onClick={batch.commands.help.run}
          >
            <kbd>?</kbd> keys
          </button>
        </span>
      )}
    </div>
  );
}

function inAWord(state: BatchState): string {
  const now = mode(state);
  if (now !== "running") return WORDS[now];
  return DOING[running(state) ?? "export"];
}

function howFar({ file, bytes }: NonNullable<BatchState["fetching"]>): Progress {
  const text = `${megabytes(bytes)} of ${megabytes(file.size)}`;
  return { text, fraction: bytes / file.size };
}

function howMany({ snapshot }: BatchState): string {
  if (snapshot === null) return "";
  const { included, count } = snapshot;
  return `${included.toLocaleString("en")} of ${count.toLocaleString("en")} selected`;
}
