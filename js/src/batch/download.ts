// Fetching a file of the kernel's machine, in pieces, and handing it to the browser to be saved.
//
// The mirror image of an upload: two pieces are under way at a time, and the next is asked for only
// when one of them has come. Each goes into a Blob at once, which the browser keeps where it likes,
// on the disk if it is large; so this page never holds more than two of them itself.

import { LIMITS } from "./protocol.gen";

/** More don't make it faster, and what the user does meanwhile waits behind them. */
const UNDER_WAY = 2;
/** After so long a piece is asked for once more: the answer may have been lost with a connection. */
const PATIENCE_MS = 60_000;
/** How long a browser may take until it has begun to save. */
const SAVING_MS = 60_000;

export interface Fetching {
  /** Fetches the bytes from `offset` on, a chunk at most; null if they can't be had. */
  fetch(offset: number): Promise<Uint8Array | null>;
  /** Whether the user still wants the file. */
  wanted(): boolean;
  /** Told after each piece how many bytes are here. */
  progress(bytes: number): void;
}

/** Fetches a file of so many bytes; resolves with null if not all of it could be had. */
export async function fetchFile(
  size: number,
  { fetch, wanted, progress }: Fetching,
): Promise<Blob | null> {
  const coming: Promise<Uint8Array | null>[] = [];
  const pieces: Blob[] = [];
  let asked = 0;
  let here = 0;
  while (here < size) {
    while (asked < size && coming.length < UNDER_WAY) {
      coming.push(fetch(asked));
      asked += LIMITS.chunk;
    }
    const bytes = await coming.shift();
    const expected = Math.min(LIMITS.chunk, size - here);
    if (!wanted() || bytes?.length !== expected) return null;
    pieces.push(new Blob([bytes as Uint8Array<ArrayBuffer>]));
    here += expected;
    progress(here);
  }
  return new Blob(pieces);
}

/** Asks, and asks again while no answer comes; the first one counts. Null once nobody wants it. */
export async function insist<T>(
  ask: () => Promise<T | null>,
  wanted: () => boolean,
): Promise<T | null> {
  const answers: Promise<T | null>[] = [];
  while (wanted()) {
    answers.push(ask());
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<"late">((resolve) => {
      timer = setTimeout(resolve, PATIENCE_MS, "late");
    });
    const first = await Promise.race([...answers, late]);
    clearTimeout(timer);
    if (first !== "late") return first;
  }
  return null;
}

/** Has the browser save a file, as if a link had been clicked. */
export function saveAs(file: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), SAVING_MS);
}

/** A number of bytes for people. */
export function megabytes(bytes: number): string {
  if (bytes < 1e3) return `${bytes} bytes`;
  return bytes < 1e6 ? `${Math.round(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
