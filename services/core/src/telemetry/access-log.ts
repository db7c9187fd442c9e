/** The one line a request leaves in the log, built by hand: it is on the hot path (PERFORMANCE 8). */
import { type Logger, quote } from './logger.ts';
import type { RequestEnd, RequestStart, RouteInfo } from './observation.ts';

export function logRequest(
  logger: Logger,
  start: RequestStart,
  end: RequestEnd,
  route: RouteInfo | null,
  traceId: string,
  spanId: string,
): void {
  if (!logger.enabled('info')) return;
  let text = `,"request_id":${quote(start.requestId)}`;
  if (start.generationId !== null) text += `,"generation_id":${quote(start.generationId)}`;
  text += `,"method":${quote(start.method)},"route":${quote(start.route)},"status":${end.status}`;
  const keyName = end.keyName ?? route?.keyName;
  if (keyName !== undefined) text += `,"key_name":${quote(keyName)}`;
  const model = end.model ?? route?.model;
  if (model !== undefined) text += `,"model":${quote(model)}`;
  if (end.provider !== null) text += `,"provider":${quote(end.provider)}`;
  if (end.errorType !== null) text += `,"error_type":${quote(end.errorType)}`;
  if (route !== null) text += `,"stream":${route.stream}`;
  if (end.clientAborted) text += ',"client_aborted":true';
  text += `,"duration_ms":${milliseconds(end.endedAt - start.startedAt)}`;
  if (end.firstByteAt !== null) text += `,"ttft_ms":${milliseconds(end.firstByteAt - start.startedAt)}`;
  text += `,"attempts":${end.attempts}`;
  if (end.usage !== null) {
    text += `,"prompt_tokens":${end.usage.promptTokens},"completion_tokens":${end.usage.completionTokens}`;
  }
  if (end.costUsd !== null) text += `,"cost_usd":${quote(end.costUsd)}`;
  if (traceId !== '') text += `,"trace_id":"${traceId}","span_id":"${spanId}"`;
  logger.raw('info', 'request', text);
}

function milliseconds(value: number): number {
  return Math.round(value * 1000) / 1000;
}
