import { describe, expect, it } from "vitest";
import { LIMITS } from "../../src/shared/protocol.gen";
import { sendFile } from "../../src/shared/upload";

const { chunk } = LIMITS;
const file = new Blob([Uint8Array.from({ length: 6.5 * chunk }, (_, i) => i % 251)]);

/** A kernel that answers when it is told to. */
function slowKernel() {
  const pieces: { offset: number; bytes: Uint8Array; answer(taken: boolean): void }[] = [];
  const send = (offset: number, bytes: ArrayBuffer) =>
    new Promise<boolean>((answer) => pieces.push({ offset, bytes: new Uint8Array(bytes), answer }));
  /** Waits until so many pieces have come. */
  const until = async (count: number) => {
    while (pieces.length < count) await new Promise((resolve) => setTimeout(resolve));
  };
  return { pieces, send, until };
}

const idle = () => new Promise((resolve) => setTimeout(resolve, 20));

describe("a file", () => {
  it("goes out in pieces that put together are the file", async () => {
    const { pieces, send, until } = slowKernel();
    const sent = sendFile(file, { send, wanted: () => true });
    for (let i = 0; i < 7; i++) {
      await until(i + 1);
      pieces[i]?.answer(true);
    }
    expect(await sent).toBe(true);
    expect(pieces.map(({ offset }) => offset)).toEqual([0, 1, 2, 3, 4, 5, 6].map((i) => i * chunk));
    const together = new Blob(pieces.map(({ bytes }) => bytes as Uint8Array<ArrayBuffer>));
    expect(together.size).toBe(file.size);
    expect(Buffer.from(await together.arrayBuffer()).equals(await bufferOf(file))).toBe(true);
  });

  it("waits for the kernel: at most two pieces are under way", async () => {
    const { pieces, send, until } = slowKernel();
    const sent = sendFile(file, { send, wanted: () => true });
    await until(2);
    await idle();
    expect(pieces).toHaveLength(2);
    pieces[0]?.answer(true);
    await until(3);
    await idle();
    expect(pieces).toHaveLength(3);
    pieces[1]?.answer(false);
    expect(await sent).toBe(false);
    expect(pieces).toHaveLength(3);
  });

  it("is not sent on once nobody wants it", async () => {
    const { pieces, send, until } = slowKernel();
    let wanted = true;
    const sent = sendFile(file, { send, wanted: () => wanted });
    await until(2);
    wanted = false;
    pieces[0]?.answer(true);
    expect(await sent).toBe(false);
    expect(pieces).toHaveLength(2);
  });

  it("was not taken if the kernel refuses its last piece", async () => {
    const small = file.slice(0, 10);
    expect(await sendFile(small, { send: async () => false, wanted: () => true })).toBe(false);
    expect(await sendFile(small, { send: async () => true, wanted: () => true })).toBe(true);
  });
});

async function bufferOf(blob: Blob): Promise<Buffer> {
  return Buffer.from(await blob.arrayBuffer());
}
