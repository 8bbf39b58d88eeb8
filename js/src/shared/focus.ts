// The focus: when the focused element goes away (a deleted point, a button that is disabled now),
// browsers drop the focus to the page, and the keyboard with it. It then goes to a fallback inside
// the widget instead.

/** Keeps the focus inside `root` when its holder vanishes; returns what ends it. */
export function keepFocus(root: HTMLElement, fallback: () => HTMLElement | null): () => void {
  let holder: HTMLElement | null = null;
  const vanished = () => holder !== null && (!holder.isConnected || holder.matches(":disabled"));

  const activeElement = () => (root.getRootNode() as Document | ShadowRoot).activeElement;

  const onFocusIn = (event: FocusEvent) => {
    holder = event.target as HTMLElement;
  };
  const onFocusOut = () => {
    // Told apart a moment later: left for somewhere else, or taken away. A browser may say that an
    // element lost the focus just before it is removed.
    queueMicrotask(() => {
      if (!vanished() && !root.contains(activeElement())) holder = null;
    });
  };
  const observer = new MutationObserver(() => {
    if (!vanished()) return;
    holder = null;
    const active = activeElement();
    if (active === null || active === document.body) fallback()?.focus({ preventScroll: true });
  });

  root.addEventListener("focusin", onFocusIn);
  root.addEventListener("focusout", onFocusOut);
  observer.observe(root, { childList: true, subtree: true, attributeFilter: ["disabled"] });
  return () => {
    root.removeEventListener("focusin", onFocusIn);
    root.removeEventListener("focusout", onFocusOut);
    observer.disconnect();
  };
}
