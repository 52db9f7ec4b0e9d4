/**
 * A crowd of strangers, as a process of its own: connections that say nothing, half a hello, or a byte now and then, and
 * that are made again a while after they were cut. Arguments: port, count. Prints a line when each has been connected once.
 */

const [port = '', count = ''] = process.argv.slice(2);
/** Until a connection that was cut is made again. */
const pauseMs = 500;
const trickleMs = 50;
const half = new Uint8Array([0, 0, 0, 14, 0, ...new TextEncoder().encode('octa')]);

let connectedOnce = 0;

async function connect(n: number, isFirst: boolean): Promise<void> {
  let timer: ReturnType<typeof setInterval> | undefined;
  const again = (): void => {
    clearInterval(timer);
    setTimeout(() => void connect(n, false), pauseMs);
  };
  try {
    const socket = await Bun.connect({
      hostname: '127.0.0.1',
      port: Number(port),
      socket: { data() {}, close: again, error() {} },
    });
    if (n % 3 === 1) socket.write(half);
    let at = 0;
    if (n % 3 === 2) timer = setInterval(() => void socket.write(half.subarray(at, ++at)), trickleMs);
  } catch {
    again();
  }
  if (isFirst && ++connectedOnce === Number(count)) console.log('all connected once');
}

for (let n = 0; n < Number(count); n++) void connect(n, true);
