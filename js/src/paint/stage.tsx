// The stages: the part map and the picture side by side, or one over the other, seen and painted
// through one viewport.

import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import type { Gestures } from "../shared/gestures";
import { useSelect } from "../shared/hooks";
import type { OpenMenu } from "../shared/pointers";
import { Crosshair, Stage } from "../shared/stage";
import { isEditable, isLive } from "../shared/store";
import { type Point, toStage } from "../shared/viewport";
import { createMapScene, createPictureScene, createShownMap } from "./canvas";
import { movedParts, type Painter } from "./editor";
import { GRIPS, pick, placeOf } from "./gestures";
import { boxOf, type PartMap, partAt } from "./labels";
import { nameOf } from "./parts";
import { isPaintable } from "./store";

interface Props {
  painter: Painter;
  gestures: Gestures;
}

const KEYS = "Digits choose a part, arrow keys move a crosshair, Enter begins and ends a stroke.";

export function Stages({ painter, gestures }: Props): JSX.Element {
  const { session, view } = painter;
  const paintable = useSelect(session.store, isPaintable);
  // A notebook may be saved before the parts are known: then there is no map to show.
  const none = useSelect(session.store, (state) => !isLive(state) && !isPaintable(state));
  const over = useSelect(view, (v) => v.over) || none;
  const shown = useMemo(() => createShownMap(painter), [painter]);
  const mapScene = useMemo(() => createMapScene(painter, shown), [painter, shown]);
  const pictureScene = useMemo(() => createPictureScene(painter, shown), [painter, shown]);
  const openMenu: OpenMenu = (at) => {
    const map = shown();
    gestures.cancel();
    if (map !== null) pick(painter, map, at);
  };
  const common = { editor: painter, gestures, openMenu, keys: KEYS };
  return (
    <div class="nb-stages" data-over={over || undefined} data-paintable={paintable || undefined}>
      {!over && (
        <Stage
          {...common}
          scene={mapScene}
          name="Part map"
          shows="The parts of the picture, each in its colour"
          testid="map-"
        >
          {paintable ? (
            <Overlay painter={painter} shown={shown} names />
          ) : (
            <NoMap painter={painter} />
          )}
        </Stage>
      )}
      <Stage
        {...common}
        scene={pictureScene}
        name="Picture"
        shows={over ? "The generated picture, and its parts over it" : "The generated picture"}
      >
        <Overlay painter={painter} shown={shown} names={over} />
      </Stage>
    </div>
  );
}

/** Why there is nothing to paint on. */
function NoMap({ painter }: { painter: Painter }): JSX.Element | null {
  const { store } = painter.session;
  const known = useSelect(store, ({ snapshot }) => snapshot !== null);
  const parts = useSelect(store, (state) => state.parts.length);
  if (!known) return null;
  const why = parts > 0 ? "Looking for the parts…" : "Nothing tells this generator's parts.";
  return <p class="nb-empty">{why}</p>;
}

interface OverlayProps {
  painter: Painter;
  shown: () => PartMap | null;
  /** Whether the part under the pointer is named. */
  names: boolean;
}

/** The brush's outline, an outline being clicked, the box of the move tool, and the crosshair. */
function Overlay({ painter, shown, names }: OverlayProps): JSX.Element | null {
  const { session, view } = painter;
  const state = useSelect(session.store, (s) => s);
  const own = useSelect(view, (v) => v);
  if (!isEditable(state) || own.stage.width === 0 || own.comparing) return null;

  const map = shown();
  const viewport = painter.viewport();
  const at = (point: Point) => toStage(viewport, point);
  const cursor = own.crosshair?.at ?? own.hover;
  const radius = painter.radius() * viewport.scale;
  const drawn = state.strokes.at(-1)?.stroke;
  const brushes = own.tool === "brush" || own.tool === "eraser" || own.tool === "line";
  const under = map && cursor && partAt(map, cursor);
  const mirrored = own.mirror && cursor && at([painter.imageSize().width - cursor[0], cursor[1]]);

  return (
    <div class="nb-overlay">
      <svg class="nb-lines" aria-hidden="true">
        {own.mirror && <Axis painter={painter} />}
        {drawn?.kind === "paint_labels" && drawn.tool.startsWith("lasso") && (
          <Outline points={drawn.path.map(at)} closed />
        )}
        {own.corners.length > 0 && (
          <Outline points={[...own.corners, ...(cursor ? [cursor] : [])].map(at)} corners />
        )}
        {brushes && map && cursor && <Circle at={at(cursor)} radius={radius} />}
        {brushes && map && mirrored && <Circle at={mirrored} radius={radius} faint />}
        {own.tool === "move" && map !== null && <MoveBox painter={painter} map={map} />}
        {own.crosshair && <Crosshair at={at(own.crosshair.at)} />}
      </svg>
      {names && typeof under === "number" && state.parts[under] && (
        <span class="nb-under" data-testid="under">
          <i class="nb-swatch" style={`background: ${state.parts[under].colour}`} />
          {nameOf(state.parts[under])}
        </span>
      )}
    </div>
  );
}

/** Dashed in black on white, so that it shows on any part. */
function Circle({ at: [cx, cy], radius: r, faint }: CircleProps): JSX.Element {
  return (
    <g class={faint ? "nb-ring nb-faint" : "nb-ring"}>
      <circle class="nb-ring-edge" cx={cx} cy={cy} r={r} />
      <circle class="nb-ring-dash" cx={cx} cy={cy} r={r} />
    </g>
  );
}

interface CircleProps {
  at: Point;
  radius: number;
  faint?: boolean;
}

function Outline({ points, closed, corners }: OutlineProps): JSX.Element {
  const along = points.map((point) => point.join()).join(" ");
  const Shape = closed ? "polygon" : "polyline";
  return (
    <g class="nb-ring">
      <Shape class="nb-ring-edge" points={along} />
      <Shape class="nb-ring-dash" points={along} />
      {corners && points.slice(0, -1).map(([x, y], i) => <Dot key={i} at={[x, y]} />)}
    </g>
  );
}

interface OutlineProps {
  points: readonly Point[];
  closed?: boolean;
  corners?: boolean;
}

function Dot({ at: [x, y] }: { at: Point }): JSX.Element {
  return <rect class="nb-grip" x={x - 3.5} y={y - 3.5} width={7} height={7} />;
}

function MoveBox({ painter, map }: { painter: Painter; map: PartMap }): JSX.Element | null {
  const box = boxOf(map, movedParts(painter.view.get()));
  if (box === null) return null;
  const at = (point: Point) => toStage(painter.viewport(), point);
  const [left, top] = at([box.left, box.top]);
  const [right, bottom] = at([box.right, box.bottom]);
  const rectangle = { x: left, y: top, width: right - left, height: bottom - top };
  return (
    <g class="nb-ring">
      <rect class="nb-ring-edge" {...rectangle} />
      <rect class="nb-ring-dash" {...rectangle} />
      {GRIPS.map((grip) => (
        <Dot key={grip.join()} at={at(placeOf(box, grip))} />
      ))}
    </g>
  );
}

/** The line that both sides are mirrored at. */
function Axis({ painter }: { painter: Painter }): JSX.Element {
  const { width, height } = painter.imageSize();
  const [x, top] = toStage(painter.viewport(), [width / 2, 0]);
  const [, bottom] = toStage(painter.viewport(), [width / 2, height]);
  return (
    <g class="nb-ring nb-faint">
      <line class="nb-ring-edge" x1={x} y1={top} x2={x} y2={bottom} />
      <line class="nb-ring-dash" x1={x} y1={top} x2={x} y2={bottom} />
    </g>
  );
}
