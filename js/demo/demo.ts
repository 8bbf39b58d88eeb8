// A page for looking at the widgets while working on them: no Python, no notebook.
//
// `npm run demo`, then http://127.0.0.1:8123/demo/ (?paint, ?dark, ?width=400, ?views=2, ?static).

import type { InitializeProps, RenderProps } from "@anywidget/types";
import drag from "../src/drag/index";
import paint from "../src/paint/index";
import { DemoKernel } from "./kernel";
import { DemoPainter } from "./painter";

const query = new URLSearchParams(location.search);
const kernel = query.has("paint") ? new DemoPainter() : new DemoKernel();
if (query.has("static")) await kernel.save();

const widget = query.has("paint") ? paint : drag;
const definition = typeof widget === "function" ? await widget() : widget;
const model = kernel.model(!query.has("static"));
await definition.initialize?.({ model } as unknown as InitializeProps);
for (let view = 0; view < Number(query.get("views") ?? 1); view++) {
  const el = document.createElement("div");
  document.getElementById("cell")?.append(el);
  await definition.render?.({ model, el } as unknown as RenderProps);
}
Object.assign(globalThis, { kernel });
