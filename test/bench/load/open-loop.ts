import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from './connection.ts';
import { Histogram, nowUs } from './histogram.ts';
import { cpuPer, type Measurement, startMeter } from './meter.ts';
import { chatRequest, type Endpoint } from './request.ts';

export interface OpenLoop {
  /** Requests per second. */
  readonly rate: number;
  readonly seconds: number;
}

const WARM_CONNECTIONS = 8;
const MAX_CONNECTIONS = 256;
const SETTLE_MS = 300;

/**
 * Sends at a fixed rate whatever the server does. Latency counts from the planned moment of sending, so that a server
 * that stalls cannot hide the requests which it kept from being sent.
 */
export async function openLoop(endpoint: Endpoint, { rate, seconds }: OpenLoop): Promise<Measurement> {
  const request = chatRequest(endpoint, {});
  const latency = new Histogram();
  const all: Connection[] = [];
  const idle: ((plannedUs: number) => void)[] = [];
  let bad = 0;

  const open = (): ((plannedUs: number) => void) => {
    let plannedUs = 0;
    let status = 0;
    const send = (planned: number): void => {
      plannedUs = planned;
      connection.send(request);
    };
    const connection = new Connection(endpoint.port, {
      onHead: (value) => {
        status = value;
      },
      onBody: () => {},
      onEnd: () => {
        if (status === 200) latency.add(nowUs() - plannedUs);
        else bad++;
        idle.push(send);
      },
      onFail: () => {
        bad++;
        idle.push(send);
      },
    });
    all.push(connection);
    return send;
  };

  for (let i = 0; i < WARM_CONNECTIONS; i++) open()(nowUs());
  await sleep(SETTLE_MS);
  latency.clear();
  bad = 0;
  const read = startMeter(endpoint.pid, endpoint.loadCore);
  const total = Math.round(rate * seconds);
  await atRate(rate, total, (plannedUs) => {
    const send = idle.pop() ?? (all.length < MAX_CONNECTIONS ? open() : undefined);
    if (send === undefined) bad++;
    else send(plannedUs);
  });
  await sleep(SETTLE_MS);
  const { cpuUs, values } = read();
  for (const connection of all) connection.stop();
  const unanswered = Math.max(0, total - latency.count - bad);
  return {
    rate,
    requests: total,
    bad: bad + unanswered,
    ...latency.quantiles(),
    ...cpuPer('cpu_us_req', cpuUs, total),
    ...values,
  };
}

/** Calls `send` `total` times, evenly, with the microsecond at which each call was due. */
function atRate(rate: number, total: number, send: (plannedUs: number) => void): Promise<void> {
  const startUs = nowUs();
  const gapUs = 1e6 / rate;
  let sent = 0;
  const { promise, resolve } = Promise.withResolvers<void>();
  const tick = (): void => {
    const now = nowUs();
    for (; sent < total && startUs + sent * gapUs <= now; sent++) send(startUs + sent * gapUs);
    if (sent === total) {
      resolve();
      return;
    }
    const waitUs = startUs + sent * gapUs - nowUs();
    if (waitUs > 1500) setTimeout(tick, (waitUs - 1000) / 1000);
    else setImmediate(tick);
  };
  tick();
  return promise;
}
