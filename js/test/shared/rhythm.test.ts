import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { debounce, throttle } from "../../src/shared/rhythm";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("throttle", () => {
  it("calls at once, then at most once per interval, and once at the end", () => {
    const call = vi.fn();
    const throttled = throttle(call, 34);
    throttled();
    expect(call).toHaveBeenCalledTimes(1);
    for (let i = 0; i < 100; i++) {
      throttled();
      vi.advanceTimersByTime(10);
    }
    const calls = call.mock.calls.length;
    expect(calls).toBeGreaterThan(25);
    expect(calls).toBeLessThanOrEqual(31);
    throttled();
    vi.advanceTimersByTime(1000);
    expect(call.mock.calls.length).toBe(calls + 1);
  });

  it("can be flushed and cancelled", () => {
    const call = vi.fn();
    const throttled = throttle(call, 34);
    throttled();
    throttled();
    throttled.flush();
    expect(call).toHaveBeenCalledTimes(2);
    throttled();
    throttled.cancel();
    vi.advanceTimersByTime(1000);
    expect(call).toHaveBeenCalledTimes(2);
  });
});

describe("debounce", () => {
  it("calls once it has been quiet", () => {
    const call = vi.fn();
    const debounced = debounce(call, 200);
    for (let i = 0; i < 10; i++) {
      debounced();
      vi.advanceTimersByTime(100);
    }
    expect(call).not.toHaveBeenCalled();
    vi.advanceTimersByTime(100);
    expect(call).toHaveBeenCalledTimes(1);
  });

  it("can be flushed and cancelled", () => {
    const call = vi.fn();
    const debounced = debounce(call, 200);
    debounced.flush();
    expect(call).not.toHaveBeenCalled();
    debounced();
    debounced.flush();
    expect(call).toHaveBeenCalledTimes(1);
    debounced();
    debounced.cancel();
    vi.advanceTimersByTime(1000);
    expect(call).toHaveBeenCalledTimes(1);
  });
});
