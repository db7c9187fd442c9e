import type { ChatRequest } from '../../chat/index.ts';
import { anthropic } from '../anthropic/dialect.ts';
import { continuesAssistant } from '../anthropic/prefill.ts';
import { anthropicBody } from '../anthropic/request.ts';
import type { Dialect, FetchedMedia, Target } from '../dialect.ts';
import { decodeGeminiChat, geminiMethod, geminiStreamDecoder } from '../gemini/dialect.ts';
import { decodeGoogleError, googleErrorOf } from '../gemini/error.ts';
import { googleUrlsToFetch, urlsToFetch } from '../gemini/media.ts';
import { geminiBody } from '../gemini/request.ts';
import { modelPath } from './model-path.ts';
import { publisherOf } from './publisher.ts';

/** Claude's body names the version of its API, there being no header for it here. */
const ANTHROPIC_VERSION = 'vertex-2023-10-16';

/**
 * Google Vertex AI: Gemini (https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference), and Claude by
 * `rawPredict` (https://docs.anthropic.com/en/api/claude-on-vertex-ai).
 */
export const vertex: Dialect = {
  name: 'vertex',
  framing: 'sse',
  authorization: 'google',
  // Claude takes URLs at Anthropic's own API, not here.
  remoteMedia: (request, target) =>
    publisherOf(target) === 'anthropic' ? urlsToFetch(request) : googleUrlsToFetch(request, target),
  continuesAssistant: (request, target) =>
    publisherOf(target) === 'anthropic' && continuesAssistant(request, target.model),
  billsAfterAbort: () => true,
  usageRuns: (target) => publisherOf(target) === 'google',
  encodeChat(request, target, media) {
    const publisher = publisherOf(target);
    const { method, body, warnings, extra } =
      publisher === 'anthropic' ? claude(request, target, media) : gemini(request, target, media);
    return {
      url: `${target.baseUrl}/v1/${modelPath(target, publisher)}:${method}`,
      headers: ['content-type', 'application/json', 'accept-encoding', 'identity', ...extra],
      body: Buffer.from(JSON.stringify(body)),
      warnings,
    };
  },
  decodeChat: (body, context) =>
    publisherOf(context.target) === 'anthropic' ? anthropic.decodeChat(body, context) : decodeGeminiChat(body, context),
  streamDecoder: (context) =>
    publisherOf(context.target) === 'anthropic' ? anthropic.streamDecoder(context) : geminiStreamDecoder(context),
  decodeError(answer) {
    // Google answers for itself, and passes on what Anthropic's models answer: the shapes differ.
    const error = googleErrorOf(answer.body);
    const isAnthropic = error !== null && 'type' in error;
    return isAnthropic ? anthropic.decodeError(answer) : decodeGoogleError(answer);
  },
};

interface Encoded {
  readonly method: string;
  readonly body: object;
  readonly warnings: readonly string[];
  /** Headers of this kind of model's own, flat. */
  readonly extra: readonly string[];
}

function claude(request: ChatRequest, target: Target, media: FetchedMedia): Encoded {
  const { body, warnings, betas } = anthropicBody(request, target, media, { tiers: false });
  const method = request.stream ? 'streamRawPredict' : 'rawPredict';
  const extra = betas.length > 0 ? ['anthropic-beta', betas.join(',')] : [];
  return { method, body: { anthropic_version: ANTHROPIC_VERSION, ...body }, warnings, extra };
}

function gemini(request: ChatRequest, target: Target, media: FetchedMedia): Encoded {
  const { body, headers, warnings } = geminiBody(request, target, media, 'vertex');
  return { method: geminiMethod(request.stream), body, warnings, extra: headers };
}
