// The theme: colours come from the host's CSS variables; where a host has none, from whether the
// page behind the widget is light or dark.

type Theme = "light" | "dark";

/** Keeps `data-theme` on the root as the page is, "light" or "dark"; returns what ends it. */
export function watchTheme(root: HTMLElement): () => void {
  const update = () => {
    root.dataset.theme = pageTheme(root);
  };
  update();
  const scheme = window.matchMedia?.("(prefers-color-scheme: dark)");
  scheme?.addEventListener?.("change", update);
  const observer = new MutationObserver(update);
  const attributes = {
    attributes: true,
    attributeFilter: [
      "class",
      "style",
      "data-theme",
      "theme",
      "data-jp-theme-light",
      "data-vscode-theme-kind",
    ],
  };
  observer.observe(document.documentElement, attributes);
  observer.observe(document.body, attributes);
  return () => {
    scheme?.removeEventListener?.("change", update);
    observer.disconnect();
  };
}

/** By the first opaque background behind the element, else by what the page calls itself. */
function pageTheme(element: HTMLElement): Theme {
  for (let at = parentOf(element); at !== null; at = parentOf(at)) {
    const brightness = brightnessOf(getComputedStyle(at).backgroundColor);
    if (brightness !== null) return brightness < 0.5 ? "dark" : "light";
  }
  const { documentElement, body } = document;
  return namedTheme(documentElement) ?? namedTheme(body) ?? unpaintedTheme();
}

/** By a class such as "dark" or "vscode-dark", or Colab's theme="dark". */
function namedTheme(element: Element): Theme | null {
  const names = [
    ...element.classList,
    element.getAttribute("theme"),
    element.getAttribute("data-theme"),
  ];
  if (names.some((name) => /(^|-)dark$/.test(name ?? ""))) return "dark";
  return names.some((name) => /(^|-)light$/.test(name ?? "")) ? "light" : null;
}

/** A page that paints no background is white; in a frame, another page may shine through. */
function unpaintedTheme(): Theme {
  const { colorScheme } = getComputedStyle(document.documentElement);
  const asSystem = colorScheme.includes("dark") || window.top !== window;
  const systemIsDark = window.matchMedia?.("(prefers-color-scheme: dark)").matches;
  return asSystem && systemIsDark ? "dark" : "light";
}

function parentOf(element: Element): Element | null {
  if (element.parentElement !== null) return element.parentElement;
  const root = element.getRootNode();
  return root instanceof ShadowRoot ? root.host : null;
}

/** 0 for black, 1 for white; null for a see-through or unknown colour. */
export function brightnessOf(colour: string): number | null {
  const match = /^rgba?\(([^)]+)\)$/.exec(colour);
  if (match?.[1] === undefined) return null;
  const [red = 0, green = 0, blue = 0, alpha = 1] = match[1].split(/[\s,/]+/).map(Number);
  if (alpha < 0.5) return null;
  return (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255;
}
