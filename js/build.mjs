// Bundles the widget: src/drag/index.ts -> ../nbdrag/assets/js/drag.js (an ES module) and drag.css.
//
//   node build.mjs            once, minified
//   node build.mjs --watch    again at every change, with source maps
//   node build.mjs --demo     the stand-alone page of demo/, served on http://127.0.0.1:8123

import { stat } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const watch = process.argv.includes("--watch");
const demo = process.argv.includes("--demo");

/** A bundle over this size makes a slow notebook miss the widget's first messages. */
const MAX_BYTES = 150_000;

/** @type {esbuild.BuildOptions} */
const options = {
  absWorkingDir: here("."),
  entryPoints: { drag: "src/drag/index.ts" },
  outdir: here("../nbdrag/assets/js"),
  bundle: true,
  format: "esm",
  target: ["es2022", "chrome111", "firefox113", "safari16.4"],
  jsx: "automatic",
  jsxImportSource: "preact",
  minify: !watch,
  sourcemap: watch ? "inline" : false,
  legalComments: "eof",
  logLevel: "info",
};

if (demo) {
  const context = await esbuild.context({
    ...options,
    entryPoints: { demo: "demo/demo.ts" },
    outdir: here("dist/demo"),
    minify: false,
    sourcemap: "inline",
  });
  await context.serve({ servedir: here("."), host: "127.0.0.1", port: 8123 });
  console.log("http://127.0.0.1:8123/demo/");
} else if (watch) {
  await (await esbuild.context(options)).watch();
} else {
  await esbuild.build(options);
  const { size } = await stat(here("../nbdrag/assets/js/drag.js"));
  if (size > MAX_BYTES) {
    console.error(`drag.js has ${size} bytes, over the limit of ${MAX_BYTES}`);
    process.exit(1);
  }
}
