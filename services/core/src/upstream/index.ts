export { type AuthorizedProvider, Authorizers } from './authorization/authorizers.ts';
export { EventStreamParser } from './event-stream-parser.ts';
export { fetchMedia, type Media, type MediaFetcherOptions } from './media-fetcher.ts';
export { networkError } from './network-error.ts';
export { type UpstreamCall, UpstreamPools } from './pools.ts';
export { type SseHandler, SseParser } from './sse-parser.ts';
