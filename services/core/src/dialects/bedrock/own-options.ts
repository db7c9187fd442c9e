import type { ConverseRequest, ConverseStreamRequest } from '@aws-sdk/client-bedrock-runtime';
import type { ChatBody } from '../../chat/index.ts';
import type { Target } from '../dialect.ts';
import type { Fields } from '../translation/index.ts';

type Raw = Record<string, unknown>;

/** What becomes of an option: Converse's objects are merged, its other members replaced, what the gateway relies on stays. */
const MEMBERS: Readonly<Record<keyof ConverseRequest | keyof ConverseStreamRequest, 'merge' | 'replace' | 'keep'>> = {
  modelId: 'keep',
  messages: 'keep',
  system: 'replace',
  inferenceConfig: 'merge',
  toolConfig: 'replace',
  guardrailConfig: 'replace',
  additionalModelRequestFields: 'merge',
  promptVariables: 'replace',
  additionalModelResponseFieldPaths: 'replace',
  requestMetadata: 'merge',
  performanceConfig: 'replace',
  serviceTier: 'replace',
  outputConfig: 'merge',
};

/** Fields by which models are told to reason. */
const REASONING = ['thinking', 'reasoning_config', 'reasoningConfig', 'reasoning_effort'];

const ownOptions = (chat: ChatBody, target: Target): Raw | null => {
  const own = chat.providerOptions?.[target.provider] ?? chat.providerOptions?.bedrock;
  return isRecord(own) ? own : null;
};

/** The client says in the model's own words how it shall reason. */
export function saysReasoning(chat: ChatBody, target: Target): boolean {
  const own = ownOptions(chat, target);
  if (own === null) return false;
  const additional = own.additionalModelRequestFields;
  return REASONING.some((name) => name in own || (isRecord(additional) && name in additional));
}

/**
 * Merges `providerOptions.<provider>` in: members of Converse where they belong, and others, which can only be the model's
 * own, into `additionalModelRequestFields`.
 */
export function addOwnOptions(body: object, chat: ChatBody, target: Target, fields: Fields): void {
  const own = ownOptions(chat, target);
  if (own === null) return;
  const known = body as Raw;
  const extra: Raw = {};
  for (const [name, value] of Object.entries(own)) {
    if (!isMember(name)) extra[name] = value;
    else if (MEMBERS[name] === 'keep') {
      fields.warn(`providerOptions.${target.provider}.${name}`, 'may not be set here, dropped');
    } else if (name !== 'serviceTier' || !fields.overridesTier(name, known)) {
      known[name] = MEMBERS[name] === 'merge' && isRecord(value) ? { ...asRecord(known[name]), ...value } : value;
    }
  }
  if (Object.keys(extra).length === 0) return;
  known.additionalModelRequestFields = { ...asRecord(known.additionalModelRequestFields), ...extra };
}

const isMember = (name: string): name is keyof typeof MEMBERS => Object.hasOwn(MEMBERS, name);

const asRecord = (value: unknown): Raw => (isRecord(value) ? value : {});

const isRecord = (value: unknown): value is Raw => typeof value === 'object' && value !== null && !Array.isArray(value);
