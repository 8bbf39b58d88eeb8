// Icons: Lucide's (ISC licence), drawn in the colour of the text, and one of our own.

import {
  ArrowLeft,
  ArrowRight,
  Check,
  ChevronRight,
  ChevronsUpDown,
  CodeXml,
  Contrast,
  Copy,
  Dices,
  Download,
  Eraser,
  Eye,
  EyeOff,
  FlipVertical2,
  History,
  type IconNode,
  Lasso,
  Layers2,
  LayoutGrid,
  Maximize,
  Move,
  PaintBucket,
  Paintbrush,
  Pipette,
  Play,
  Plus,
  Redo2,
  RotateCcw,
  Slash,
  Square,
  SquareSplitHorizontal,
  Trash2,
  Undo2,
  Upload,
  WandSparkles,
  X,
} from "lucide";
import { h, type JSX } from "preact";

/** A handle and the way to its target. */
const Points: IconNode = [
  ["circle", { cx: 6, cy: 18, r: 3 }],
  ["path", { d: "M8.5 15.500 19 5" }],
  ["path", { d: "M12.500 5H19v6.500" }],
];

const ICONS = {
  points: Points,
  brush: Paintbrush,
  eraser: Eraser,
  lasso: Lasso,
  fit: Maximize,
  compare: SquareSplitHorizontal,
  undo: Undo2,
  redo: Redo2,
  reset: RotateCcw,
  code: CodeXml,
  save: Download,
  start: Play,
  stop: Square,
  dice: Dices,
  shown: Eye,
  hidden: EyeOff,
  invert: Contrast,
  clear: Trash2,
  close: X,
  copy: Copy,
  done: Check,
  arrow: ArrowRight,
  back: ArrowLeft,
  chevron: ChevronRight,
  choose: ChevronsUpDown,
  upload: Upload,
  fill: PaintBucket,
  line: Slash,
  pick: Pipette,
  move: Move,
  mirror: FlipVertical2,
  over: Layers2,
  restore: History,
  refine: WandSparkles,
  learn: Plus,
  batch: LayoutGrid,
} satisfies Record<string, IconNode>;

export type IconName = keyof typeof ICONS;

export function Icon({ name }: { name: IconName }): JSX.Element {
  return (
    <svg class="nb-icon" viewBox="0 0 24 24" aria-hidden="true">
      {ICONS[name].map(([tag, attributes]) => h(tag, attributes))}
    </svg>
  );
}
