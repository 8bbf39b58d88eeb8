// What the drag editor's canvas shows: the picture and, over it, a veil on what may not move.

import { isPixelated, isShaped, type Scene, toCanvas } from "../shared/canvas";
import type { Editor } from "./editor";
import { type Mask, softened, tinted, veilOpacity } from "./mask";
import { type EditorState, shownMask } from "./store";

/** Night blue at 38 %: dims any picture and leaves it readable. */
const VEIL = [11, 21, 38, 97] as const;

export function createScene(editor: Editor): Scene {
  const { session, view } = editor;
  let masked: EditorState | null = null;
  let mask: Mask | null = null;
  let veil: { mask: Mask; soft: boolean; image: HTMLCanvasElement } | null = null;

  const veilOf = (mask: Mask, soft: boolean): HTMLCanvasElement => {
    if (veil?.mask !== mask || veil.soft !== soft) {
      const sharp = veilOpacity(mask);
      const pixels = tinted(soft ? softened(sharp, mask) : sharp, VEIL);
      veil = { mask, soft, image: toCanvas(pixels, mask) };
    }
    return veil.image;
  };

  return {
    contents() {
      const { picture, before, mask, strokes } = session.store.get();
      const { comparing, overlay } = view.get();
      return [comparing && before ? before : picture, mask, strokes, comparing, overlay];
    },
    draw(surface) {
      const state = session.store.get();
      const { comparing, overlay } = view.get();
      const picture = comparing && state.before ? state.before : state.picture;
      const image = editor.imageSize();
      surface.clear(editor.viewport());
      if (picture === null || !isShaped(picture, image)) return;
      surface.put(picture.source, image);
      if (masked?.mask !== state.mask || masked.strokes !== state.strokes) mask = shownMask(state);
      masked = state;
      if (mask === null || !overlay || comparing) return;
      // Stairs show where a pixel is large, yet not shown as a square.
      const soft = !isPixelated(surface) && surface.scale() > 1.5;
      surface.put(veilOf(mask, soft), image);
    },
  };
}
