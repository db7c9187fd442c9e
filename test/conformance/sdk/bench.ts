import assert from 'node:assert/strict';
import OpenAI, { type ClientOptions } from 'openai';
import { zodFunction } from 'openai/helpers/zod';
import { z } from 'zod';
import type { ReceivedRequest, SimulatorControl } from '../../support/simulator-control.ts';
import type { Stack } from '../../support/stack.ts';
import type { ReplayProvider } from '../replay-provider.ts';

/** Keys of the bench's configuration beside the stack's own, which may use everything. */
export const KEYS = {
  openaiOnly: 'hg_test_openai_models_only_0001',
  expired: 'hg_test_expired_0001',
  disabled: 'hg_test_disabled_0001',
} as const;

/** The model that the replay provider serves. */
export const REPLAYED = 'test/replayed';

/** `provider_metadata`, as far as the tests read it (WIRE 2.5). */
export interface ProviderMetadata {
  readonly gateway: {
    readonly routing: Readonly<Record<string, unknown>> & {
      readonly attempts: readonly Readonly<Record<string, unknown>>[];
      readonly modelAttempts: readonly Readonly<Record<string, unknown>>[];
    };
    readonly cost?: string;
    readonly marketCost?: string;
    readonly generationId: string;
    readonly usageSource?: string;
    readonly warnings?: readonly string[];
  };
}

/** A gateway that runs somewhere, with simulators as its providers. */
export interface ConformingGateway extends Pick<Stack, 'baseUrl' | 'origin' | 'port' | 'key' | 'stop'> {
  readonly simulators: readonly SimulatorControl[];
  simulator(index?: number): SimulatorControl;
}

/** What the tests of SDKs and of plain HTTP share: one gateway, and clients for it. */
export class Bench {
  readonly stack: ConformingGateway;
  readonly replay: ReplayProvider;
  readonly client: OpenAI;

  constructor(stack: ConformingGateway, replay: ReplayProvider) {
    this.stack = stack;
    this.replay = replay;
    this.client = this.clientWith({});
  }

  /** Does not retry unless told so. */
  clientWith(options: ClientOptions): OpenAI {
    return new OpenAI({
      apiKey: this.stack.key,
      baseURL: this.stack.baseUrl,
      maxRetries: 0,
      timeout: 20_000,
      ...options,
    });
  }

  fetch(path: string, init: RequestInit & { readonly key?: string | null } = {}): Promise<Response> {
    const { key = this.stack.key, ...rest } = init;
    const headers = new Headers(rest.headers);
    if (key !== null && !headers.has('authorization')) headers.set('authorization', `Bearer ${key}`);
    if (typeof rest.body === 'string' && !headers.has('content-type')) headers.set('content-type', 'application/json');
    return fetch(`${this.stack.origin}${path}`, { ...rest, headers, signal: AbortSignal.timeout(20_000) });
  }

  chat(body: unknown, init: RequestInit & { readonly key?: string | null } = {}): Promise<Response> {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    return this.fetch('/v1/chat/completions', { method: 'POST', ...init, body: text });
  }

  /** Runs `work` and returns what the providers received of it, in the order of the simulators. */
  async during<T>(work: () => Promise<T>): Promise<{ result: T; received: readonly ReceivedRequest[] }> {
    const { simulators } = this.stack;
    const before = await Promise.all(simulators.map((simulator) => simulator.lastSeq()));
    const result = await work();
    const received = await Promise.all(
      simulators.map((simulator, i) => simulator.requests({ since: before[i] ?? 0, path: '/v1/chat/completions' })),
    );
    return { result, received: received.flat() };
  }
}

/** The one request that a provider received, as an object. */
export function onlyBody(received: readonly ReceivedRequest[]): Readonly<Record<string, unknown>> {
  assert.equal(received.length, 1, 'one request reaches one provider');
  const body = received[0]?.body;
  assert.ok(typeof body === 'object' && body !== null);
  return body as Record<string, unknown>;
}

/** The metadata of a message or a delta; the SDK's types do not know it. */
export function metadataOf(holder: object | undefined): ProviderMetadata | undefined {
  return (holder as { provider_metadata?: ProviderMetadata } | undefined)?.provider_metadata;
}

export const GENERATION_ID = /^gen_[0-9A-HJKMNP-TV-Z]{26}$/;

export const WEATHER_TOOL = {
  type: 'function',
  function: {
    name: 'get_weather',
    description: 'Get the current weather in a given location',
    parameters: {
      type: 'object',
      properties: { location: { type: 'string' } },
      required: ['location'],
      additionalProperties: false,
    },
  },
} as const;

/** The same tool as one that the SDK calls by itself. */
export const weatherFunction = (answer: (location: string) => string) =>
  zodFunction({
    name: 'get_weather',
    description: WEATHER_TOOL.function.description,
    parameters: z.object({ location: z.string() }),
    function: ({ location }) => answer(location),
  });
