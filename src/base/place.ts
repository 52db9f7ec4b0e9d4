/** Addresses as they are written, `host:port`, with brackets around IPv6. */

/** The host of such an address, without brackets. */
export function hostOf(place: string): string {
  const host = place.replace(/:\d+$/, '');
  return host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host;
}

/** True for the names and addresses of a machine that others cannot reach; `127.example.com` is anybody's. */
export function isLoopbackHost(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){1,3}$/.test(host);
}
