// Bundles the widget as it ships, for the tests that run it in hosts: dist/test/drag.js and .css.

import * as esbuild from "esbuild";
import { bundleOptions, here } from "../../bundle.mjs";

export default async function setup(): Promise<void> {
  await esbuild.build({ ...bundleOptions, outdir: here("dist/test"), logLevel: "error" });
}
