export { networkError } from './network-error.ts';
export { type UpstreamCall, UpstreamPools } from './pools.ts';
export { type SseHandler, SseParser } from './sse-parser.ts';
