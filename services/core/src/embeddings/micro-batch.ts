import { GatewayError } from '../errors/index.ts';
import { fromDecimal, toDecimal } from '../ledger/index.ts';
import type { ChunkCall, ChunkHead, ChunkOutcome, ChunkTools, EmbeddingRunner } from './contract.ts';
import { emptyHead } from './inline-runner.ts';
import { tokensOfItems } from './items.ts';

export interface MicroBatchPolicy {
  /** How long a small request waits for others to share a call with; 0: they share none. */
  readonly waitMs: number;
  /** Of one shared call. */
  readonly maxItems: number;
}

/** What of a failure may be the fault of one member: the others shall not suffer for it. */
const OF_ONE: readonly (string | undefined)[] = ['bad_request', 'context_length', 'content_filter'];

interface Member {
  readonly call: ChunkCall;
  readonly tools: ChunkTools;
  readonly settle: (outcome: ChunkOutcome) => void;
}

/** Requests that share a call, until it goes out. */
interface Group {
  readonly members: Member[];
  readonly timer: NodeJS.Timeout;
  items: number;
}

/**
 * Small requests of one caller, for one model and with the same settings, that come within a few milliseconds share a call to the
 * provider. Each gets its own vectors, and exactly its share of what the call used.
 */
export class MicroBatcher {
  readonly #inner: EmbeddingRunner;
  readonly #policy: () => MicroBatchPolicy;
  readonly #open = new Map<string, Group>();

  constructor(inner: EmbeddingRunner, policy: () => MicroBatchPolicy) {
    this.#inner = inner;
    this.#policy = policy;
  }

  /** For the requests of one caller, by its id: nobody shares with another. */
  runnerFor(owner: string): EmbeddingRunner {
    return { run: (chunks, tools) => this.#run(owner, chunks, tools) };
  }

  async #run(owner: string, chunks: readonly ChunkCall[], tools: ChunkTools): Promise<readonly ChunkOutcome[]> {
    const { waitMs, maxItems } = this.#policy();
    const [only, another] = chunks;
    const isSmall = only !== undefined && another === undefined && only.items.length * 2 <= maxItems;
    if (waitMs === 0 || !isSmall || only.strict) return this.#inner.run(chunks, tools);
    return [await this.#join(owner, only, tools, waitMs, maxItems)];
  }

  #join(owner: string, call: ChunkCall, tools: ChunkTools, waitMs: number, maxItems: number): Promise<ChunkOutcome> {
    const kind = kindOf(owner, call);
    const open = this.#open.get(kind);
    if (open !== undefined && open.items + call.items.length > maxItems) this.#flush(kind, open);
    const group = this.#open.get(kind) ?? this.#begin(kind, waitMs);
    group.items += call.items.length;
    return new Promise((settle) => {
      group.members.push({ call, tools, settle });
      if (group.items >= maxItems) this.#flush(kind, group);
    });
  }

  #begin(kind: string, waitMs: number): Group {
    const group: Group = { members: [], items: 0, timer: setTimeout(() => this.#flush(kind, group), waitMs) };
    this.#open.set(kind, group);
    return group;
  }

  #flush(kind: string, { members, timer }: Group): void {
    clearTimeout(timer);
    this.#open.delete(kind);
    void this.#share(members);
  }

  async #share(members: readonly Member[]): Promise<void> {
    // Who has left needs no vectors.
    const waiting = members.filter(({ call, settle }) => {
      if (call.signal.aborted) settle(left(call));
      return !call.signal.aborted;
    });
    const [first, second] = waiting;
    if (first === undefined) return;
    if (second === undefined) {
      await this.#alone(first);
      return;
    }
    const all = new Departures(waiting);
    const [outcome] = await this.#inner.run([sharedCall(waiting, all.signal)], first.tools);
    all.stop();
    if (outcome === undefined) throw new RangeError('a runner has an outcome for every chunk');
    if (outcome.error !== null && OF_ONE.includes(outcome.error.failure)) {
      await Promise.all(waiting.map((member) => this.#alone(member)));
    } else {
      for (const [i, share] of sharesOf(outcome, waiting).entries()) waiting[i]?.settle(share);
    }
  }

  async #alone({ call, tools, settle }: Member): Promise<void> {
    const [outcome] = await this.#inner.run([call], tools);
    settle(outcome ?? left(call));
  }
}

/** Requests of one kind can share a call: whatever the provider is told beside the items is the same. */
function kindOf(owner: string, { request, plan, items }: ChunkCall): string {
  const credentials = plan.attempts.map(({ credentialType }) => credentialType);
  // Texts and token ids are not taken in one call.
  return JSON.stringify([owner, request, plan.keys, credentials, typeof items[0]]);
}

function sharedCall(members: readonly Member[], signal: AbortSignal): ChunkCall {
  const [first] = members;
  if (first === undefined) throw new RangeError('nobody shares a call');
  return {
    ...first.call,
    items: members.flatMap(({ call }) => call.items),
    from: 0,
    // Whoever is in a hurry leaves by itself.
    deadlineAt: Math.max(...members.map(({ call }) => call.deadlineAt)),
    signal,
  };
}

/** Lets go of members whose time is over or whose client has left; when all have gone, the call ends. */
class Departures {
  readonly #controller = new AbortController();
  readonly #undo: (() => void)[] = [];
  #waiting: number;

  constructor(members: readonly Member[]) {
    this.#waiting = members.length;
    for (const member of members) {
      const { signal, deadlineAt } = member.call;
      let gone = false;
      const leave = (): void => {
        if (gone) return;
        gone = true;
        member.settle(left(member.call));
        this.#waiting -= 1;
        if (this.#waiting === 0) this.#controller.abort(new Error('nobody waits any more'));
      };
      const timer = setTimeout(leave, Math.max(0, deadlineAt - performance.now()));
      signal.addEventListener('abort', leave, { once: true });
      this.#undo.push(() => {
        clearTimeout(timer);
        signal.removeEventListener('abort', leave);
      });
    }
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  stop(): void {
    for (const undo of this.#undo) undo();
  }
}

/** Each member's part: its own entries, numbered from its own first one, and its part of the tokens and of the money. */
function sharesOf({ data, error, head }: ChunkOutcome, members: readonly Member[]): readonly ChunkOutcome[] {
  const weights = members.map(({ call }) => tokensOfItems(call.items));
  const tokens = split(BigInt(head.promptTokens), weights).map(Number);
  const costs = splitUsd(head.costUsd, tokens);
  const marketCosts = splitUsd(head.marketCostUsd, tokens);
  const entries = data === null ? null : entriesOf(data);
  let from = 0;
  return members.map(({ call }, i) => {
    const own = entries?.slice(from, from + call.items.length) ?? null;
    from += call.items.length;
    return {
      data: own === null ? null : renumbered(own, call.from),
      error,
      head: {
        ...head,
        items: call.items.length,
        promptTokens: tokens[i] ?? 0,
        costUsd: costs[i] ?? null,
        marketCostUsd: marketCosts[i] ?? null,
      },
    };
  });
}

/**
 * Parts in proportion to the weights, by the largest remainders; their sum is the whole, and where there is enough for all of
 * them nobody has none.
 */
function split(whole: bigint, given: readonly number[]): bigint[] {
  const weights = given.some((weight) => weight > 0) ? given.map(BigInt) : given.map(() => 1n);
  const sum = weights.reduce((all, weight) => all + weight, 0n);
  const parts = weights.map((weight) => (whole * weight) / sum);
  const remainders = weights.map((weight) => (whole * weight) % sum);
  const byRemainder = [...parts.keys()].sort((a, b) => Number((remainders[b] ?? 0n) - (remainders[a] ?? 0n)));
  let rest = parts.reduce((left_, part) => left_ - part, whole);
  const add = (i: number, amount: bigint): void => {
    parts[i] = (parts[i] ?? 0n) + amount;
  };
  for (const i of byRemainder) {
    if (rest === 0n) break;
    add(i, 1n);
    rest--;
  }
  for (const i of parts.keys()) {
    if (parts[i] !== 0n || weights[i] === 0n) continue;
    const richest = parts.reduce((best, part, at) => (part > (parts[best] ?? 0n) ? at : best), 0);
    if ((parts[richest] ?? 0n) <= 1n) break;
    add(richest, -1n);
    add(i, 1n);
  }
  return parts;
}

const splitUsd = (usd: string | null, weights: readonly number[]): (string | null)[] =>
  usd === null ? weights.map(() => null) : split(fromDecimal(usd), weights).map(toDecimal);

const BETWEEN = '},{"object":"embedding","index":';
const INDEX = /^\{"object":"embedding","index":\d+/;

/** The entries of `data` as texts; vectors are numbers or base64, and have no braces. */
function entriesOf(data: Buffer): string[] {
  const text = data.toString('latin1');
  return text.split(BETWEEN).map((part, i, all) => {
    const begun = i === 0 ? part : `${BETWEEN.slice(2)}${part}`;
    return i === all.length - 1 ? begun : `${begun}}`;
  });
}

const renumbered = (entries: readonly string[], from: number): Buffer =>
  Buffer.from(
    entries.map((entry, i) => entry.replace(INDEX, `{"object":"embedding","index":${from + i}`)).join(','),
    'latin1',
  );

function left({ items, signal }: ChunkCall): ChunkOutcome {
  const error = signal.aborted
    ? new GatewayError('timeout_error', 'Nobody waits for this request any more.', { code: 'abandoned' })
    : new GatewayError('upstream_timeout', 'The provider did not answer in time.', { code: 'deadline_exceeded' });
  const head: ChunkHead = emptyHead(items.length);
  return { data: null, error, head };
}
