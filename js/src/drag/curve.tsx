// The curve of the mean distance to the targets, step by step.

import type { JSX } from "preact";
import { useSelect } from "../shared/hooks";
import type { Editor } from "./editor";
import type { CurvePoint } from "./store";

const WIDTH = 212;
const HEIGHT = 44;
/** The curve has room for at least this many steps, so that it doesn't jump about at first. */
const LEAST_STEPS = 30;

export function Curve({ editor }: { editor: Editor }): JSX.Element | null {
  const curve = useSelect(editor.session.store, (state) => state.curve);
  const last = curve.at(-1);
  if (last === undefined || curve.length < 2) return null;
  return (
    <section class="nb-section">
      <div class="nb-heading">
        <b>Distance</b>
        <span class="nb-space" />
        <output>{last.distance.toFixed(1)} px</output>
      </div>
      <svg
        class="nb-curve"
        data-testid="curve"
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`Distance by step: now ${last.distance.toFixed(1)} pixels at step ${last.step}`}
      >
        <path class="nb-axis" d={`M0 ${HEIGHT - 1}H${WIDTH}`} />
        <path d={path(curve)} />
      </svg>
    </section>
  );
}

/** An SVG path over the whole width; zero lies on the axis. */
export function path(curve: readonly CurvePoint[]): string {
  const first = curve[0]?.step ?? 0;
  const steps = Math.max(LEAST_STEPS, (curve.at(-1)?.step ?? 0) - first);
  const top = Math.max(...curve.map(({ distance }) => distance), 1e-6);
  return curve
    .map(({ step, distance }, i) => {
      const x = ((step - first) / steps) * WIDTH;
      const y = 3 + (1 - distance / top) * (HEIGHT - 4);
      return `${i === 0 ? "M" : "L"}${x.toFixed(1)} ${y.toFixed(1)}`;
    })
    .join("");
}
