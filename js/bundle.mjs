// How the widgets are bundled, each for itself; used by the build and by the tests.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** @param {string} path relative to js/ */
export const here = (path) => fileURLToPath(new URL(path, import.meta.url));

/** What goes into the bundles is shipped with its licence. */
const licences = ["preact", "lucide"].map((name) => {
  const text = readFileSync(here(`node_modules/${name}/LICENSE`), "utf8");
  return `This file contains parts of ${name}:\n\n${text.trim()}`;
});

/** @type {import("esbuild").BuildOptions} */
export const bundleOptions = {
  absWorkingDir: here("."),
  entryPoints: {
    drag: "src/drag/index.ts",
    paint: "src/paint/index.ts",
    batch: "src/batch/index.ts",
  },
  outdir: here("../nbdrag/assets/js"),
  bundle: true,
  format: "esm",
  target: ["es2022", "chrome111", "firefox113", "safari16.4"],
  jsx: "automatic",
  jsxImportSource: "preact",
  minify: true,
  legalComments: "none",
  footer: { js: `/*\n${licences.join("\n\n").replaceAll("*/", "")}\n*/` },
  logLevel: "info",
};
