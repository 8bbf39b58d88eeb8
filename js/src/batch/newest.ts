// The newest value wins: one request is under way at a time, and when it is answered the newest
// value goes, whatever came in between.

export type Newest<T> = (value: T) => void;

/** Sends values by `send`, one after the other, and of those that wait the newest only. */
export function createNewest<T>(send: (value: T) => Promise<unknown>): Newest<T> {
  let waiting: { value: T } | null = null;
  let sending = false;

  const run = async () => {
    if (sending) return;
    sending = true;
    while (waiting !== null) {
      const { value } = waiting;
      waiting = null;
      await send(value);
    }
    sending = false;
  };

  return (value) => {
    waiting = { value };
    void run();
  };
}
