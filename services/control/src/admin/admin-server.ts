import { connectNodeAdapter } from '@connectrpc/connect-node';
import { Reports } from '@headgate/core/ledger';
import type { RedisClient } from '@headgate/core/redis';
import { redisKeys } from '@headgate/core/redis';
import { KeyStore } from '@headgate/core/snapshot';
import type { Logger } from '@headgate/core/telemetry';
import { KeyService, UsageService } from '@headgate/proto/admin';
import { type AdminRequest, AdminToken, refuse } from './access.ts';
import { Budgets, type GroupBudgets } from './budgets.ts';
import { failures } from './failures.ts';
import { Keys } from './key-service.ts';
import { type Listener, listen } from './listener.ts';
import { withPeer } from './peer.ts';
import { UsageReports } from './usage-service.ts';

const LARGEST_MESSAGE = 256 * 1024;
const REFUSALS_TOLD_EVERY_MS = 1_000;

export interface AdminServerOptions {
  readonly host: string;
  /** 0: any. */
  readonly port: number;
  readonly token: string;
  readonly client: RedisClient;
  readonly prefix: string;
  /** HEADGATE_SECRET. */
  readonly secret: string;
  readonly log: Logger;
  readonly groupBudgets: GroupBudgets;
}

/** The admin API: Connect (which is plain JSON over HTTP, too), gRPC and gRPC-Web on one port. */
export function startAdminServer(options: AdminServerOptions): Promise<Listener> {
  const { client, prefix, secret, log } = options;
  const store = new KeyStore(client, prefix);
  const reports = new Reports(client, redisKeys(prefix));
  const serve = connectNodeAdapter({
    routes: (router) => {
      router.service(KeyService, new Keys({ store, secret, log }));
      router.service(UsageService, new UsageReports(reports, new Budgets(store, reports, options.groupBudgets)));
    },
    interceptors: [failures(log)],
    contextValues: (request) => withPeer(request.socket.remoteAddress),
    readMaxBytes: LARGEST_MESSAGE,
    // A misspelt expiresAtMs must not make a key that never expires.
    jsonOptions: { ignoreUnknownFields: false },
  });
  const token = new AdminToken(options.token);
  const tellRefused = refusalLog(log);
  return listen(options.host, options.port, (request, response) => {
    if (token.isOn(request)) return serve(request, response);
    tellRefused(request);
    refuse(request, response);
  });
}

/** One line a second at most: whoever guesses tokens must not fill the log. */
function refusalLog(log: Logger): (request: AdminRequest) => void {
  let toldAt = Number.NEGATIVE_INFINITY;
  let untold = 0;
  return (request) => {
    untold += 1;
    if (performance.now() - toldAt < REFUSALS_TOLD_EVERY_MS) return;
    toldAt = performance.now();
    log.warn('admin token missing or wrong', { audit: true, requests: untold, peer: request.socket.remoteAddress });
    untold = 0;
  };
}
