// What the painter's canvases show: the parts in their colours, beside the picture or over it.

import { isShaped, type Scene, toCanvas } from "../shared/canvas";
import type { PaintedPart } from "../shared/protocol.gen";
import { isRunning } from "../shared/store";
import type { Painter } from "./editor";
import type { PartMap } from "./labels";
import { type PainterState, shownMap } from "./store";

/** How strongly a wish that the picture has not followed yet is laid over it. */
const WISH = 0.5;

/** The part map to show, made anew only when something in it has changed. */
export function createShownMap({ session }: Painter): () => PartMap | null {
  let of: PainterState | null = null;
  let map: PartMap | null = null;
  return () => {
    const state = session.store.get();
    const same =
      of?.edited === state.edited &&
      of?.original === state.original &&
      of?.strokes === state.strokes &&
      of?.parts === state.parts;
    if (!same) map = shownMap(state);
    of = state;
    return map;
  };
}

/** The part map, each part in its colour; a hidden one lets through what is below. */
export function createMapScene(painter: Painter, shown: () => PartMap | null): Scene {
  const { session, view } = painter;
  const coloured = createColouring();
  const now = () => {
    const { parts, original } = session.store.get();
    const { comparing, hidden } = view.get();
    const map = comparing && original !== null ? original.map : shown();
    return { map, parts, hidden };
  };
  return {
    contents: () => Object.values(now()),
    draw(surface) {
      const { map, parts, hidden } = now();
      surface.clear(painter.viewport());
      if (map !== null) surface.put(coloured(map, parts, hidden), painter.imageSize(), false);
    },
  };
}

/** The picture, and over it the map, or what of it the picture has yet to follow. */
export function createPictureScene(painter: Painter, shown: () => PartMap | null): Scene {
  const { session, view } = painter;
  const coloured = createColouring();
  const wished = createColouring();
  const now = () => {
    const state = session.store.get();
    const { comparing, over, opacity, hidden } = view.get();
    const painted = state.strokes.length > 0 || (state.snapshot?.strokes ?? 0) > 0;
    return {
      picture: comparing && state.before ? state.before : state.picture,
      map: comparing ? null : shown(),
      parts: state.parts,
      wish: painted && !isRunning(state) ? (state.original?.map ?? null) : null,
      over,
      opacity,
      hidden,
    };
  };
  return {
    contents: () => Object.values(now()),
    draw(surface) {
      const { picture, map, parts, wish, over, opacity, hidden } = now();
      const size = painter.imageSize();
      surface.clear(painter.viewport());
      if (picture === null || !isShaped(picture, size)) return;
      surface.put(picture.source, size);
      if (map === null) return;
      const { context } = surface;
      if (over) {
        context.globalAlpha = opacity;
        surface.put(coloured(map, parts, hidden), size, false);
      } else if (wish !== null) {
        context.globalAlpha = WISH;
        surface.put(wished(map, parts, hidden, wish), size, false);
      }
      context.globalAlpha = 1;
    },
  };
}

type Colouring = (
  map: PartMap,
  parts: readonly PaintedPart[],
  hidden: ReadonlySet<number>,
  /** Only what differs from this is coloured. */
  except?: PartMap | null,
) => HTMLCanvasElement;

/** Keeps the last map it has coloured. */
function createColouring(): Colouring {
  let last: Parameters<Colouring> | null = null;
  let image: HTMLCanvasElement | null = null;
  return (map, parts, hidden, except = null) => {
    const now: Parameters<Colouring> = [map, parts, hidden, except];
    if (image === null || last?.some((one, i) => one !== now[i])) {
      image = toCanvas(inColours(...now), map, image ?? undefined);
    }
    last = now;
    return image;
  };
}

/** RGBA pixels of a map: its parts' colours, and nothing where a part is hidden. */
export function inColours(
  { labels }: PartMap,
  parts: readonly PaintedPart[],
  hidden: ReadonlySet<number>,
  except: PartMap | null = null,
): Uint8ClampedArray<ArrayBuffer> {
  // A pixel's four bytes are one number here; in which order is the machine's business.
  const palette = new Uint32Array(256);
  const bytes = new Uint8Array(palette.buffer);
  parts.forEach(({ colour }, part) => {
    const value = Number.parseInt(colour.slice(1), 16);
    const rgba = [(value >> 16) & 255, (value >> 8) & 255, value & 255, 255];
    if (!hidden.has(part)) bytes.set(rgba, part * 4);
  });
  const pixels = new Uint32Array(labels.length);
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i] ?? 0;
    if (except?.labels[i] !== label) pixels[i] = palette[label] ?? 0;
  }
  return new Uint8ClampedArray(pixels.buffer);
}
