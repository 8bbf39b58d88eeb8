declare module "*/dist/test/drag.js" {
  const widget: unknown;
  export default widget;
}

declare module "*/dist/test/paint.js" {
  const widget: unknown;
  export default widget;
}

declare module "*/dist/test/batch.js" {
  const widget: unknown;
  export default widget;
}
