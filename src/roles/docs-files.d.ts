/** Files that are embedded as they are; what stands for them is where they are. */
declare module 'swagger-ui-dist/*' {
  const path: string;
  export = path;
}
declare module '*/docs-page/start.js' {
  const path: string;
  export = path;
}
declare module '*/docs-page/page.css' {
  const path: string;
  export = path;
}
declare module '*/docs-page/page.htm' {
  const path: string;
  export = path;
}
