// What the status line tells of painting: how far it is, how well the parts agree, what else changed.

import type { JSX } from "preact";
import { useSelect } from "../shared/hooks";
import { StatusLine } from "../shared/status";
import { isRunning, shownStep, type WidgetState } from "../shared/store";
import type { Painter } from "./editor";

export function Status({ painter }: { painter: Painter }): JSX.Element {
  const { store } = painter.session;
  const step = useSelect(store, progress);
  const agreement = useSelect(store, agreed);
  const outside = useSelect(store, changed);
  // At rest the kernel says how it went.
  const running = useSelect(store, isRunning);
  return (
    <StatusLine editor={painter}>
      {running && step && <span data-testid="step">{step}</span>}
      {running && agreement && <span data-testid="agreement">{agreement}</span>}
      {running && outside && <span data-testid="outside">{outside}</span>}
    </StatusLine>
  );
}

function progress(state: WidgetState): string {
  const step = shownStep(state);
  const most = state.snapshot?.progress?.max_steps;
  if (step === 0) return "";
  return most ? `step ${step} / ${most}` : `step ${step}`;
}

/** How the painted parts agree with the picture's, as intersection over union. */
function agreed({ frame }: WidgetState): string {
  const value = frame?.agreement ?? null;
  return value === null ? "" : `IoU in region ${value.toFixed(2)}`;
}

function changed({ frame }: WidgetState): string {
  const value = frame?.outside ?? null;
  return value === null ? "" : `outside changed ${(value * 100).toFixed(1)} %`;
}
