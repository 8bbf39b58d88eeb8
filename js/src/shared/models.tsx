// The sheet on which another generator is chosen: by name, by address, or from a file.

import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { AnyEditor } from "./editor";
import { Icon } from "./icons";
import type { KnownModel } from "./protocol.gen";
import { Sheet } from "./sheet";

export function Models({ editor }: { editor: AnyEditor }): JSX.Element {
  const { session } = editor;
  const [known, setKnown] = useState<readonly KnownModel[]>([]);
  const [typed, setTyped] = useState("");
  const field = useRef<HTMLInputElement>(null);
  const list = useRef<HTMLUListElement>(null);
  const shown = known.filter((model) => matches(model, typed));
  const present = session.store.get().snapshot?.model.name;

  useEffect(() => {
    field.current?.focus({ preventScroll: true });
    void session.ask({ kind: "get_models" }).then((answer) => {
      setKnown(answer?.reply.models ?? []);
    });
  }, [session]);

  const load = (source: string) => {
    editor.commands.escape.run();
    void session.ask({ kind: "load_model", source });
  };
  /** Up and down lead through the list, and from its first entry back to the field. */
  const walk = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const stops = [field.current, ...(list.current?.querySelectorAll("button") ?? [])];
    const next = stops.indexOf(event.target as HTMLInputElement) + step;
    stops[Math.min(Math.max(next, 0), stops.length - 1)]?.focus();
  };

  return (
    <Sheet editor={editor} title="Another generator" testid="models-panel">
      {/* biome-ignore lint/a11y/noStaticElementInteractions: its fields and buttons are */}
      <div class="nb-choose" onKeyDown={walk}>
        <form
          class="nb-find"
          onSubmit={(event) => {
            event.preventDefault();
            const [only, another] = shown;
            if (typed.trim() !== "") load(only && !another ? only.name : typed.trim());
          }}
        >
          <input
            ref={field}
            data-testid="model-source"
            type="text"
            aria-label="Name, address or path of a generator"
            placeholder="Find a name, or give an address: https://…, hf:owner/name/file, a path"
            autocomplete="off"
            spellcheck={false}
            value={typed}
            onInput={({ currentTarget }) => setTyped(currentTarget.value)}
          />
          <FileButton
            onFile={(file) => {
              editor.commands.escape.run();
              void session.upload(file);
            }}
          />
        </form>
        <ul ref={list} class="nb-models" aria-label="Generators">
          {shown.map((model) => (
            <li key={model.name}>
              <button
                type="button"
                data-testid={`model-${model.name}`}
                aria-current={model.name === present || undefined}
                title={`${model.source}\nLicence of the weights: ${model.licence}`}
                onClick={() => load(model.name)}
              >
                <span class="nb-line">
                  <b>{model.name}</b>
                  <span class="nb-space" />
                  <span class={model.at_hand ? "nb-at-hand" : "nb-to-fetch"}>
                    <Icon name={model.at_hand ? "done" : "save"} />
                    {whereabouts(model)}
                  </span>
                </span>
                <span class="nb-line nb-dim">
                  <span class="nb-cut">{model.title}</span>
                  <span class="nb-space" />
                  {model.resolution} px
                </span>
              </button>
            </li>
          ))}
        </ul>
        {known.length > 0 && shown.length === 0 && (
          <p class="nb-note">No generator is called so. Enter loads it as an address or a path.</p>
        )}
      </div>
    </Sheet>
  );
}

/** A button that opens the system's file dialog, and gives the file chosen. */
function FileButton({ onFile }: { onFile(file: File): void }): JSX.Element {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <button
        type="button"
        class="nb-outlined"
        title="Send a checkpoint from this computer to the kernel"
        onClick={() => input.current?.click()}
      >
        <Icon name="upload" />
        Upload…
      </button>
      <input
        ref={input}
        type="file"
        hidden
        tabIndex={-1}
        data-testid="model-file"
        aria-label="Upload a checkpoint"
        onChange={({ currentTarget: { files } }) => files?.[0] && onFile(files[0])}
      />
    </>
  );
}

/** Whether what was typed occurs in a generator's name or title. */
function matches({ name, title }: KnownModel, typed: string): boolean {
  const words = typed.toLowerCase().split(/\s+/);
  return words.every((word) => name.includes(word) || title.toLowerCase().includes(word));
}

function whereabouts({ at_hand, size }: KnownModel): string {
  const megabytes = size === null ? "" : `${(size / 1e6).toFixed(size < 1e7 ? 1 : 0)} MB`;
  return at_hand ? "at hand" : megabytes || "download";
}
