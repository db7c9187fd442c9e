/**
 * An OTLP/HTTP collector that takes everything and keeps nothing but counts, so that the gateway pays for its exports
 * and nobody else does. Prints `{"port":N}` when it listens; a GET answers `{"exports":N,"bytes":N}`.
 */
import { createServer } from 'node:http';

let exports = 0;
let bytes = 0;

const server = createServer((request, response) => {
  if (request.method === 'GET') {
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ exports, bytes }));
    return;
  }
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
  });
  request.on('end', () => {
    exports++;
    // An empty ExportTraceServiceResponse, which says that everything was taken, is zero bytes long.
    response.setHeader('content-type', 'application/x-protobuf').end();
  });
});

server.listen({ port: 0, host: '127.0.0.1' }, () => {
  const address = server.address();
  if (address !== null && typeof address === 'object') console.log(JSON.stringify({ port: address.port }));
});
