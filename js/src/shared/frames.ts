// Frames from the kernel: newest wins, and acknowledgements pace the sender.
//
// The kernel may have 8 frames under way. The page decodes one at a time; a frame that arrives
// meanwhile replaces the one that waits, so a slow page drops frames instead of falling behind.
// Acknowledgements are cumulative ("all up to seq are dealt with") and leave on animation frames:
// after every fourth frame, at most `ACK_MS` after any (a slow drag must not look like a hidden
// page), and after a final one. A page that nobody sees sends none, so the kernel slows down and pauses; on
// its return the page acknowledges what it has and the stream goes on.

const ACK_EVERY = 4;
const ACK_MS = 120;

export interface FrameHeader {
  seq: number;
  final: boolean;
}

export interface FrameReceiverOptions<H extends FrameHeader, P> {
  decode(bytes: Uint8Array, header: H): Promise<P>;
  /** The newest picture, with the header that came with its pixels. */
  show(picture: P, header: H): void;
  ack(seq: number): void;
  visible(): boolean;
  onError(error: unknown): void;
  requestFrame?(callback: () => void): void;
  now?(): number;
}

export interface FrameReceiver<H> {
  receive(header: H, bytes: Uint8Array): void;
  /** To be called when the page may have become visible. */
  wake(): void;
  close(): void;
}

export function createFrameReceiver<H extends FrameHeader, P>(
  options: FrameReceiverOptions<H, P>,
): FrameReceiver<H> {
  const requestFrame = options.requestFrame ?? ((callback) => void requestAnimationFrame(callback));
  const now = options.now ?? (() => performance.now());
  let waiting: { header: H; bytes: Uint8Array } | null = null;
  let decoding = false;
  let closed = false;
  let shown: H | null = null;
  let acked = -1;
  let ackedAt = Number.NEGATIVE_INFINITY;
  let ackRequested = false;
  let later: ReturnType<typeof setTimeout> | null = null;

  const pump = async () => {
    if (decoding) return;
    decoding = true;
    while (waiting !== null && !closed) {
      const { header, bytes } = waiting;
      waiting = null;
      try {
        const picture = await options.decode(bytes, header);
        if (closed) return;
        options.show(picture, header);
      } catch (error) {
        options.onError(error);
      }
      shown = header;
      requestAck();
    }
    decoding = false;
  };

  const requestAck = () => {
    if (ackRequested || closed || shown === null || shown.seq === acked) return;
    if (!options.visible()) return;
    ackRequested = true;
    requestFrame(() => {
      ackRequested = false;
      if (closed || shown === null || !options.visible()) return;
      const early = ACK_MS - (now() - ackedAt);
      if (!shown.final && shown.seq - acked < ACK_EVERY && early > 0) {
        later ??= setTimeout(() => {
          later = null;
          requestAck();
        }, early);
        return;
      }
      acked = shown.seq;
      ackedAt = now();
      options.ack(acked);
    });
  };

  return {
    receive(header, bytes) {
      // A lower number means that the kernel began to count anew.
      if (header.seq < acked) acked = -1;
      waiting = { header, bytes };
      void pump();
    },
    wake() {
      ackedAt = Number.NEGATIVE_INFINITY;
      requestAck();
    },
    close() {
      closed = true;
      waiting = null;
      if (later !== null) clearTimeout(later);
    },
  };
}
