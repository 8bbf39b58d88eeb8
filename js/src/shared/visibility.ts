// Visibility: whether somebody can see a view, so that unseen frames stop coming.

import type { Session } from "./session";

/** Tells the session whether somebody can see this view; returns what ends it. */
export function watchVisibility(root: HTMLElement, session: Session): () => void {
  let onScreen = true;
  const visible = () => onScreen && document.visibilityState !== "hidden";
  const removeView = session.addView(visible);
  const observer = new IntersectionObserver((entries) => {
    onScreen = entries.at(-1)?.isIntersecting ?? true;
    session.wake();
  });
  observer.observe(root);
  document.addEventListener("visibilitychange", session.wake);
  return () => {
    removeView();
    observer.disconnect();
    document.removeEventListener("visibilitychange", session.wake);
  };
}
