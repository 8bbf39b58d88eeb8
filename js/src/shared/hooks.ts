// Hooks: a component sees the part of a store it asks for, and is drawn again when that changes.

import { useLayoutEffect, useRef, useState } from "preact/hooks";

interface Readable<S> {
  get(): S;
  subscribe(callback: () => void): () => void;
}

/** The selected part of the store; the component is drawn again when it changes (by `Object.is`). */
export function useSelect<S, T>(store: Readable<S>, select: (state: S) => T): T {
  const [, redraw] = useState(0);
  const value = select(store.get());
  const latest = useRef({ select, value });
  latest.current = { select, value };
  useLayoutEffect(() => {
    const check = () => {
      const { current } = latest;
      if (!Object.is(current.select(store.get()), current.value)) redraw((n) => n + 1);
    };
    check();
    return store.subscribe(check);
  }, [store]);
  return value;
}
