export { tokenScale, tokensOfBytes } from './approximation.ts';
export { type Countable, type Counted, TokenCounter, type TokenCounterOptions } from './token-counter.ts';
