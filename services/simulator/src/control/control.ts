import type { IncomingMessage, ServerResponse } from 'node:http';
import { DirectiveError } from '../faults/directives.ts';
import type { FaultRules, NewFaultRule } from '../faults/rules.ts';
import { readBody } from '../http/body.ts';
import type { Concurrency } from '../recording/concurrency.ts';
import type { Journal, RecordFilter } from '../recording/journal.ts';
import type { SimulatorStats } from '../recording/stats.ts';
import type { UsageLog } from '../recording/usageLog.ts';

const maxWaitMs = 60_000;
const maxBodyBytes = 1_048_576;

export interface ControlParts {
  readonly rules: FaultRules;
  readonly journal: Journal;
  readonly usage: UsageLog;
  readonly stats: () => SimulatorStats;
  readonly concurrency: Concurrency;
}

/** The `/__sim/` endpoints: faults from outside, what was received, and how the simulator is doing. */
export class ControlEndpoints {
  readonly #parts: ControlParts;

  constructor(parts: ControlParts) {
    this.#parts = parts;
  }

  serves(path: string): boolean {
    return path.startsWith('/__sim/');
  }

  async answer(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    try {
      const { status, value } = await this.#route(
        `${request.method} ${url.pathname}`,
        url.searchParams,
        request,
        response,
      );
      send(response, status, value);
    } catch (error) {
      if (!(error instanceof DirectiveError || error instanceof SyntaxError)) throw error;
      send(response, 400, { error: { message: error.message } });
    }
  }

  async #route(
    route: string,
    query: URLSearchParams,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<{ status: number; value: unknown }> {
    const { rules, journal, usage, stats, concurrency } = this.#parts;
    switch (route) {
      case 'POST /__sim/faults':
        return { status: 201, value: rules.add(await readRule(request)) };
      case 'GET /__sim/faults':
        return { status: 200, value: { faults: rules.list() } };
      case 'DELETE /__sim/faults':
        return { status: 200, value: { deleted: rules.clear(numberIn(query, 'id')) } };
      case 'GET /__sim/requests':
        return { status: 200, value: { requests: journal.find(filterOf(query)), lastSeq: journal.lastSeq } };
      case 'DELETE /__sim/requests':
        return { status: 200, value: { deleted: journal.clear(), lastSeq: journal.lastSeq } };
      case 'GET /__sim/requests/wait':
        return await this.#wait(query, response);
      case 'GET /__sim/usage':
        return { status: 200, value: { ...usage.report(), open: stats().openRequests } };
      case 'DELETE /__sim/usage':
        usage.clear();
        return { status: 200, value: {} };
      case 'GET /__sim/stats':
        return { status: 200, value: stats() };
      case 'DELETE /__sim/stats':
        concurrency.forgetPeaks();
        return { status: 200, value: {} };
      default:
        return { status: 404, value: { error: { message: `No such control endpoint: ${route}` } } };
    }
  }

  async #wait(query: URLSearchParams, response: ServerResponse): Promise<{ status: number; value: unknown }> {
    const { journal } = this.#parts;
    const count = numberIn(query, 'count') ?? 1;
    const timeoutMs = Math.min(numberIn(query, 'timeout') ?? 5000, maxWaitMs);
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const requests = await journal.wait(filterOf(query), count, timeoutMs, gone.signal);
    return { status: requests.length >= count ? 200 : 408, value: { requests, lastSeq: journal.lastSeq } };
  }
}

async function readRule(request: IncomingMessage): Promise<NewFaultRule> {
  const body = await readBody(request, maxBodyBytes);
  const rule: unknown = JSON.parse(body?.toString() ?? '');
  if (!isRule(rule))
    throw new DirectiveError('Expected {"match": {"model"?, "path"?}, "fault": {...}, "times": number|null}.');
  return rule;
}

function isRule(value: unknown): value is NewFaultRule {
  const isObject = (candidate: unknown) => typeof candidate === 'object' && candidate !== null;
  if (typeof value !== 'object' || value === null || !('fault' in value) || !isObject(value.fault)) return false;
  if ('match' in value && !isObject(value.match)) return false;
  return !('times' in value) || value.times === null || typeof value.times === 'number';
}

function filterOf(query: URLSearchParams): RecordFilter {
  const model = query.get('model');
  const path = query.get('path');
  const since = numberIn(query, 'since');
  const aborted = booleanIn(query, 'aborted');
  const ended = booleanIn(query, 'ended');
  return {
    ...(model === null ? {} : { model }),
    ...(path === null ? {} : { path }),
    ...(since === undefined ? {} : { since }),
    ...(aborted === undefined ? {} : { aborted }),
    ...(ended === undefined ? {} : { ended }),
  };
}

function numberIn(query: URLSearchParams, name: string): number | undefined {
  const value = query.get(name);
  if (value === null) return undefined;
  if (!/^\d+$/.test(value)) throw new DirectiveError(`'${name}' must be a whole number, got '${value}'.`);
  return Number(value);
}

function booleanIn(query: URLSearchParams, name: string): boolean | undefined {
  const value = query.get(name);
  if (value === null) return undefined;
  return value === '1' || value === 'true';
}

function send(response: ServerResponse, status: number, value: unknown): void {
  const text = JSON.stringify(value);
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
  response.end(text);
}
