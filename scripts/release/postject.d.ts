/** What is used of postject, which brings no types. */
declare module 'postject' {
  /** Adds `data` to the program `file` under a name by which it finds it, and flips the fuse that says so. */
  export function inject(
    file: string,
    name: string,
    data: Uint8Array,
    options: { readonly sentinelFuse: string },
  ): Promise<void>;
}
