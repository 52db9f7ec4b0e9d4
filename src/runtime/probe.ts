/** Whether anybody listens at an address: one connection, closed at once without a word. */
export async function acceptsConnections(address: { readonly host: string; readonly port: number }): Promise<boolean> {
  try {
    const socket = await Bun.connect({ hostname: address.host, port: address.port, socket: { data: () => undefined } });
    socket.terminate();
    return true;
  } catch {
    return false;
  }
}
