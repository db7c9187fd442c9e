import type { ChatBody } from '../../chat/index.ts';
import { unreadMessageFields } from './message-fields.ts';

/** Fields that every dialect reads through `readConversation` and `readControls`, or that are the gateway's own. */
const READ_ELSEWHERE = new Set([
  'model',
  'messages',
  'models',
  'provider',
  'providerOptions',
  'stream',
  'stream_options',
  'max_tokens',
  'max_completion_tokens',
  'tools',
  'tool_choice',
  'functions',
  'function_call',
  'reasoning',
  'reasoning_effort',
]);

/** Options of `providerOptions.gateway` that only the provider can act on. */
type PassedOption = 'serviceTier' | 'safetyIdentifier';
const PASSED_OPTIONS: readonly PassedOption[] = ['serviceTier', 'safetyIdentifier'];
const pathOf = (option: PassedOption): string => `providerOptions.gateway.${option}`;

/**
 * Keeps account of a request's top-level fields, so that nothing vanishes (DESIGN 5, law 2): a field is taken by the
 * dialect, or it is in the warnings.
 */
export class Fields {
  readonly warnings: string[] = [];
  readonly #body: ChatBody;
  readonly #provider: string;
  readonly #taken = new Set(READ_ELSEWHERE);

  constructor(body: ChatBody, provider: string) {
    this.#body = body;
    this.#provider = provider;
  }

  /** The field's value, undefined when absent or null; the dialect carries it from here on. */
  take(name: string): unknown {
    this.#taken.add(name);
    return this.#body[name] ?? undefined;
  }

  /** As `take`, of those options of the gateway that only the provider can act on. */
  takeOption(option: PassedOption): string | undefined {
    this.#taken.add(pathOf(option));
    return this.#body.providerOptions?.gateway?.[option];
  }

  /** The tier asked for, by the gateway's option or else by OpenAI's field, and where it stands; undefined when none is. */
  takeTier(): { readonly tier: unknown; readonly path: string } {
    const field = this.take('service_tier');
    const option = this.takeOption('serviceTier');
    if (option === undefined) return { tier: field, path: 'service_tier' };
    return { tier: option, path: pathOf('serviceTier') };
  }

  /**
   * The gateway's tier overrides the provider's own (WIRE 2.3): whether `providerOptions.<provider>.<name>` has to give way, for
   * `body` has a tier by the gateway's option. Says so.
   */
  overridesTier(name: string, body: object): boolean {
    if (this.#body.providerOptions?.gateway?.serviceTier === undefined || !(name in body)) return false;
    this.warn(`providerOptions.${this.#provider}.${name}`, `overridden by ${pathOf('serviceTier')}, dropped`);
    return true;
  }

  /** Says that a value reaches the provider otherwise than it was asked for, or not at all. */
  warn(path: string, what: string): void {
    this.warnings.push(`${path}: ${what}`);
  }

  /** Warns of every field that nobody has taken. Call last. */
  finish(): readonly string[] {
    this.warnings.push(...unreadMessageFields(this.#body));
    if (this.#body.stream_options?.include_obfuscation === true) {
      this.warn('stream_options.include_obfuscation', 'not done for this provider, dropped');
    }
    for (const [name, value] of Object.entries(this.#body)) {
      if (value === null || value === undefined || this.#taken.has(name)) continue;
      this.warn(name, `not taken by the provider ${this.#provider}, dropped`);
    }
    for (const option of PASSED_OPTIONS) {
      const path = pathOf(option);
      if (this.#taken.has(path) || this.#body.providerOptions?.gateway?.[option] === undefined) continue;
      this.warn(path, `not taken by the provider ${this.#provider}, dropped`);
    }
    return this.warnings;
  }
}
