import { create, fromJsonString, type JsonValue, toJson } from '@bufbuild/protobuf';
import {
  BreakerChangeSchema,
  BreakerStateSchema,
  MeasurementSummarySchema,
  type BreakerState as StateMessage,
  type MeasurementSummary as SummaryMessage,
} from '@headgate/proto/health';
import type { BreakerPolicy } from '../catalog/index.ts';
import { type HealthKeys, LuaScript, type RedisClient } from '../redis/index.ts';
import type { BreakerEvent, BreakerState } from './breaker.ts';
import type { KeyedEvent } from './outcome-events.ts';
import type { RedisClock } from './redis-clock.ts';

const TRANSITION = new LuaScript(new URL('./transition.lua', import.meta.url));
const POLL = new LuaScript(new URL('./poll.lua', import.meta.url));

/** The state of one key as Redis has it. */
export interface SharedState {
  readonly key: string;
  readonly state: BreakerState;
  readonly version: number;
}

export interface SharedChange {
  readonly previousVersion: number;
  readonly version: number;
  readonly states: readonly SharedState[];
}

export interface Applied {
  /** The time they were applied at, epoch milliseconds. */
  readonly now: number;
  /** Of the last `acquire`; 0: not granted. */
  readonly permit: number;
  /** Null: nothing that others have to know. */
  readonly change: SharedChange | null;
}

export interface Polled {
  readonly version: number;
  /** Null: they are as the caller knows them. */
  readonly breakers: readonly SharedState[] | null;
  readonly summaries: readonly SummaryMessage[];
}

/** The breakers in Redis. Every call is one command, and throws when Redis does not take it. */
export class SharedBreakers {
  readonly #client: RedisClient;
  readonly #keys: HealthKeys;
  readonly #clock: RedisClock;

  constructor(client: RedisClient, keys: HealthKeys, clock: RedisClock) {
    this.#client = client;
    this.#keys = keys;
    this.#clock = clock;
  }

  /** `at`: the time to apply them at, for tests; by default Redis's own. */
  async apply(events: readonly KeyedEvent[], policy: BreakerPolicy, at = 0): Promise<Applied> {
    const { breakers, version, changes } = this.#keys;
    const sentAt = performance.now();
    const reply = await TRANSITION.run(
      this.#client,
      [breakers, version],
      [
        at,
        changes,
        policy.consecutiveFailures,
        String(policy.failureRatio),
        policy.minimumRequests,
        policy.windowMs,
        policy.cooldownMs,
        policy.maxCooldownMs,
        JSON.stringify(events.map(({ key, event }) => [key, ...encode(event)])),
      ],
    );
    const [now, permit, message] = list(reply);
    if (at === 0) this.#clock.heard(Number(now), sentAt, performance.now());
    const text = String(message ?? '');
    return { now: Number(now), permit: Number(permit), change: text === '' ? null : parseChange(text) };
  }

  /** `known`: the version whose breakers the caller has; -1: it wants all of them. */
  async poll(known: number, withSummaries: boolean): Promise<Polled> {
    const { breakers, version, summaries, decayed } = this.#keys;
    const sentAt = performance.now();
    const reply = await POLL.run(
      this.#client,
      [breakers, version, summaries, decayed],
      [String(known), withSummaries ? 1 : 0],
    );
    const [now, found, full, states, summary] = list(reply);
    this.#clock.heard(Number(now), sentAt, performance.now());
    return {
      version: Number(found),
      breakers:
        Number(full) === 1
          ? list(states).map((json) => toShared(fromJsonString(BreakerStateSchema, String(json))))
          : null,
      summaries: parseSummaries(summary),
    };
  }
}

/** Throws when it is not a BreakerChange. */
export function parseChange(json: string): SharedChange {
  const message = fromJsonString(BreakerChangeSchema, json, { ignoreUnknownFields: true });
  return {
    previousVersion: Number(message.previousVersion),
    version: Number(message.version),
    states: message.states.map(toShared),
  };
}

export function parseSummaries(reply: unknown): readonly SummaryMessage[] {
  return list(reply).map((json) =>
    fromJsonString(MeasurementSummarySchema, String(json), { ignoreUnknownFields: true }),
  );
}

const list = (reply: unknown): readonly unknown[] => (Array.isArray(reply) ? reply : []);

/** [kind, count, epoch, permit, milliseconds], or [kind, BreakerState] */
function encode(event: BreakerEvent): readonly (string | number | JsonValue)[] {
  switch (event.kind) {
    case 'success':
      return [event.kind, event.count, event.epoch, 0, 0];
    case 'failure':
      return [event.kind, event.count, event.epoch, event.permit, event.retryAfterMs];
    case 'rate_limited':
      return [event.kind, 1, 0, event.permit, event.retryAfterMs];
    case 'cool':
      return [event.kind, 1, 0, 0, event.forMs];
    case 'acquire':
      return [event.kind, 1, 0, event.permit, event.leaseMs];
    case 'release':
      return [event.kind, 1, 0, event.permit, 0];
    case 'restore':
      return [event.kind, toJson(BreakerStateSchema, toMessage(event.known))];
  }
}

function toMessage(state: BreakerState): StateMessage {
  return create(BreakerStateSchema, {
    open: state.open,
    epoch: BigInt(state.epoch),
    openedAtMs: BigInt(state.openedAt),
    openUntilMs: BigInt(state.openUntil),
    cooldownMs: state.cooldownMs,
    consecutiveFailures: state.consecutiveFailures,
    failuresMicro: BigInt(state.failuresMicro),
    successesMicro: BigInt(state.successesMicro),
    countedAtMs: BigInt(state.countedAt),
    coolUntilMs: BigInt(state.coolUntil),
    rateLimits: state.rateLimits,
    permit: BigInt(state.permit),
    permitUntilMs: BigInt(state.permitUntil),
  });
}

function toShared(message: StateMessage): SharedState {
  return {
    key: message.key,
    version: Number(message.version),
    state: {
      open: message.open,
      epoch: Number(message.epoch),
      openedAt: Number(message.openedAtMs),
      openUntil: Number(message.openUntilMs),
      cooldownMs: message.cooldownMs,
      consecutiveFailures: message.consecutiveFailures,
      failuresMicro: Number(message.failuresMicro),
      successesMicro: Number(message.successesMicro),
      countedAt: Number(message.countedAtMs),
      coolUntil: Number(message.coolUntilMs),
      rateLimits: message.rateLimits,
      permit: Number(message.permit),
      permitUntil: Number(message.permitUntilMs),
    },
  };
}
