import { type LineAnswer, NO_USAGE } from '@headgate/core/batches';
import type { RoutingTable } from '@headgate/core/catalog';
import { type ChatRequest, readChatRequest } from '@headgate/core/chat';
import { GatewayError } from '@headgate/core/errors';
import { HEADROOM } from '@headgate/core/json';
import type { Admission } from '@headgate/core/limits';
import { Relay, type RelayOutcome, type RelaySink } from '@headgate/core/relay';
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
import { admitLine, leavesTooLittle } from './line-admission.ts';
import { errorAnswer, type LineCall, type LineTools } from './line-tools.ts';
import type { LineOutcome } from './shard-run.ts';

export const CHAT_LINE_ROUTE = '/v1/batches:chat';
/** Nobody waits at the other end: what a provider asks to wait can be waited for. */
const SOON_MS = 1_000;

/** Runs a chat request of a batch once. */
export async function runChatLine(call: LineCall, tools: LineTools): Promise<LineOutcome> {
  const { principal, table, observation, startedAt } = call;
  const chat = readChat(call.body);
  const health = tools.parts.health;
  const planned = planChat(chat, principal, { table, health: health.view(), affinity: tools.affinity }, call.seed);
  for (const key of planned.plan.permits) health.takePermit(key);
  for (const key of planned.plan.wanted) health.wanted(key);
  observation.routed({
    operation: 'chat',
    model: chat.model,
    stream: false,
    keyName: principal.name,
    plan: planned.plan.keys,
    body: chat.outline,
  });
  const admitted = await admit(call, tools, chat, planned, startedAt + table.server.requestTimeoutMs);
  if ('waitMs' in admitted) return admitted;
  if ('error' in admitted) throw admitted.error;
  return new ChatLine(call, tools, chat, planned, admitted.admission).run();
}

function readChat(bytes: Buffer): ChatRequest {
  const store = Buffer.concat([Buffer.alloc(HEADROOM), bytes, Buffer.alloc(HEADROOM)]);
  return readChatRequest(store, HEADROOM, HEADROOM + bytes.length);
}

function admit(
  { principal, table }: LineCall,
  { parts, learnedOutput }: LineTools,
  chat: ChatRequest,
  { request, plan }: PlannedChat,
  deadlineAt: number,
): ReturnType<typeof admitLine> {
  const [model] = request.models;
  const { user } = askedOfChat(chat);
  const subjects = model === undefined ? [] : subjectsOf(table, principal, model, user);
  const demand = demandOf({ learnedOutput }, principal, request, plan, chat.choices);
  return admitLine(parts.limiter, subjects, demand, { onRedisLoss: table.limits.onRedisLoss, deadlineAt });
}

/** One request on its way, and its answer. */
class ChatLine implements RelaySink {
  readonly #call: LineCall;
  readonly #tools: LineTools;
  readonly #chat: ChatRequest;
  readonly #planned: PlannedChat;
  readonly #admission: Admission | null;
  #body = '';
  #error: GatewayError | null = null;

  constructor(call: LineCall, tools: LineTools, chat: ChatRequest, planned: PlannedChat, admission: Admission | null) {
    this.#call = call;
    this.#tools = tools;
    this.#chat = chat;
    this.#planned = planned;
    this.#admission = admission;
  }

  async run(): Promise<LineOutcome> {
    const { signal } = this.#call;
    let relay: Relay | null = null;
    const leave = (): void => relay?.clientGone();
    try {
      const outcome = await new Promise<RelayOutcome>((resolve) => {
        relay = this.#relay(resolve);
        signal.addEventListener('abort', leave, { once: true });
        relay.start();
        if (signal.aborted) leave();
      });
      return this.#settled(outcome);
    } catch (thrown) {
      this.#admission?.release();
      throw thrown;
    } finally {
      signal.removeEventListener('abort', leave);
    }
  }

  #relay(onSettled: (outcome: RelayOutcome) => void): Relay {
    const { table, generationId, observation, startedAt } = this.#call;
    const { parts } = this.#tools;
    const { requestTimeoutMs, drainAborted } = table.server;
    const gate = this.#gate(table, startedAt + requestTimeoutMs);
    return new Relay(
      {
        chat: this.#chat,
        plan: this.#planned.plan,
        requestedModel: this.#chat.model,
        resume: this.#chat.outline.providerOptions?.gateway?.resume ?? 'safe',
        health: parts.health,
        ...(gate === undefined ? {} : { admitAttempt: gate }),
        generationId,
        created: Math.floor(Date.now() / 1000),
        startedAt,
        timeoutMs: requestTimeoutMs,
        answerWithinMs: requestTimeoutMs,
        keepAliveMs: 0,
        metadataAtTop: false,
        simulated: table.simulated,
        pools: parts.pools,
        authorizers: parts.authorizers,
        allowPrivateFileUrls: table.allowPrivateFileUrls,
        observation,
        lateUsage: parts.lateUsage,
        drainAborted,
        onAnswered: () => this.#admission?.answered(),
        onSettled,
      },
      this,
    );
  }

  #gate(table: RoutingTable, deadlineAt: number): ReturnType<typeof providerGate> {
    if (table.limits.providers.size === 0) return undefined;
    const { learnedOutput, parts } = this.#tools;
    const { request, plan } = this.#planned;
    const demand = demandOf({ learnedOutput }, this.#call.principal, request, plan, this.#chat.choices);
    return providerGate({ limiter: parts.limiter }, table, demand, deadlineAt, leavesTooLittle);
  }

  #settled(outcome: RelayOutcome): LineOutcome {
    const { principal, requestId, generationId, startedAt, observation } = this.#call;
    const { parts, learnedOutput, affinity } = this.#tools;
    const { usage, error } = outcome;
    const status = error?.status ?? 200;
    const facts = { generationId, requestId, startedAt, status, referer: '', title: '' };
    const asked = askedOfChat(this.#chat);
    const planned = this.#planned.request;
    settle({ ...parts, affinity }, { facts, principal, asked, planned, admission: this.#admission }, outcome);
    if (usage !== null && error === null) {
      learnedOutput.learn(principal.id, this.#chat.model, usage.completionTokens / this.#chat.choices);
    }
    observation.ended(requestEnd(outcome, principal, status, outcome.gatewayMs));
    return this.#outcome(outcome);
  }

  #outcome({ accounted, clientAborted }: RelayOutcome): LineOutcome {
    if (clientAborted) return { waitMs: SOON_MS };
    const error = this.#error;
    // Limits of providers pass, and nobody waits.
    if (error?.status === 429) return { waitMs: Math.max(SOON_MS, error.retryAfterMs ?? 0) };
    if (error !== null) return { answer: errorAnswer(error) };
    const usage = accounted?.usage;
    const answer: LineAnswer = {
      status: 200,
      body: this.#body,
      usage:
        usage === undefined
          ? NO_USAGE
          : {
              inputTokens: usage.promptTokens,
              cachedTokens: usage.cacheReadTokens ?? 0,
              outputTokens: usage.completionTokens,
              reasoningTokens: usage.reasoningTokens ?? 0,
            },
    };
    return { answer };
  }

  answer(body: Buffer): void {
    this.#body = body.toString('utf8');
  }

  refuse(error: GatewayError): void {
    this.#error = error;
  }

  openStream(): void {
    this.#error = notAsked();
  }

  write(): boolean {
    return true;
  }

  endStream(): void {
    this.#error = notAsked();
  }
}

/** Requests of a batch ask for whole answers. */
const notAsked = (): GatewayError =>
  new GatewayError('internal_server_error', 'A stream came that nobody had asked for.');
