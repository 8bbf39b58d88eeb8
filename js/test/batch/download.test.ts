import { describe, expect, it } from "vitest";
import { fetchFile, megabytes } from "../../src/batch/download";
import { LIMITS } from "../../src/batch/protocol.gen";

const { chunk } = LIMITS;
const FILE = Uint8Array.from({ length: 6.5 * chunk }, (_, i) => i % 251);

/** A kernel that answers when it is told to. */
function slowKernel() {
  const asked: { offset: number; answer(bytes: Uint8Array | null): void }[] = [];
  const fetch = (offset: number) =>
    new Promise<Uint8Array | null>((answer) => asked.push({ offset, answer }));
  /** Waits until so many pieces have been asked for. */
  const until = async (count: number) => {
    while (asked.length < count) await new Promise((resolve) => setTimeout(resolve));
  };
  return { asked, fetch, until };
}

const pieceAt = (offset: number) => FILE.slice(offset, offset + chunk);
const idle = () => new Promise((resolve) => setTimeout(resolve, 20));
const wanted = () => true;
const progress = () => undefined;

describe("a file", () => {
  it("comes in pieces, two at a time, that put together are the file", async () => {
    const { asked, fetch, until } = slowKernel();
    const told: number[] = [];
    const fetched = fetchFile(FILE.length, { fetch, wanted, progress: (n) => told.push(n) });
    for (let i = 0; i < 7; i++) {
      await until(Math.min(i + 2, 7));
      await idle();
      expect(asked).toHaveLength(Math.min(i + 2, 7));
      asked[i]?.answer(pieceAt(i * chunk));
    }
    const blob = await fetched;
    expect(asked.map(({ offset }) => offset)).toEqual([0, 1, 2, 3, 4, 5, 6].map((i) => i * chunk));
    expect(Buffer.from(await (blob as Blob).arrayBuffer()).equals(Buffer.from(FILE))).toBe(true);
    expect(told.at(-1)).toBe(FILE.length);
    expect(told).toEqual([...told].sort((a, b) => a - b));
  });

  it("is put together in its order, whichever piece comes first", async () => {
    const { asked, fetch, until } = slowKernel();
    const fetched = fetchFile(1.5 * chunk, { fetch, wanted, progress });
    await until(2);
    asked[1]?.answer(FILE.slice(chunk, 1.5 * chunk));
    await idle();
    asked[0]?.answer(pieceAt(0));
    const bytes = Buffer.from(await ((await fetched) as Blob).arrayBuffer());
    expect(bytes.equals(Buffer.from(FILE.slice(0, 1.5 * chunk)))).toBe(true);
  });

  it("is not asked for any further once nobody wants it", async () => {
    const { asked, fetch, until } = slowKernel();
    let want = true;
    const fetched = fetchFile(FILE.length, { fetch, wanted: () => want, progress });
    await until(2);
    want = false;
    asked[0]?.answer(pieceAt(0));
    expect(await fetched).toBeNull();
    expect(asked).toHaveLength(2);
  });

  it.each([
    ["is refused", null],
    ["is too short", FILE.slice(0, 10)],
    ["is too long", FILE.slice(0, chunk + 1)],
  ])("is none if a piece %s", async (_, bytes) => {
    const fetch = async (offset: number) => (offset ? bytes : pieceAt(0));
    expect(await fetchFile(3 * chunk, { fetch, wanted, progress })).toBeNull();
  });
});

it("is told in a unit that people read", () => {
  expect([812, 34_567, 5_250_000].map(megabytes)).toEqual(["812 bytes", "35 kB", "5.3 MB"]);
});
