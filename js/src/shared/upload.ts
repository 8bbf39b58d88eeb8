// Sending a file of this machine to the kernel, in pieces.
//
// Two pieces are under way at a time, and the next is read only when one of them has been
// answered: so neither side ever holds more than these, however large the file, and a kernel that
// is busy makes the page wait.

import { LIMITS } from "./protocol.gen";

/** More don't make it faster, and what the user does meanwhile waits behind them. */
const UNDER_WAY = 2;

export interface Sending {
  /** Sends one piece; resolves with whether the kernel has taken it. */
  send(offset: number, bytes: ArrayBuffer): Promise<boolean>;
  /** Whether the kernel, or the user, still wants the file. */
  wanted(): boolean;
}

/** Sends a file from beginning to end; resolves with whether all of it was taken. */
export async function sendFile(file: Blob, { send, wanted }: Sending): Promise<boolean> {
  const answers: Promise<boolean>[] = [];
  for (let offset = 0; offset < file.size; offset += LIMITS.chunk) {
    if (answers.length >= UNDER_WAY && !(await answers.shift())) return false;
    const bytes = await file.slice(offset, offset + LIMITS.chunk).arrayBuffer();
    if (!wanted()) return false;
    answers.push(send(offset, bytes));
  }
  return (await Promise.all(answers)).every(Boolean);
}
