import type { RoutingTable } from '@headgate/core/catalog';
import { type ChatRequest, readChatRequest } from '@headgate/core/chat';
import type { Principal } from '@headgate/core/identity';
import { type Admission, isRefusal, type Refusal } from '@headgate/core/limits';
import { Relay, type RelayOutcome } from '@headgate/core/relay';
import type { PlanRequest } from '@headgate/core/routing';
import {
  askedOfChat,
  demandOf,
  type PlannedChat,
  planChat,
  providerGate,
  requestEnd,
  settle,
  subjectsOf,
} from '@headgate/core/serving';
import type { RequestObservation } from '@headgate/core/telemetry';
import { type CollectedBody, collectBody, releaseBody } from './body.ts';
import type { Exchange } from './exchange.ts';
import type { Current, Gateway } from './gateway.ts';
import { identify } from './identify.ts';
import { limitHeaders } from './limit-headers.ts';
import { clientTimeoutMs, goneEnd, refusedEnd } from './request-end.ts';

export const CHAT_ROUTE = '/v1/chat/completions';

/** `POST /v1/chat/completions`: serve, identify, read, plan, relay, settle (DESIGN 2). */
export function serveChat(exchange: Exchange, gateway: Gateway): void {
  const observation = gateway.telemetry.observe({
    method: exchange.method,
    route: CHAT_ROUTE,
    requestId: exchange.requestId,
    generationId: exchange.generationId,
    traceparent: exchange.traceparent,
    tracestate: exchange.tracestate,
    startedAt: exchange.startedAt,
  });
  const refuse = (thrown: unknown, principal: Principal | null): void => {
    exchange.refuseThrown(thrown);
    observation.ended(refusedEnd(exchange, thrown, principal));
  };
  try {
    const current = gateway.current();
    const caller = identify(exchange, gateway);
    let known = caller instanceof Promise ? null : caller;
    exchange.onGone = () => observation.ended(goneEnd(known));
    collectBody(exchange, current.table.server.maxBodyBytes, async (body, error) => {
      try {
        // Nothing is awaited for a key, or for a token that was seen before.
        if (caller instanceof Promise) known = await caller;
        if (exchange.gone) return;
        if (body === null || known === null) throw error;
        new ChatCall(exchange, gateway, current, known, observation, body).start();
      } catch (thrown) {
        if (!exchange.gone) refuse(thrown, known);
      }
    });
  } catch (thrown) {
    refuse(thrown, null);
  }
}

/** One validated chat request on its way. */
class ChatCall {
  readonly #exchange: Exchange;
  readonly #gateway: Gateway;
  readonly #table: RoutingTable;
  readonly #principal: Principal;
  readonly #observation: RequestObservation;
  readonly #body: CollectedBody;
  #admission: Admission | null = null;

  constructor(
    exchange: Exchange,
    gateway: Gateway,
    current: Current,
    principal: Principal,
    observation: RequestObservation,
    body: CollectedBody,
  ) {
    this.#exchange = exchange;
    this.#gateway = gateway;
    this.#table = current.table;
    this.#principal = principal;
    this.#observation = observation;
    this.#body = body;
  }

  start(): void {
    const { store, start, end } = this.#body;
    const chat = readChatRequest(store, start, end);
    const planned = this.#plan(chat);
    this.#observation.routed({
      operation: 'chat',
      model: chat.model,
      stream: chat.stream,
      keyName: this.#principal.name,
      plan: planned.plan.keys,
      body: chat.outline,
    });
    const admitted = this.#admit(chat, planned);
    if (!(admitted instanceof Promise)) this.#enter(chat, planned, admitted);
    else {
      // Redis is asked only where the lease has run out.
      admitted.then((outcome) => this.#enter(chat, planned, outcome)).catch((thrown) => this.#refuse(thrown));
    }
  }

  /** Null where nobody has a limit. */
  #admit(chat: ChatRequest, { request, plan }: PlannedChat): MaybeLater<Admission | Refusal | null> {
    const [model] = request.models;
    const user = chat.outline.providerOptions?.gateway?.user ?? chat.outline.user ?? '';
    const subjects = model === undefined ? [] : subjectsOf(this.#table, this.#principal, model, user);
    if (subjects.length === 0) return null;
    const demand = demandOf(this.#gateway, this.#principal, request, plan, chat.choices);
    return this.#gateway.limiter.admit(subjects, demand, {
      onRedisLoss: this.#table.limits.onRedisLoss,
      deadlineAt: this.#exchange.startedAt + this.#answerWithinMs,
      queue: this.#principal.queue,
    });
  }

  #enter(chat: ChatRequest, planned: PlannedChat, admitted: Admission | Refusal | null): void {
    const exchange = this.#exchange;
    exchange.limitHeaders = admitted === null ? [] : limitHeaders(admitted.status);
    if (admitted !== null && isRefusal(admitted)) this.#refuse(admitted.error);
    else if (exchange.over) admitted?.release();
    else {
      this.#admission = admitted;
      try {
        this.#relay(chat, planned);
      } catch (thrown) {
        admitted?.release();
        throw thrown;
      }
    }
  }

  #refuse(thrown: unknown): void {
    if (this.#exchange.gone) return;
    this.#exchange.refuseThrown(thrown);
    this.#observation.ended(refusedEnd(this.#exchange, thrown, this.#principal));
  }

  get #answerWithinMs(): number {
    return Math.min(this.#table.server.requestTimeoutMs, clientTimeoutMs(this.#exchange.clientTimeout));
  }

  #relay(chat: ChatRequest, { request, plan }: PlannedChat): void {
    const exchange = this.#exchange;
    const { requestTimeoutMs, keepAliveCommentMs, drainAborted } = this.#table.server;
    const admitAttempt = this.#providerGate(chat, { request, plan });
    const relay = new Relay(
      {
        chat,
        plan,
        requestedModel: chat.model,
        resume: chat.outline.providerOptions?.gateway?.resume ?? 'safe',
        health: this.#gateway.health,
        admitAttempt,
        generationId: exchange.generationId,
        created: Math.floor(Date.now() / 1000),
        startedAt: exchange.startedAt,
        timeoutMs: requestTimeoutMs,
        answerWithinMs: this.#answerWithinMs,
        keepAliveMs: exchange.keepAliveWish === 'off' ? 0 : keepAliveCommentMs,
        metadataAtTop: exchange.metadataPlace === 'top',
        simulated: this.#table.simulated,
        pools: this.#gateway.pools,
        authorizers: this.#gateway.authorizers,
        allowPrivateFileUrls: this.#table.allowPrivateFileUrls,
        observation: this.#observation,
        lateUsage: this.#gateway.lateUsage,
        drainAborted,
        onAnswered: () => this.#admission?.answered(),
        onSettled: (outcome) => this.#settled(chat, request, outcome),
      },
      exchange,
    );
    exchange.onGone = () => relay.clientGone();
    exchange.onDrained = () => relay.clientDrained();
    exchange.onCut = (error) => relay.cut(error);
    relay.start();
  }

  #providerGate(chat: ChatRequest, { request, plan }: PlannedChat): ReturnType<typeof providerGate> {
    if (this.#table.limits.providers.size === 0) return undefined;
    const demand = demandOf(this.#gateway, this.#principal, request, plan, chat.choices);
    return providerGate(this.#gateway, this.#table, demand, this.#exchange.startedAt + this.#answerWithinMs);
  }

  /** Whoever runs a plan takes the permits of the half-open endpoints that it asks first, and wants those it had to put last. */
  #plan(chat: ChatRequest): PlannedChat {
    const { health, affinity } = this.#gateway;
    const state = { table: this.#table, health: health.view(), affinity };
    const planned = planChat(chat, this.#principal, state, randomSeed());
    for (const key of planned.plan.permits) health.takePermit(key);
    for (const key of planned.plan.wanted) health.wanted(key);
    return planned;
  }

  #settled(chat: ChatRequest, planned: PlanRequest, outcome: RelayOutcome): void {
    const [principal, exchange] = [this.#principal, this.#exchange];
    const asked = askedOfChat(chat);
    settle(this.#gateway, { facts: exchange, principal, asked, planned, admission: this.#admission }, outcome);
    const { usage } = outcome;
    if (usage !== null && outcome.error === null) {
      this.#gateway.learnedOutput.learn(principal.id, chat.model, usage.completionTokens / chat.choices);
    }
    // With one attempt that ended well, the provider has taken the whole body: see releaseBody.
    if (outcome.attempts === 1 && outcome.error === null && !outcome.clientAborted) releaseBody(this.#body);
    this.#observation.ended(requestEnd(outcome, principal, exchange.status, outcome.gatewayMs));
  }
}

/** A value, or one that has to be waited for. */
type MaybeLater<T> = T | Promise<T>;

const randomSeed = (): number => (Math.random() * 2 ** 32) >>> 0;
