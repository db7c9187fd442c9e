import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { claimPort, type PortClaim } from './port-guard.ts';

const HOST = '127.0.0.1';

describe('claimPort', () => {
  const claims: PortClaim[] = [];
  const servers: Server[] = [];
  afterEach(async () => {
    await Promise.all(claims.splice(0).map((claim) => claim.release()));
    for (const server of servers.splice(0)) server.close();
  });

  async function claim(port: number, host = HOST): Promise<PortClaim> {
    const claimed = await claimPort(host, port);
    claims.push(claimed);
    return claimed;
  }

  async function listen(port: number): Promise<Server> {
    const server = createServer();
    servers.push(server);
    await once(server.listen(port, HOST), 'listening');
    return server;
  }

  /** A port that was free a moment ago. */
  async function freePort(): Promise<number> {
    const server = await listen(0);
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }

  it('leaves the port free for the workers', async () => {
    const port = await freePort();
    await claim(port);
    assert.ok((await listen(port)).listening);
  });

  it('refuses a port on which anything listens, and says how to go on', async () => {
    const server = await listen(0);
    const { port } = server.address() as AddressInfo;
    await assert.rejects(claim(port), new RegExp(`^Error: Port ${port} is taken: .*HEADGATE_PORT or server\\.port`));
    await new Promise((resolve) => server.close(resolve));
    await claim(port);
  });

  it('gives the port to one of two that start together', { skip: process.platform !== 'linux' }, async () => {
    const port = await freePort();
    const results = await Promise.allSettled([claim(port), claim(port), claim(port, '0.0.0.0')]);
    assert.deepEqual(results.map(({ status }) => status).sort(), ['fulfilled', 'rejected', 'rejected']);
    for (const result of results) if (result.status === 'rejected') assert.match(String(result.reason), /is taken/);
  });

  it('holds it until it is released', { skip: process.platform !== 'linux' }, async () => {
    const port = await freePort();
    const first = await claim(port);
    await assert.rejects(claim(port), /is taken/);
    await first.release();
    await claim(port);
  });

  it('knows other reasons', async () => {
    await assert.rejects(claim(await freePort(), '203.0.113.7'), /203\.0\.113\.7 is no address of this machine/);
    await assert.rejects(claim(await freePort(), 'no-such-host.invalid'), /no-such-host\.invalid/);
  });
});
