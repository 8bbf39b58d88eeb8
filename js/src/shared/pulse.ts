// The pulse: whether somebody answers at the other end.
//
// `ready` is repeated a few times until the kernel answers (it may still be busy with the cell
// that made the widget). No answer at all: a static page, with no kernel behind it. Later a
// heartbeat goes out when nothing else has come for a while; none is sent on top of an unanswered
// one, so a busy kernel finds one in its queue and not hundreds.

const READY_AFTER_MS = [0, 1500, 5000, 15000];
const STATIC_AFTER_MS = 4000;
const BEAT_EVERY_MS = 4000;
const SILENT_AFTER_MS = 12000;

export type Connection = "connecting" | "live" | "silent" | "gone" | "static";

export interface PulseOptions {
  ready(): void;
  beat(): void;
  onChange(connection: Connection): void;
}

export interface Pulse {
  /** Asks the kernel for everything, as a page that has just come up does. */
  connect(): void;
  /** To be called for whatever comes from the kernel. */
  alive(): void;
  /** To be called when sending fails. */
  gone(): void;
  stop(): void;
}

export function startPulse(options: PulseOptions): Pulse {
  let connection: Connection = "connecting";
  let timers: ReturnType<typeof setTimeout>[] = [];
  let askedAt = Number.NEGATIVE_INFINITY;
  let lastLife = 0;
  let beatUnanswered = false;

  const become = (next: Connection) => {
    if (connection === next) return;
    connection = next;
    options.onChange(next);
  };

  const look = () => {
    if (connection !== "live" && connection !== "silent") return;
    const quiet = Date.now() - lastLife;
    // A page that slept has heard nothing either: what tells is a heartbeat without an answer.
    if (quiet >= SILENT_AFTER_MS && beatUnanswered) become("silent");
    if (quiet >= BEAT_EVERY_MS && !beatUnanswered) {
      beatUnanswered = true;
      options.beat();
    }
  };
  const watch = setInterval(look, BEAT_EVERY_MS / 2);

  const forget = () => {
    timers.forEach(clearTimeout);
    timers = [];
  };

  return {
    connect() {
      // A model and its first view come up together: one `ready` serves both.
      if (Date.now() - askedAt < 500) return;
      askedAt = Date.now();
      if (connection === "live" || connection === "silent") {
        options.ready();
        return;
      }
      forget();
      timers = READY_AFTER_MS.slice(1).map((ms) => setTimeout(options.ready, ms));
      timers.push(
        setTimeout(() => {
          if (connection === "connecting") become("static");
        }, STATIC_AFTER_MS),
      );
      options.ready();
    },
    alive() {
      forget();
      lastLife = Date.now();
      beatUnanswered = false;
      become("live");
    },
    gone() {
      forget();
      become("gone");
    },
    stop() {
      forget();
      clearInterval(watch);
    },
  };
}
