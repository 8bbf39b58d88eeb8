import { describe, expect, it, vi } from "vitest";
import { type Model, openWire, toBytes } from "../../src/shared/wire";

type Listener = (content: unknown, buffers?: (DataView | Uint8Array)[]) => void;

function fakeModel() {
  const sent: { kind: string; id?: number }[] = [];
  let listener: Listener | null = null;
  const model = {
    get: () => undefined,
    on: (_event: string, callback: Listener) => {
      listener = callback;
    },
    off: () => {
      listener = null;
    },
    send: vi.fn((message: { kind: string }) => void sent.push(message)),
  };
  const receive: Listener = (content, buffers) => listener?.(content, buffers);
  return { model: model as unknown as Model, send: model.send, sent, receive };
}

const options = () => ({ onMessage: vi.fn(), onLife: vi.fn(), onGone: vi.fn() });

describe("the wire", () => {
  it("gives every request its own id and resolves it by the reply", async () => {
    const { model, sent, receive } = fakeModel();
    const wire = openWire(model, options());
    const first = wire.ask({ kind: "start" });
    const second = wire.ask({ kind: "stop" });
    expect(sent[0]?.id).not.toBe(sent[1]?.id);
    receive({ kind: "reply", id: sent[1]?.id, ok: false, error: "no" });
    receive({ kind: "reply", id: sent[0]?.id, ok: true });
    expect((await first)?.reply).toMatchObject({ ok: true });
    expect((await second)?.reply).toMatchObject({ ok: false, error: "no" });
  });

  it("sends a buffer along, and says nothing of buffers where there is none", () => {
    const { model, send } = fakeModel();
    const wire = openWire(model, options());
    const bytes = Uint8Array.from([1, 2]).buffer;
    void wire.ask({ kind: "chunk" }, bytes);
    expect(send).toHaveBeenLastCalledWith(expect.objectContaining({ kind: "chunk" }), undefined, [
      bytes,
    ]);
    void wire.ask({ kind: "start" });
    expect(send.mock.lastCall).toHaveLength(1);
  });

  it("ignores other pages' replies and what is no message", () => {
    const { model, receive } = fakeModel();
    const heard = options();
    openWire(model, heard);
    for (const content of [
      null,
      7,
      "x",
      {},
      { kind: "reply", id: 1 },
      { kind: "reply", id: null },
    ]) {
      receive(content);
    }
    expect(heard.onMessage).not.toHaveBeenCalled();
  });

  it("says that the kernel is gone when sending throws, and leaves nobody waiting", async () => {
    const { model, send } = fakeModel();
    const heard = options();
    const wire = openWire(model, heard);
    const waiting = wire.ask({ kind: "start" });
    send.mockImplementation(() => {
      throw new Error("Kernel is dead");
    });
    expect(wire.tell({ kind: "heartbeat" })).toBe(false);
    expect(await wire.ask({ kind: "stop" })).toBeNull();
    expect(await waiting).toBeNull();
    expect(heard.onGone).toHaveBeenCalled();
  });

  it("stops listening when closed", () => {
    const { model, receive } = fakeModel();
    const heard = options();
    openWire(model, heard).close();
    receive({ kind: "beat" });
    expect(heard.onLife).not.toHaveBeenCalled();
  });
});

describe("buffers", () => {
  const bytes = Uint8Array.from([9, 8, 7, 6]);

  it.each([
    ["DataView", new DataView(bytes.buffer, 1, 2)],
    ["Uint8Array", bytes.subarray(1, 3)],
    ["ArrayBuffer", bytes.slice(1, 3).buffer],
  ])("are read from a %s", (_name, buffer) => {
    expect([...toBytes(buffer)]).toEqual([8, 7]);
  });
});
