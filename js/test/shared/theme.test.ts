// @vitest-environment jsdom

import { expect, it } from "vitest";
import { brightnessOf, watchTheme } from "../../src/shared/theme";

it("tells light colours from dark ones, and see-through ones from both", () => {
  expect(brightnessOf("rgb(255, 255, 255)")).toBeCloseTo(1);
  expect(brightnessOf("rgb(17, 20, 23)")).toBeLessThan(0.1);
  expect(brightnessOf("rgba(0, 0, 0, 0)")).toBeNull();
  expect(brightnessOf("transparent")).toBeNull();
});

it("follows the page behind the widget", async () => {
  const root = document.body.appendChild(document.createElement("div"));
  document.body.style.backgroundColor = "rgb(20, 20, 20)";
  const end = watchTheme(root);
  expect(root.dataset.theme).toBe("dark");
  document.body.style.backgroundColor = "rgb(250, 250, 250)";
  await Promise.resolve();
  expect(root.dataset.theme).toBe("light");
  end();
  document.body.style.backgroundColor = "rgb(20, 20, 20)";
  await Promise.resolve();
  expect(root.dataset.theme).toBe("light");
  root.remove();
});

it.each([
  ["class", "vscode-dark", "dark"],
  ["theme", "dark", "dark"],
  ["data-theme", "light", "light"],
  ["class", "darkroom", "light"],
])("where nothing is painted, goes by %s=%s", (attribute, name, theme) => {
  document.body.removeAttribute("style");
  document.body.setAttribute(attribute, name);
  const root = document.body.appendChild(document.createElement("div"));
  watchTheme(root)();
  expect(root.dataset.theme).toBe(theme);
  document.body.removeAttribute(attribute);
  root.remove();
});
