import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createFrameReceiver } from "../../src/shared/frames";

interface Header {
  seq: number;
  final: boolean;
}

const BYTES = new Uint8Array(1);

/** A receiver whose decoder takes `decodeMs`, on a screen of 60 Hz. */
function receiver({ decodeMs = 1 } = {}) {
  const shown: number[] = [];
  const acks: number[] = [];
  const errors: unknown[] = [];
  const page = { visible: true, broken: false };
  const frames = createFrameReceiver<Header, number>({
    decode: (_bytes, { seq }) =>
      new Promise((resolve, reject) =>
        setTimeout(() => (page.broken ? reject(new Error("bad")) : resolve(seq)), decodeMs),
      ),
    show: (seq) => void shown.push(seq),
    ack: (seq) => void acks.push(seq),
    visible: () => page.visible,
    onError: (error) => void errors.push(error),
    requestFrame: (callback) => void setTimeout(callback, 16),
    now: () => Date.now(),
  });
  const send = (seq: number, final = false) => frames.receive({ seq, final }, BYTES);
  return { frames, send, shown, acks, errors, page };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const wait = (ms: number) => vi.advanceTimersByTimeAsync(ms);

describe("frames", () => {
  it("are shown newest first when they come faster than they decode", async () => {
    const { send, shown } = receiver({ decodeMs: 50 });
    for (let seq = 1; seq <= 10; seq++) send(seq);
    await wait(200);
    expect(shown).toEqual([1, 10]);
  });

  it("are acknowledged together, about every fourth", async () => {
    const { send, acks } = receiver();
    for (let seq = 1; seq <= 60; seq++) {
      send(seq);
      await wait(17);
    }
    await wait(100);
    expect(acks.length).toBeGreaterThanOrEqual(14);
    expect(acks.length).toBeLessThanOrEqual(18);
    expect(acks).toEqual([...acks].sort((a, b) => a - b));
    // Never more than the kernel's window of 8 under way.
    for (const [i, seq] of acks.entries()) expect(seq - (acks[i - 1] ?? 0)).toBeLessThan(8);
  });

  it("of a slow drag are acknowledged before the kernel takes the page for a hidden one", async () => {
    const { send, acks } = receiver();
    for (let seq = 1; seq <= 5; seq++) {
      send(seq);
      await wait(200);
    }
    expect(acks).toEqual([1, 2, 3, 4, 5]);
  });

  it("at rest are acknowledged at once", async () => {
    const { send, acks } = receiver();
    send(1);
    await wait(20);
    send(2);
    await wait(20);
    send(3, true);
    await wait(20);
    expect(acks.at(-1)).toBe(3);
  });

  it("are acknowledged as dealt with when they were skipped or cannot be decoded", async () => {
    const { send, acks, errors, page } = receiver();
    page.broken = true;
    send(1);
    send(2, true);
    await wait(50);
    expect(acks.at(-1)).toBe(2);
    expect(errors).toHaveLength(2);
  });

  it("are not acknowledged on a page that nobody sees, and are again when it returns", async () => {
    const { frames, send, acks, page } = receiver();
    page.visible = false;
    for (let seq = 1; seq <= 30; seq++) {
      send(seq);
      await wait(20);
    }
    expect(acks).toEqual([]);
    page.visible = true;
    frames.wake();
    await wait(20);
    expect(acks).toEqual([30]);
  });

  it("are acknowledged again after the kernel began to count anew", async () => {
    const { send, acks } = receiver();
    send(40, true);
    await wait(20);
    send(1, true);
    await wait(20);
    expect(acks).toEqual([40, 1]);
  });

  it("that arrive after closing are dropped", async () => {
    const { frames, send, shown, acks } = receiver();
    send(1);
    frames.close();
    send(2);
    await wait(100);
    expect(shown).toEqual([]);
    expect(acks).toEqual([]);
  });
});
