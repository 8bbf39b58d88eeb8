// The histogram of strengths: how many pictures get how much of the edit.

import { alphaOf, type BatchState, isIncluded } from "./store";

export interface Histogram {
  /** The ends of the axis, with 0 between them. */
  readonly low: number;
  readonly high: number;
  /** Pictures in each bin: those that are included, and those that are not. */
  readonly bins: readonly { readonly included: number; readonly others: number }[];
  /** The height of the highest. */
  readonly most: number;
  /** The least and the greatest strength of those included; null where there are none. */
  readonly extent: readonly [number, number] | null;
}

export function histogramOf(state: BatchState, count: number): Histogram {
  const { offsets } = state;
  const alphas = Float64Array.from(offsets, (_, item) => alphaOf(state, item));
  let [low, high] = [0, 0];
  for (const alpha of alphas) {
    low = Math.min(low, alpha);
    high = Math.max(high, alpha);
  }
  const width = (high - low || 1) / count;
  const bins = Array.from({ length: count }, () => ({ included: 0, others: 0 }));
  let extent: [number, number] | null = null;
  alphas.forEach((alpha, item) => {
    const bin = bins[Math.min(count - 1, Math.floor((alpha - low) / width))];
    if (bin === undefined) return;
    if (!isIncluded(state, item)) {
      bin.others += 1;
      return;
    }
    bin.included += 1;
    extent = extent ? [Math.min(extent[0], alpha), Math.max(extent[1], alpha)] : [alpha, alpha];
  });
  const most = bins.reduce((top, { included, others }) => Math.max(top, included + others), 0);
  return { low, high, bins, most, extent };
}
