/** Variables of the environment, in whatever runtime has one. Deno asks for a permission (`--allow-env`); without it there is none. */

/** Undefined where it is not set, empty, or not to be had. */
export function environment(name: string): string | undefined {
  try {
    const { process } = globalThis as { process?: { env?: Record<string, string | undefined> } };
    const value = process?.env?.[name];
    return value === '' ? undefined : value;
  } catch {
    return undefined;
  }
}
