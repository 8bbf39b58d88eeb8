// Bundles the widgets: src/drag/index.ts -> ../nbdrag/assets/js/drag.js (an ES module) and drag.css,
// and src/paint and src/batch likewise.
//
//   node build.mjs            once, minified
//   node build.mjs --watch    again at every change, with source maps
//   node build.mjs --demo     the stand-alone page of demo/, served on http://127.0.0.1:8123

import { stat } from "node:fs/promises";
import * as esbuild from "esbuild";
import { bundleOptions, here } from "./bundle.mjs";

/** A bundle over this size makes a slow notebook miss the widget's first messages. */
const MAX_BYTES = 150_000;

const [mode] = process.argv.slice(2);
const readable = { ...bundleOptions, minify: false, sourcemap: "inline" };

if (mode === "--demo") {
  const context = await esbuild.context({
    ...readable,
    entryPoints: { demo: "demo/demo.ts" },
    outdir: here("dist/demo"),
  });
  await context.serve({ servedir: here("."), host: "127.0.0.1", port: 8123 });
  console.log("http://127.0.0.1:8123/demo/");
} else if (mode === "--watch") {
  await (await esbuild.context(readable)).watch();
} else {
  await esbuild.build(bundleOptions);
  for (const name of Object.keys(bundleOptions.entryPoints ?? {})) {
    const { size } = await stat(here(`../nbdrag/assets/js/${name}.js`));
    if (size <= MAX_BYTES) continue;
    console.error(`${name}.js has ${size} bytes, over the limit of ${MAX_BYTES}`);
    process.exit(1);
  }
}
