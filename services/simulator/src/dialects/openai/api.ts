import { randomBytes } from 'node:crypto';
import type { OutgoingHttpHeaders } from 'node:http';
import type { ChatCompletion } from 'openai/resources/chat/completions';
import { type Frame, playEventStream } from '../../http/eventStream.ts';
import type { Exchange } from '../../http/exchange.ts';
import { sendJson } from '../../http/jsonReply.ts';
import { retryHeaders } from '../../http/retryHeaders.ts';
import { billOfInput } from '../../recording/usageLog.ts';
import { PrefixCache } from '../../text/prefixCache.ts';
import { type ChatAnswer, composeAnswer, visibleTokens } from './chatAnswer.ts';
import { type ChatIdentity, chatCompletion } from './chatJson.ts';
import { readChatRequest } from './chatRequest.ts';
import { chatFrames } from './chatStream.ts';
import { embed } from './embeddings.ts';
import { badRequest, streamError } from './errors.ts';
import { unmarked } from './mistralPrefix.ts';
import { describeModel, listModels } from './models.ts';

/** What distinguishes a host of OpenAI's API from the others. */
export interface Host {
  /** Sent with every answer. */
  headersOf(exchange: Exchange): OutgoingHttpHeaders;
  /** A whole answer as this host gives it. */
  completion(value: ChatCompletion): object;
  /** A streamed answer as this host gives it. */
  frames(frames: Iterable<Frame>): Iterable<Frame>;
}

/** An error of a host, in its own shape. */
export interface HostError {
  readonly status: number;
  body(): object;
}

/** Answers for every host of OpenAI's models: its own API and Azure. Throws an `ApiError` for what is wrong. */
export class OpenaiApi {
  readonly #cache = new PrefixCache();
  readonly #host: Host;

  constructor(host: Host) {
    this.#host = host;
  }

  async chat(exchange: Exchange, json: unknown): Promise<void> {
    const { directives } = exchange;
    const echoes = directives.prefill === 'echo';
    const body = echoes ? unmarked(parsed(json)) : parsed(json);
    const request = readChatRequest(body, exchange.model, directives.lenient === true || echoes);
    if (directives.prefill === 'reject' && request.turns.at(-1)?.role === 'assistant')
      throw badRequest(
        'This model does not support assistant message prefill. The conversation must end with a user message.',
        'messages',
      );
    const composed = composeAnswer(request, directives, this.#cache);
    exchange.bill = {
      prompt: composed.usage.prompt_tokens,
      cached: composed.usage.prompt_tokens_details?.cached_tokens ?? 0,
      completion: composed.usage.completion_tokens,
      shown: shownTokens(composed),
      toTheEnd: false,
    };
    const identity: ChatIdentity = {
      id: `chatcmpl-${randomBytes(15).toString('hex')}`,
      created: Math.floor(Date.now() / 1000),
      model: exchange.model,
    };
    if (request.params.stream) {
      await playEventStream(exchange, {
        headers: this.#host.headersOf(exchange),
        frames: this.#host.frames(chatFrames(identity, request, composed, directives)),
        errorFrame: () => `data: ${JSON.stringify(streamError(directives).body())}\n\n`,
      });
      return;
    }
    await sendJson(exchange, {
      status: directives.status ?? 200,
      headers: this.#host.headersOf(exchange),
      value: this.#host.completion(chatCompletion(identity, request, composed, directives)),
      tokens: shownTokens(composed),
    });
  }

  async embeddings(exchange: Exchange, json: unknown): Promise<void> {
    const { directives } = exchange;
    const { value, data, tokens } = embed(parsed(json), exchange.model, directives);
    exchange.bill = billOfInput(tokens);
    const { usage: _usage, ...silent } = value;
    await sendJson(exchange, {
      status: directives.status ?? 200,
      headers: this.#host.headersOf(exchange),
      value: directives.nousage ? silent : value,
      lists: { data },
    });
  }

  /** One model, or all of them when the name is ''. */
  async models(exchange: Exchange, name: string): Promise<void> {
    const value = name === '' ? listModels() : describeModel(decodeURIComponent(name));
    await sendJson(exchange, { status: 200, headers: this.#host.headersOf(exchange), value });
  }

  async refuse(exchange: Exchange, error: HostError): Promise<void> {
    const { body } = exchange.directives;
    await sendJson(exchange, {
      status: error.status,
      headers: { ...this.#host.headersOf(exchange), ...retryHeaders(exchange.directives) },
      value: error.body(),
      ...(body === undefined ? {} : { raw: body }),
    });
  }
}

const shownTokens = ({ choices }: ChatAnswer): number =>
  choices.reduce((sum, choice) => sum + visibleTokens(choice), 0);

function parsed(json: unknown): unknown {
  if (json === undefined)
    throw badRequest(
      "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP library correctly. The OpenAI API expects a JSON payload.)",
    );
  return json;
}
