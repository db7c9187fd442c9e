import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { test } from 'node:test';
import { freePort, requireFreePort } from './port.mjs';

test('a taken port is named, with the way to another', async () => {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = /** @type {net.AddressInfo} */ (server.address());
  try {
    for (const host of ['127.0.0.1', '0.0.0.0']) {
      await assert.rejects(
        requireFreePort({ port, host }),
        new RegExp(`Port ${port} is taken.*HEADGATE_PORT=\\d+ npm start`),
      );
    }
  } finally {
    server.close();
    await once(server, 'close');
  }
  await requireFreePort({ port, host: '0.0.0.0' });
});

test('an address that this machine does not have is named', async () => {
  await assert.rejects(requireFreePort({ port: 0, host: '192.0.2.1' }), /no address 192\.0\.2\.1.*server\.host/);
});

test('a free port is one that can be listened on', async () => {
  await requireFreePort({ port: await freePort(), host: '127.0.0.1' });
});
