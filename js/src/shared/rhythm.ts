// Rhythm: calls made less often than they are asked for.

export interface Deferred {
  (): void;
  /** Makes the call that waits, if one does, now. */
  flush(): void;
  cancel(): void;
}

/** At most one call per `interval` ms; the first at once. */
export function throttle(call: () => void, interval: number): Deferred {
  let wanted = false;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const run = () => {
    timer = undefined;
    if (!wanted) return;
    wanted = false;
    timer = setTimeout(run, interval);
    call();
  };
  const ask = () => {
    wanted = true;
    if (timer === undefined) run();
  };
  return Object.assign(ask, {
    flush() {
      clearTimeout(timer);
      run();
    },
    cancel() {
      clearTimeout(timer);
      timer = undefined;
      wanted = false;
    },
  });
}

/** One call, once nothing has been asked for during `quiet` ms. */
export function debounce(call: () => void, quiet: number): Deferred {
  let timer: ReturnType<typeof setTimeout> | undefined;

  const run = () => {
    timer = undefined;
    call();
  };
  const ask = () => {
    clearTimeout(timer);
    timer = setTimeout(run, quiet);
  };
  return Object.assign(ask, {
    flush() {
      if (timer === undefined) return;
      clearTimeout(timer);
      run();
    },
    cancel() {
      clearTimeout(timer);
      timer = undefined;
    },
  });
}
