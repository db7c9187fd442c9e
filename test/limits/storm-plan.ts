import assert from 'node:assert/strict';
import type { ReceivedRequest, SimulatorProcess } from '../support/simulator-process.ts';
import type { Call, Clients, Crowd } from './storm-clients.ts';
import { type Amount, burst, openAtOnce, overshoot, type Witness } from './storm-witness.ts';

/** Of an answer; a request reserves twice as many. */
const TOKENS = 4;
const MINUTE_MS = 60_000;
/** Dollars a token of an answer; prompts cost nothing. */
const PRICE = 0.001;

export interface KeyPlan {
  readonly name: string;
  readonly limits?: Partial<Record<'requestsPerMinute' | 'tokensPerMinute' | 'concurrency', number>>;
  readonly usd?: number;
  /** How long the provider takes for an answer. */
  readonly takesMs?: number;
}

/** headgate.yaml with one model a key, which the provider knows by the key's name: so the simulator can tell who asks. */
export function configuration(
  simulator: SimulatorProcess | undefined,
  keys: readonly KeyPlan[],
): Record<string, unknown> {
  assert.ok(simulator);
  return {
    server: { keepAliveCommentMs: 0 },
    auth: {
      keys: keys.map(({ name, limits, usd }) => ({
        name,
        key: keyOf(name),
        ...(limits ? { limits } : {}),
        ...(usd === undefined ? {} : { budget: { usd: String(usd), window: 'total', mode: 'hard' } }),
      })),
    },
    providers: { simulator: { dialect: 'openai', baseUrl: simulator.baseUrl, apiKey: 'sk-test' } },
    models: keys.map(({ name }) => ({
      id: modelOf(name),
      endpoints: [{ provider: 'simulator', model: name, pricing: { input: '0', output: String(PRICE) } }],
    })),
  };
}

export const keyOf = (name: string): string => `hg_storm_${name}`;
export const modelOf = (name: string): string => `test/${name}`;

export const bodyOf = ({ name, takesMs = 0 }: KeyPlan) => ({
  model: modelOf(name),
  max_tokens: TOKENS * 2,
  messages: [{ role: 'user', content: `[[sim tokens=${TOKENS} ttft=1 tps=1000 slow=${takesMs}]] Go` }],
});

export const crowdOf = (plan: KeyPlan, clients: number, pauseRefusedMs: number): Crowd => ({
  key: keyOf(plan.name),
  body: bodyOf(plan),
  clients,
  pauseMs: 10,
  pauseRefusedMs,
});

/** What the provider says such a prompt has. */
export async function promptTokens(simulator: SimulatorProcess, plan: KeyPlan): Promise<number> {
  const answer = await fetch(`${simulator.baseUrl}/chat/completions`, {
    method: 'POST',
    headers: { authorization: 'Bearer sk-test', 'content-type': 'application/json' },
    body: JSON.stringify({ ...bodyOf(plan), model: 'aside' }),
  });
  const { usage } = (await answer.json()) as { usage: { prompt_tokens: number; completion_tokens: number } };
  assert.equal(usage.completion_tokens, TOKENS);
  return usage.prompt_tokens;
}

export interface Verdict {
  readonly name: string;
  readonly asked: number;
  readonly served: number;
  readonly refused: number;
  readonly broken: number;
  /** Above what each limit allows, in its unit; at most 0 is right. */
  readonly overshoot: Readonly<Record<string, number>>;
  /** Above capacity in any window: leases that were held and then spent at once. For the report. */
  readonly burst: Readonly<Record<string, number>>;
  /** Refusals beyond those of one ideal bucket or budget; of slots alone, those that came while not all were taken. */
  readonly excess: number;
  /** What the limit that binds first lets in at first, in requests. */
  readonly most: number;
  /** Of slots: how many were in use on average. */
  readonly open: number;
  readonly slowestMs: number;
}

/** Holds what the simulator saw of a key, and what its clients were told, against its limits. */
export function judge(
  plan: KeyPlan,
  clients: Clients,
  witness: Witness,
  /** `calmSince`: from then on no slots are lost with a process that died. */
  { prompt, calmSince }: { prompt: number; calmSince: number },
): Verdict {
  const { limits = {}, usd } = plan;
  const calls = clients.of(keyOf(plan.name));
  const seen = witness.of(plan.name);
  const since = Math.min(...calls.map(({ sentAt }) => sentAt));
  const until = Math.max(...calls.map(({ endedAt }) => endedAt));
  const over: Record<string, number> = {};
  const bursts: Record<string, number> = {};
  let ideal = Number.POSITIVE_INFINITY;
  let most = 0;
  const bound = (atOnce: number, inAll: number): void => {
    if (inAll >= ideal) return;
    ideal = inAll;
    most = atOnce;
  };
  const bucket = (name: string, capacity: number | undefined, each: number): void => {
    if (capacity === undefined) return;
    const perMs = capacity / MINUTE_MS;
    const uses: Amount[] = seen.map(({ startedAt }) => ({ at: startedAt, amount: each }));
    over[name] = overshoot(uses, capacity, perMs, since);
    bursts[name] = burst(uses, capacity, perMs);
    bound(capacity / each, Math.floor((capacity + (until - since) * perMs) / each));
  };
  bucket('requestsPerMinute', limits.requestsPerMinute, 1);
  bucket('tokensPerMinute', limits.tokensPerMinute, prompt + TOKENS);
  const open = openAtOnce(seen);
  if (limits.concurrency !== undefined) over.concurrency = open.most - limits.concurrency;
  if (usd !== undefined) {
    over.budget = cost(seen) - usd;
    const paid = Math.floor(usd / (PRICE * TOKENS) + 1e-9);
    bound(paid, paid);
  }
  const refusals = calls.filter(({ status }) => status === 429 || status === 402);
  const judged = Number.isFinite(ideal) ? calls : calls.filter(({ sentAt }) => sentAt >= calmSince);
  return {
    name: plan.name,
    asked: judged.length,
    served: calls.filter(({ status }) => status === 200).length,
    refused: refusals.length,
    broken: calls.filter(({ status }) => status === 0).length,
    overshoot: over,
    burst: bursts,
    excess: Number.isFinite(ideal)
      ? refusals.length - Math.max(0, calls.length - ideal)
      : inVain(judged, calls, limits.concurrency ?? 0),
    most,
    open: open.average,
    slowestMs: Math.max(...calls.map(({ sentAt, endedAt }) => endedAt - sentAt)),
  };
}

/** Refusals among those judged in whose time fewer of all requests than there are slots were under way. */
function inVain(judged: readonly Call[], all: readonly Call[], slots: number): number {
  const served = all.filter(({ status }) => status === 200);
  const refused = judged.filter(({ status }) => status === 429);
  return refused.filter(({ sentAt, endedAt }) => {
    const beside = served.filter((one) => one.sentAt <= endedAt && one.endedAt >= sentAt);
    return beside.length < slots;
  }).length;
}

/** All that was sent is billed. */
const cost = (seen: readonly ReceivedRequest[]): number =>
  seen.reduce((sum, { tokensSent }) => sum + Math.round(tokensSent * PRICE * 1e9), 0) / 1e9;

/** A refusal as WIRE 2.11 and 2.12 want it; anything else but an answer is none. */
export function assertWellFormed(call: Call, plan: KeyPlan): void {
  const { status, headers, body } = call;
  if (status === 200) return;
  assert.ok(status === 429 || status === 402, `${plan.name}: ${status} ${body}`);
  const { error } = JSON.parse(body) as { error: Record<string, unknown> };
  assert.equal(typeof error.message, 'string');
  if (status === 402) {
    assert.equal(error.type, 'insufficient_funds');
    assert.equal(headers['x-should-retry'], 'false');
    assert.ok(plan.usd !== undefined, body);
    return;
  }
  assert.equal(error.type, 'rate_limit_exceeded', body);
  const [ms, seconds] = [Number(headers['retry-after-ms']), Number(headers['retry-after'])];
  assert.ok(ms > 0 && Number.isInteger(seconds) && seconds === Math.ceil(ms / 1000), JSON.stringify(headers));
  for (const unit of ['requests', 'tokens'] as const) {
    const limit = plan.limits?.[`${unit}PerMinute`];
    if (limit === undefined) continue;
    assert.equal(headers[`x-ratelimit-limit-${unit}`], String(limit));
    assert.match(String(headers[`x-ratelimit-remaining-${unit}`]), /^\d+$/);
    assert.match(String(headers[`x-ratelimit-reset-${unit}`]), /^(\d+m)?[\d.]+m?s$/);
  }
}
