// A page for looking at the editor while working on it: no Python, no notebook.
//
// `npm run demo`, then http://127.0.0.1:8123/demo/ (?dark, ?width=400, ?views=2, ?static).

import type { InitializeProps, RenderProps } from "@anywidget/types";
import widget from "../src/drag/index";
import { DemoKernel } from "./kernel";

const query = new URLSearchParams(location.search);
const kernel = new DemoKernel();
if (query.has("static")) await kernel.save();

const definition = typeof widget === "function" ? await widget() : widget;
const model = kernel.model(!query.has("static"));
await definition.initialize?.({ model } as unknown as InitializeProps);
for (let view = 0; view < Number(query.get("views") ?? 1); view++) {
  const el = document.createElement("div");
  document.getElementById("cell")?.append(el);
  await definition.render?.({ model, el } as unknown as RenderProps);
}
Object.assign(globalThis, { kernel });
