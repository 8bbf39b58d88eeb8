import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { startPulse } from "../../src/shared/pulse";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function pulse() {
  const options = { ready: vi.fn(), beat: vi.fn(), onChange: vi.fn() };
  return { ...options, pulse: startPulse(options) };
}

it("asks again a few times, and takes a page without an answer for a static one", () => {
  const { pulse: it, ready, onChange } = pulse();
  it.connect();
  expect(ready).toHaveBeenCalledTimes(1);
  vi.advanceTimersByTime(60_000);
  expect(ready).toHaveBeenCalledTimes(4);
  expect(onChange.mock.calls).toEqual([["static"]]);
  it.alive();
  expect(onChange).toHaveBeenLastCalledWith("live");
});

it("serves a model and its first view with one ready", () => {
  const { pulse: it, ready } = pulse();
  it.connect();
  it.connect();
  expect(ready).toHaveBeenCalledTimes(1);
  it.alive();
  vi.advanceTimersByTime(1000);
  it.connect();
  expect(ready).toHaveBeenCalledTimes(2);
});

it("sends one heartbeat when nothing comes, and none on top of it", () => {
  const { pulse: it, beat, onChange } = pulse();
  it.connect();
  it.alive();
  vi.advanceTimersByTime(60_000);
  expect(beat).toHaveBeenCalledTimes(1);
  expect(onChange).toHaveBeenLastCalledWith("silent");
  it.alive();
  expect(onChange).toHaveBeenLastCalledWith("live");
  vi.advanceTimersByTime(8000);
  expect(beat).toHaveBeenCalledTimes(2);
});

it("takes its own sleep for no silence of the kernel", () => {
  const { pulse: it, beat, onChange } = pulse();
  it.connect();
  it.alive();
  vi.setSystemTime(Date.now() + 3_600_000);
  vi.advanceTimersByTime(2000);
  expect(beat).toHaveBeenCalledTimes(1);
  expect(onChange.mock.calls).toEqual([["live"]]);
});

it("sends no heartbeat while frames come", () => {
  const { pulse: it, beat } = pulse();
  it.connect();
  for (let i = 0; i < 300; i++) {
    it.alive();
    vi.advanceTimersByTime(50);
  }
  expect(beat).not.toHaveBeenCalled();
});

it("knows a kernel that is gone, and one that came back", () => {
  const { pulse: it, onChange } = pulse();
  it.connect();
  it.alive();
  it.gone();
  expect(onChange).toHaveBeenLastCalledWith("gone");
  vi.advanceTimersByTime(60_000);
  expect(onChange).toHaveBeenLastCalledWith("gone");
  it.alive();
  expect(onChange).toHaveBeenLastCalledWith("live");
});
