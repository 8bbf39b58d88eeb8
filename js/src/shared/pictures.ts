// Pictures: encoded bytes from the kernel, decoded by the browser off the main thread.

export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly source: CanvasImageSource;
  /** Frees the pixels; the picture must not be drawn afterwards. */
  close(): void;
}

/** Decodes an encoded picture; `type` is its MIME type. */
export async function decodePicture(bytes: Uint8Array, type: string): Promise<Picture> {
  const blob = toBlob(bytes, type);
  if (typeof createImageBitmap === "function") {
    const bitmap = await createImageBitmap(blob);
    return {
      width: bitmap.width,
      height: bitmap.height,
      source: bitmap,
      close: () => bitmap.close(),
    };
  }
  const url = URL.createObjectURL(blob);
  const image = new Image();
  image.src = url;
  await image.decode();
  return {
    width: image.naturalWidth,
    height: image.naturalHeight,
    source: image,
    close: () => URL.revokeObjectURL(url),
  };
}

export function toBlob(bytes: Uint8Array, type: string): Blob {
  return new Blob([bytes as Uint8Array<ArrayBuffer>], { type });
}

/** The MIME type that the first bytes tell: a saved still names none. */
export function sniffType(bytes: Uint8Array): string {
  if (bytes[0] === 0x89 && bytes[1] === 0x50) return "image/png";
  if (bytes[0] === 0xff && bytes[1] === 0xd8) return "image/jpeg";
  return "image/webp";
}
