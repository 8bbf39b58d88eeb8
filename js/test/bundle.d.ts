declare module "*/dist/test/drag.js" {
  const widget: unknown;
  export default widget;
}
