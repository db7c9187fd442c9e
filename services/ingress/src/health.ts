import type { Exchange } from './exchange.ts';
import type { Gateway } from './gateway.ts';

/** The event loop turns: that is all that liveness means. */
export function serveLive(exchange: Exchange): void {
  exchange.answerJson(200, '{"status":"live"}');
}

/** Ready while a snapshot is held and no drain has begun; Redis may be away (DESIGN 3). */
export function serveReady(exchange: Exchange, gateway: Gateway): void {
  const current = gateway.feed.current();
  const redis = gateway.feed.redisUp() ? 'up' : 'down';
  if (gateway.draining || current === null) {
    const status = gateway.draining ? 'draining' : 'no_configuration';
    exchange.answerJson(503, JSON.stringify({ status, redis }));
    return;
  }
  const { version, digest, simulated, models } = current.table;
  exchange.answerJson(
    200,
    JSON.stringify({ status: 'ready', version, digest, redis, simulated, models: models.size, pid: process.pid }),
  );
}
