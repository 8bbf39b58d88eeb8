// The grid: all pictures, of which those in sight are in the document and asked for.

import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { useSelect } from "../shared/hooks";
import { throttle } from "../shared/rhythm";
import { type Batch, placeOf } from "./batch";
import { GAP, type Layout, layOut, MARGIN, placesIn, rowsInSight, scrollFor } from "./layout";
import { cellId, Tile } from "./tile";

const EXAMPLE = -1;
/** The kernel is told where one looks at most every so many ms. */
const LOOK_MS = 60;

interface GridProps {
  batch: Batch;
  /** Whether somebody can see this view. */
  seen: boolean;
  onLayout(layout: Layout): void;
}

export function Grid({ batch, seen, onLayout }: GridProps): JSX.Element {
  const { session, view } = batch;
  const grid = useRef<HTMLDivElement>(null);
  const [size, setSize] = useState({ width: 0, height: 0 });
  const [scrolled, setScrolled] = useState(0);
  const order = useSelect(session.store, (state) => state.order);
  const aspect = useSelect(session.store, ({ snapshot }) =>
    snapshot ? snapshot.model.height / snapshot.model.width : 1,
  );
  const active = useSelect(view, (state) => state.active);
  const layout = useMemo(
    () => layOut(size.width, order.length, aspect),
    [size.width, order.length, aspect],
  );
  onLayout(layout);

  useLayoutEffect(() => {
    const element = grid.current;
    if (element === null) return;
    const observer = new ResizeObserver(([entry]) => {
      if (entry) setSize({ width: entry.contentRect.width, height: entry.contentRect.height });
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  const [first, end] = rowsInSight(layout, scrolled, size.height);
  // A row above and below is there before it comes into sight.
  const rows = Array.from(
    { length: Math.max(0, Math.min(end + 1, layout.rows) - Math.max(0, first - 1)) },
    (_, i) => Math.max(0, first - 1) + i,
  );

  const sight = useMemo(() => {
    if (!seen || order.length === 0) return [];
    const inSight = placesIn(layout, first, end, order.length);
    const near = [
      ...placesIn(layout, end, Math.min(end + 1, layout.rows), order.length),
      ...placesIn(layout, Math.max(0, first - 1), first, order.length),
    ];
    const items = [...inSight, ...near].map((place) => order[place] ?? 0);
    return size.width > 0 ? [EXAMPLE, ...items] : [EXAMPLE];
  }, [seen, order, layout, first, end, size.width]);

  const looking = useRef<readonly number[]>([]);
  const tell = useMemo(
    () => throttle(() => session.look(batch.id, looking.current), LOOK_MS),
    [session, batch],
  );
  useEffect(() => {
    looking.current = sight;
    tell();
  }, [sight, tell]);
  useEffect(
    () => () => {
      tell.cancel();
      session.look(batch.id, []);
    },
    [session, batch, tell],
  );

  // The keyboard's tile is in sight.
  useEffect(() => {
    const place = placeOf(session.store.get(), active);
    if (grid.current === null || place < 0) return;
    const row = Math.floor(place / layout.columns);
    const { scrollTop, clientHeight } = grid.current;
    grid.current.scrollTop = scrollFor(layout, row, scrollTop, clientHeight);
  }, [active, session, layout]);

  const some = active !== null && rows.includes(Math.floor(order.indexOf(active) / layout.columns));
  return (
    // biome-ignore lint/a11y/useSemanticElements: a table can't be laid out row by row in sight
    <div
      ref={grid}
      class="nb-tiles"
      role="grid"
      tabIndex={0}
      aria-label="Pictures before and after. Arrows go from one to the next, Space includes it or not."
      aria-multiselectable="true"
      aria-rowcount={layout.rows}
      aria-colcount={layout.columns}
      aria-activedescendant={some ? cellId(batch, active) : undefined}
      data-testid="grid"
      data-columns={layout.columns}
      onScroll={({ currentTarget }) => setScrolled(currentTarget.scrollTop)}
      onFocus={() => active === null && view.dispatch({ active: order[0] ?? null })}
    >
      <div class="nb-all" role="presentation" style={`height: ${layout.total}px`}>
        {rows.map((row) => (
          // biome-ignore lint/a11y/useSemanticElements: as above
          // biome-ignore lint/a11y/useFocusableInteractive: the grid has the focus
          <div
            key={row}
            class="nb-tile-row"
            role="row"
            aria-rowindex={row + 1}
            style={`top: ${MARGIN + row * layout.pitch}px; left: ${MARGIN}px; gap: ${GAP}px`}
          >
            {placesIn(layout, row, row + 1, order.length).map((place, column) => {
              const item = order[place] ?? 0;
              return <Tile key={item} batch={batch} item={item} column={column} layout={layout} />;
            })}
          </div>
        ))}
      </div>
    </div>
  );
}
