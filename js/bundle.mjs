// How the widget is bundled; used by the build and by the tests.

import { fileURLToPath } from "node:url";

/** @param {string} path relative to js/ */
export const here = (path) => fileURLToPath(new URL(path, import.meta.url));

/** @type {import("esbuild").BuildOptions} */
export const bundleOptions = {
  absWorkingDir: here("."),
  entryPoints: { drag: "src/drag/index.ts" },
  outdir: here("../nbdrag/assets/js"),
  bundle: true,
  format: "esm",
  target: ["es2022", "chrome111", "firefox113", "safari16.4"],
  jsx: "automatic",
  jsxImportSource: "preact",
  minify: true,
  legalComments: "eof",
  logLevel: "info",
};
