/**
 * A process of the network tests: one end of a QUIC connection. `listen PORT` sends back what it hears; `dial HOST PORT`
 * sends a byte each 50 ms and tells by lines how many came back, and how the connection ended.
 */

import { linkLimits } from '../../src/runtime/links.ts';
import { createQuicTransport, quicLimits } from '../../src/runtime/quic.ts';

const [verb, ...rest] = process.argv.slice(2);
const transport = createQuicTransport({ ...linkLimits, ...quicLimits });

if (verb === 'listen') {
  await transport.listen({ host: '0.0.0.0', port: Number(rest[0]) }, (carrier) => {
    console.log(`taken ${carrier.remoteHost}`);
    return { onData: (lane, chunk) => carrier.write(lane, chunk), onDrain() {}, onClose: () => console.log('closed') };
  });
  console.log('listening');
} else {
  const [host = '', port = ''] = rest;
  let echoes = 0;
  await transport.dial({ host, port: Number(port), timeoutMs: 5000 }, (carrier) => {
    const timer = setInterval(() => carrier.write('control', Uint8Array.of(1)), 50);
    return {
      onData(_lane, { length }) {
        echoes += length;
        console.log(`echoes ${echoes}`);
      },
      onDrain() {},
      onClose({ cause }) {
        clearInterval(timer);
        console.log(`ended ${cause}`);
      },
    };
  });
}
