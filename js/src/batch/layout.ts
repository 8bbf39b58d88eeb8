// The grid's layout: how many tiles stand in a row, how large they are, and which rows are in sight.
//
// Only those rows are in the document, whatever the batch has. All measures are CSS pixels.

export interface Layout {
  readonly columns: number;
  readonly rows: number;
  /** Width of a picture. */
  readonly width: number;
  /** Height of a picture. */
  readonly height: number;
  /** From the top of a row to that of the next. */
  readonly pitch: number;
  /** Height of all rows. */
  readonly total: number;
}

export const GAP = 10;
export const MARGIN = 12;
/** Between a picture and what it was edited to. */
export const BETWEEN = 4;
/** The strength below the pictures, and its slider. */
export const CAPTION = 34;
const NARROWEST = 84;

/** Fits tiles of pictures `aspect` times as high as wide into the width of the grid. */
export function layOut(inside: number, count: number, aspect: number): Layout {
  const room = Math.max(NARROWEST, inside - 2 * MARGIN);
  const columns = Math.max(1, Math.floor((room + GAP) / (NARROWEST + GAP)));
  const width = Math.floor((room - (columns - 1) * GAP) / columns);
  const height = Math.round(width * aspect);
  const pitch = 2 * height + BETWEEN + CAPTION;
  const rows = Math.ceil(count / columns);
  return { columns, rows, width, height, pitch, total: rows * pitch + MARGIN };
}

/** The first row in sight, and the one after the last. */
export function rowsInSight(
  { rows, pitch }: Layout,
  scrolled: number,
  height: number,
): [number, number] {
  const first = Math.floor((scrolled - MARGIN) / pitch);
  const end = Math.ceil((scrolled + height - MARGIN) / pitch);
  return [Math.max(0, Math.min(first, rows - 1)), Math.max(0, Math.min(end, rows))];
}

/** Places in rows from `first` up to `end`; fewer in the last. */
export function placesIn({ columns }: Layout, first: number, end: number, count: number): number[] {
  const begin = first * columns;
  const stop = Math.min(end * columns, count);
  return Array.from({ length: Math.max(0, stop - begin) }, (_, i) => begin + i);
}

/** How far to scroll so that a row is in sight. */
export function scrollFor(
  { pitch }: Layout,
  row: number,
  scrolled: number,
  height: number,
): number {
  const top = row * pitch;
  const bottom = top + pitch + MARGIN;
  if (top < scrolled) return top;
  return bottom > scrolled + height ? bottom - height : scrolled;
}
