// The way to drag: a list. One that lacks something with this generator says what, and stays out.

import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { useSelect } from "../shared/hooks";
import { isEditable, isRunning } from "../shared/store";
import type { Editor } from "./editor";

export function Method({ editor }: { editor: Editor }): JSX.Element | null {
  const { store, ask, notify } = editor.session;
  const methods = useSelect(store, ({ snapshot }) => snapshot?.drag_methods) ?? [];
  const chosen = useSelect(store, ({ snapshot }) => snapshot?.drag_method);
  const can = useSelect(store, (state) => isEditable(state) && !isRunning(state));
  /** The one that was asked for and can't be had. */
  const [lacking, setLacking] = useState<string | null>(null);
  // What is missing may have come, with another generator for one.
  useEffect(() => setLacking(null), [methods.map(({ missing }) => missing).join()]);
  const wanted = methods.find(({ name }) => name === lacking);
  if (methods.length === 0) return null;

  const choose = async (list: HTMLSelectElement) => {
    const shown = methods.findIndex(({ name }) => name === chosen);
    const way = methods[list.selectedIndex];
    if (way === undefined || way.name === chosen) return;
    setLacking(way.missing === null ? null : way.name);
    if (way.missing !== null) notify("warning", `${way.title}: ${way.missing}`);
    else if (await ask({ kind: "set_method", method: way.name })) return;
    list.selectedIndex = shown;
  };

  return (
    <section class="nb-section nb-method">
      <label class="nb-row" title={methods.find(({ name }) => name === chosen)?.help}>
        <b>Method</b>
        <span class="nb-space" />
        <select
          data-testid="method"
          disabled={!can}
          value={chosen}
          onChange={({ currentTarget }) => choose(currentTarget)}
        >
          {methods.map(({ name, title, help, missing }) => (
            <option key={name} value={name} title={missing ?? help} data-missing={missing !== null}>
              {missing === null ? title : `${title} (untrained)`}
            </option>
          ))}
        </select>
      </label>
      {wanted?.missing && (
        <p class="nb-note" data-testid="missing">
          {wanted.missing}
        </p>
      )}
    </section>
  );
}
