// The way to drag: a list. One that lacks something with this generator says what, when it is asked
// for, and the one before stays.

import type { JSX } from "preact";
import { useSelect } from "../shared/hooks";
import { isEditable, isRunning } from "../shared/store";
import type { Editor } from "./editor";

export function Method({ editor }: { editor: Editor }): JSX.Element | null {
  const { store, ask, notify } = editor.session;
  const methods = useSelect(store, ({ snapshot }) => snapshot?.drag_methods);
  const chosen = useSelect(store, ({ snapshot }) => snapshot?.drag_method);
  const can = useSelect(store, (state) => isEditable(state) && !isRunning(state));
  if (methods === undefined) return null;
  const shown = methods.findIndex(({ name }) => name === chosen);

  const choose = async (list: HTMLSelectElement) => {
    const wanted = methods[list.selectedIndex];
    if (wanted === undefined) return;
    if (wanted.missing !== null) notify("warning", `${wanted.title}: ${wanted.missing}`);
    else if (await ask({ kind: "set_method", method: wanted.name })) return;
    list.selectedIndex = shown;
  };

  return (
    <section class="nb-section nb-method">
      <label class="nb-row" title={methods[shown]?.help}>
        <b>Method</b>
        <select
          data-testid="method"
          disabled={!can}
          value={shown}
          onChange={({ currentTarget }) => choose(currentTarget)}
        >
          {methods.map(({ name, title, help, missing }, index) => (
            <option key={name} value={index} title={missing ?? help}>
              {missing === null ? title : `${title} (untrained)`}
            </option>
          ))}
        </select>
      </label>
    </section>
  );
}
