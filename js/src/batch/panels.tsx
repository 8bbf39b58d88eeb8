// Panels over the grid: the export, and the list of keys.

import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { useSelect } from "../shared/hooks";
import { Help, Sheet } from "../shared/sheet";
import type { Batch } from "./batch";
import { KEYS } from "./keys";
import { type ExportFormat, LIMITS } from "./protocol.gen";

export function Panels({ batch }: { batch: Batch }): JSX.Element | null {
  const panel = useSelect(batch.view, (view) => view.panel);
  if (panel === "help") return <Help editor={batch} keys={KEYS} />;
  return panel === "export" ? <Export batch={batch} /> : null;
}

const FORMATS: readonly { format: ExportFormat; end: string; title: string; about: string }[] = [
  { format: "zip", end: ".zip", title: "Zip", about: "PNGs and their strengths in one file" },
  {
    format: "folder",
    end: "",
    title: "Folder",
    about: "the same, file by file; can be gone on with",
  },
  { format: "latents", end: ".safetensors", title: "Latents", about: "edited ws, no pictures" },
  { format: "csv", end: ".csv", title: "Strengths", about: "a table" },
];

function Export({ batch }: { batch: Batch }): JSX.Element {
  const { session, view } = batch;
  const { store } = session;
  const format = useSelect(view, (state) => state.format);
  const resume = useSelect(view, (state) => state.resume) && format === "folder";
  const count = useSelect(store, ({ snapshot }) => snapshot?.included ?? 0);
  const usual = useSelect(store, ({ snapshot }) => snapshot?.path ?? "edit");
  const message = useSelect(store, ({ notice }) => (notice?.level === "error" ? notice.text : ""));
  const [path, setPath] = useState(usual);
  const end = FORMATS.find((one) => one.format === format)?.end ?? "";
  const start = async () => {
    const answer = await session.ask({ kind: "export", format, path: path.trim() + end, resume });
    if (answer !== null) view.dispatch({ panel: null });
  };
  return (
    <Sheet
      editor={batch}
      title={`Export ${count} ${count === 1 ? "picture" : "pictures"}`}
      testid="export-panel"
    >
      <form
        class="nb-export"
        onSubmit={(event) => {
          event.preventDefault();
          void start();
        }}
      >
        <fieldset>
          <legend>What</legend>
          {FORMATS.map(({ format: one, title, about }) => (
            <label key={one} class="nb-format">
              <input
                type="radio"
                name={`nb-format-${batch.id}`}
                data-testid={`format-${one}`}
                checked={one === format}
                onChange={() => view.dispatch({ format: one })}
              />
              <span>
                {title} <small>{about}</small>
              </span>
            </label>
          ))}
        </fieldset>
        <label class="nb-where">
          Where the notebook runs
          <span>
            <input
              type="text"
              class="nb-path"
              data-testid="path"
              value={path}
              maxLength={LIMITS.file - 20}
              required
              autocomplete="off"
              spellcheck={false}
              onInput={({ currentTarget }) => setPath(currentTarget.value)}
            />
            <span class="nb-end">{end}</span>
          </span>
        </label>
        {format === "folder" && (
          <label class="nb-format nb-resume">
            <input
              type="checkbox"
              data-testid="resume"
              checked={resume}
              onChange={({ currentTarget }) => view.dispatch({ resume: currentTarget.checked })}
            />
            Go on with one that was stopped
          </label>
        )}
        {message && (
          <p class="nb-message nb-error" role="alert">
            {message}
          </p>
        )}
        <button
          type="submit"
          class="nb-primary"
          data-testid="start-export"
          disabled={count === 0 || path.trim() === ""}
        >
          Export
        </button>
      </form>
    </Sheet>
  );
}
