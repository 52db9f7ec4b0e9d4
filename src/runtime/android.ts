/** Whether this is Android: Linux programs run there too, but what is forbidden them kills instead of failing. */
export function isAndroid(): boolean {
  return process.platform === 'android' || (process.platform === 'linux' && process.env.ANDROID_ROOT !== undefined);
}
