// Compressed bytes from the kernel.

/** What zlib compressed; fails unless it has exactly that many bytes. */
export async function inflate(bytes: Uint8Array, length: number): Promise<Uint8Array> {
  const { readable, writable } = new DecompressionStream("deflate");
  const writer = writable.getWriter();
  // What goes wrong in here goes wrong in the reading, too.
  const nothing = () => undefined;
  writer.write(bytes as Uint8Array<ArrayBuffer>).catch(nothing);
  writer.close().catch(nothing);

  const whole = new Uint8Array(length);
  let filled = 0;
  const reader = readable.getReader();
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    if (filled + piece.value.length > length) throw new Error(`more than ${length} bytes`);
    whole.set(piece.value, filled);
    filled += piece.value.length;
  }
  if (filled < length) throw new Error(`${filled} bytes instead of ${length}`);
  return whole;
}
