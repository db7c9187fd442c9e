import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from './connection.ts';
import { Histogram, nowUs } from './histogram.ts';
import { cpuPer, type Measurement, startMeter } from './meter.ts';
import { chatRequest, type Endpoint } from './request.ts';

export interface ClosedLoop {
  readonly connections: number;
  readonly seconds: number;
  /** Size of the request body; the small one when absent. */
  readonly bytes?: number;
  readonly mock?: string;
}

const SETTLE_MS = 400;
const RETRY_MS = 20;

/** Each connection sends its next request when the last one is answered. */
export async function closedLoop(endpoint: Endpoint, load: ClosedLoop): Promise<Measurement> {
  const request = chatRequest(endpoint, load);
  const latency = new Histogram();
  let requests = 0;
  let bad = 0;
  let measuring = false;

  const startOne = (): Connection => {
    let sentUs = 0;
    let status = 0;
    const next = (): void => {
      sentUs = nowUs();
      connection.send(request);
    };
    const connection = new Connection(endpoint.port, {
      onHead: (value) => {
        status = value;
      },
      onBody: () => {},
      onEnd: () => {
        if (measuring) {
          requests++;
          if (status === 200) latency.add(nowUs() - sentUs);
          else bad++;
        }
        next();
      },
      onFail: () => {
        if (measuring) bad++;
        setTimeout(next, RETRY_MS);
      },
    });
    next();
    return connection;
  };

  const connections = Array.from({ length: load.connections }, startOne);
  await sleep(SETTLE_MS);
  measuring = true;
  const read = startMeter(endpoint.pid, endpoint.loadCore);
  await sleep(load.seconds * 1000);
  measuring = false;
  const { seconds, cpuUs, values } = read();
  for (const connection of connections) connection.stop();
  return {
    rps: Math.round(latency.count / seconds),
    requests,
    bad,
    ...latency.quantiles(),
    ...cpuPer('cpu_us_req', cpuUs, requests),
    ...values,
  };
}
