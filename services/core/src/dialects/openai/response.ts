import { type Usage, usageFromOpenAi } from '../../chat/index.ts';
import { GatewayError } from '../../errors/index.ts';
import {
  arrayElements,
  type Edit,
  findMember,
  isAmbiguous,
  type Member,
  objectMembers,
  splice,
} from '../../json/index.ts';
import type { AnswerContext, AnswerMetadata, ChatAnswer } from '../dialect.ts';
import { AnswerRepair } from './compatible/answer.ts';
import { presetOf } from './compatible/presets.ts';
import { decodeOpenAiStreamError } from './error.ts';
import { type Choice, type Completion, hasContent, isKnownFinish, repairChoice } from './shapes.ts';

const OPEN_BRACE = 0x7b;

/** A `chat.completion` answer: its own bytes, with `id` and `model` rewritten and the gateway's metadata put in. */
export function decodeOpenAiChat(body: Buffer, context: AnswerContext): ChatAnswer {
  const completion = parse(body);
  const choices = completion.choices ?? [];
  if (completion.error !== undefined && completion.error !== null) {
    throw decodeOpenAiStreamError(completion.error);
  }
  if (!Array.isArray(completion.choices)) throw unreadable('it has no choices');
  const repaired = new AnswerRepair(presetOf(context.target)).whole(completion);
  const unknown = choices.find((choice) => !isKnownFinish(choice.finish_reason));
  if (unknown) throw unreadable(`unknown finish_reason ${JSON.stringify(unknown.finish_reason)}`);
  // Not `some`: every choice must be repaired.
  const repairs = choices.filter((choice) => repairChoice(choice, choice.message, context.generationId)).length;
  const members = objectMembers(body);
  if (repairs === 0 && !repaired && !isAmbiguous(members))
    return new OpenAiAnswer(body, members, completion, choices, context);
  const rewritten = Buffer.from(JSON.stringify(completion));
  return new OpenAiAnswer(rewritten, objectMembers(rewritten), completion, choices, context);
}

class OpenAiAnswer implements ChatAnswer {
  readonly usage: Usage | null;
  readonly finishReasons: readonly string[];
  readonly responseId: string | null;
  readonly responseModel: string | null;
  readonly hasContent: boolean;
  readonly serviceTier: string | null;
  readonly #body: Buffer;
  readonly #members: readonly Member[];
  readonly #context: AnswerContext;

  constructor(
    body: Buffer,
    members: readonly Member[],
    completion: Completion,
    choices: readonly Choice[],
    context: AnswerContext,
  ) {
    this.#body = body;
    this.#members = members;
    this.#context = context;
    this.usage = usageFromOpenAi(completion.usage);
    this.finishReasons = choices.map((choice) => choice.finish_reason ?? 'stop');
    this.responseId = typeof completion.id === 'string' ? completion.id : null;
    this.responseModel = typeof completion.model === 'string' ? completion.model : null;
    this.hasContent = choices.some((choice) => hasContent(choice.message));
    this.serviceTier = typeof completion.service_tier === 'string' ? completion.service_tier : null;
  }

  render(metadata: AnswerMetadata): Buffer {
    const edits: Edit[] = [];
    let inserts = '';
    const set = (key: string, value: string): void => {
      const member = findMember(this.#members, key);
      if (member) edits.push({ start: member.valueStart, end: member.end, text: value });
      else inserts += `"${key}":${value},`;
    };
    set('id', JSON.stringify(this.#context.generationId));
    set('model', JSON.stringify(this.#context.model));
    if (metadata.atTop) set('provider_metadata', metadata.json);
    const choices = findMember(this.#members, 'choices');
    if (choices) addMessageMetadata(this.#body, choices, metadata.json, edits);
    const [first] = this.#members;
    if (first && inserts !== '') edits.push({ start: first.start, end: first.start, text: inserts });
    return splice(this.#body, edits);
  }
}

/** `choices[i].message.provider_metadata` (WIRE 2.4). */
function addMessageMetadata(body: Buffer, choices: Member, json: string, edits: Edit[]): void {
  for (const choice of arrayElements(body, choices.valueStart)) {
    const message = findMember(objectMembers(body, choice.start), 'message');
    if (!message || body[message.valueStart] !== OPEN_BRACE) continue;
    const at = lastByte(body, message.end - 1);
    const comma = body[at - 1] === OPEN_BRACE ? '' : ',';
    edits.push({ start: at, end: at, text: `${comma}"provider_metadata":${json}` });
  }
}

/** Position behind the last byte before `end` that is no white space. */
function lastByte(body: Buffer, end: number): number {
  let at = end;
  while ((body[at - 1] ?? 0) <= 0x20) at--;
  return at;
}

function parse(body: Buffer): Completion {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body.toString('utf8'));
  } catch {
    throw unreadable('it is not JSON');
  }
  if (typeof parsed !== 'object' || parsed === null) throw unreadable('it is not an object');
  return parsed;
}

function unreadable(why: string): GatewayError {
  return new GatewayError('response_error', `The provider sent an answer that cannot be read: ${why}.`, {
    failure: 'overloaded',
    code: 'invalid_provider_response',
  });
}
