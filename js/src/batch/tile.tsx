// One tile: a picture before, after, how much of the edit it gets, and a slider of its own.

import type { JSX } from "preact";
import { useSelect } from "../shared/hooks";
import { Icon } from "../shared/icons";
import { type Batch, reach, toggle } from "./batch";
import type { Layout } from "./layout";
import { Picture, usePair } from "./picture";
import { alphaOf, isEditable, isIncluded, isOwn, nameOf } from "./store";

interface TileProps {
  batch: Batch;
  item: number;
  column: number;
  layout: Layout;
}

export function Tile({ batch, item, column, layout }: TileProps): JSX.Element {
  const { session, view } = batch;
  const { store } = session;
  const alpha = useSelect(store, (state) => alphaOf(state, item));
  const own = useSelect(store, (state) => isOwn(state, item));
  const included = useSelect(store, (state) => isIncluded(state, item));
  const name = useSelect(store, (state) => nameOf(state, item));
  const active = useSelect(view, (state) => state.active === item);
  const comparing = useSelect(view, (state) => state.comparing);
  const { before, after } = usePair(session.tiles, item);
  const number = alpha.toFixed(2);
  const whether = included ? "included" : "left out";
  const { width, height } = layout;
  return (
    // biome-ignore lint/a11y/useSemanticElements: a table can't be laid out row by row in sight
    // biome-ignore lint/a11y/useFocusableInteractive: the grid has the focus and names its active cell
    <div
      class="nb-tile"
      role="gridcell"
      id={cellId(batch, item)}
      aria-colindex={column + 1}
      aria-selected={included}
      aria-label={`${name}, strength ${number}${own ? " of its own" : ""}, ${whether}`}
      style={`width: ${width}px; --width: ${width}px; --height: ${height}px`}
      data-testid={`tile-${item}`}
      data-item={item}
      data-active={active || undefined}
      data-included={included}
      data-alpha={after?.alpha.toFixed(4)}
      data-own={own || undefined}
    >
      {/* biome-ignore lint/a11y/useKeyWithClickEvents: the grid has the keys */}
      {/* biome-ignore lint/a11y/noStaticElementInteractions: it is the cell's own */}
      <div
        class="nb-pictures"
        title={`${name}: click to ${included ? "leave it out" : "include it"}`}
        data-testid={`pictures-${item}`}
        onClick={(event) => toggle(batch, item, event.shiftKey)}
      >
        <Picture shown={before} label={`${name} before`} testid={`before-${item}`} />
        <Picture
          shown={comparing ? before : after}
          label={`${name} after`}
          testid={`after-${item}`}
        />
        {!included && <Icon name="hidden" />}
      </div>
      <div class="nb-caption">
        <button
          type="button"
          class="nb-alpha"
          tabIndex={-1}
          title={own ? `${name}: a strength of its own` : name}
          onClick={() => view.dispatch({ active: item })}
        >
          α {signed(number)}
        </button>
        {own && (
          <button
            type="button"
            class="nb-automatic"
            tabIndex={active ? 0 : -1}
            aria-label={`Automatic strength for ${name}`}
            title="Automatic again (Del)"
            data-testid={`automatic-${item}`}
            onClick={() => session.override(item, null, false)}
          >
            <Icon name="reset" />
          </button>
        )}
      </div>
      <Own batch={batch} item={item} name={name} alpha={alpha} focusable={active} />
    </div>
  );
}

interface OwnProps {
  batch: Batch;
  item: number;
  name: string;
  alpha: number;
  focusable: boolean;
}

/** The slider of one picture; in sight where the hand is. */
function Own({ batch, item, name, alpha, focusable }: OwnProps): JSX.Element {
  const { session, view } = batch;
  const far = useSelect(session.store, reach);
  const can = useSelect(session.store, isEditable);
  const set = (input: HTMLInputElement, moving: boolean) =>
    session.override(item, input.valueAsNumber, moving);
  return (
    <input
      class="nb-slider nb-own"
      type="range"
      min={-far}
      max={far}
      step="any"
      value={alpha}
      disabled={!can}
      tabIndex={focusable ? 0 : -1}
      aria-label={`Strength of ${name}`}
      aria-valuetext={alpha.toFixed(2)}
      data-testid={`own-${item}`}
      onPointerDown={() => view.dispatch({ active: item })}
      onInput={({ currentTarget }) => set(currentTarget, true)}
      onChange={({ currentTarget }) => set(currentTarget, false)}
      onDblClick={() => session.override(item, null, false)}
    />
  );
}

export function cellId({ id }: Batch, item: number): string {
  return `nbdrag-${id}-${item}`;
}

/** With a minus that is as wide as a plus; and no negative zero. */
export function signed(number: string): string {
  return number === "-0.00" ? "0.00" : number.replace("-", "−");
}
