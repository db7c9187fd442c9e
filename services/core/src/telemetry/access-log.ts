/** The one line a request leaves in the log, built by hand: it is on the hot path (PERFORMANCE 8). */
import type { Logger } from './logger.ts';
import type { RequestEnd, RequestStart, RouteInfo } from './observation.ts';

/** Models, routes, names of keys: a few strings, again and again. */
const KEPT_STRINGS = 1000;
const quotedStrings = new Map<string, string>();

export function logRequest(
  logger: Logger,
  start: RequestStart,
  end: RequestEnd,
  route: RouteInfo | null,
  traceId: string,
  spanId: string,
): void {
  if (!logger.enabled('info')) return;
  let text = `,"request_id":${JSON.stringify(start.requestId)}`;
  if (start.generationId !== null) text += `,"generation_id":${JSON.stringify(start.generationId)}`;
  text += `,"method":${quoted(start.method)},"route":${quoted(start.route)},"status":${end.status}`;
  const keyName = end.keyName ?? route?.keyName;
  if (keyName !== undefined) text += `,"key_name":${quoted(keyName)}`;
  const model = end.model ?? route?.model;
  if (model !== undefined) text += `,"model":${quoted(model)}`;
  if (end.provider !== null) text += `,"provider":${quoted(end.provider)}`;
  if (end.errorType !== null) text += `,"error_type":${quoted(end.errorType)}`;
  if (route !== null) text += `,"stream":${route.stream}`;
  if (end.clientAborted) text += ',"client_aborted":true';
  text += `,"duration_ms":${milliseconds(end.endedAt - start.startedAt)}`;
  if (end.firstByteAt !== null) text += `,"ttft_ms":${milliseconds(end.firstByteAt - start.startedAt)}`;
  text += `,"attempts":${end.attempts}`;
  if (end.usage !== null) {
    text += `,"prompt_tokens":${end.usage.promptTokens},"completion_tokens":${end.usage.completionTokens}`;
  }
  if (end.costUsd !== null) text += `,"cost_usd":${JSON.stringify(end.costUsd)}`;
  if (traceId !== '') text += `,"trace_id":"${traceId}","span_id":"${spanId}"`;
  logger.raw('info', 'request', text);
}

function quoted(text: string): string {
  const known = quotedStrings.get(text);
  if (known !== undefined) return known;
  const fresh = JSON.stringify(text);
  if (quotedStrings.size < KEPT_STRINGS) quotedStrings.set(text, fresh);
  return fresh;
}

/** To the microsecond. Put together from integers: the shortest text of a fraction is costly to find. */
function milliseconds(value: number): string {
  const microseconds = Math.max(0, Math.round(value * 1000));
  const whole = Math.floor(microseconds / 1000);
  const rest = microseconds - whole * 1000;
  return `${whole}.${rest < 10 ? '00' : rest < 100 ? '0' : ''}${rest}`;
}
