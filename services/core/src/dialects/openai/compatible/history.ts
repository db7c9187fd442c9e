import { createHash } from 'node:crypto';
import type { ChatRequest } from '../../../chat/index.ts';
import { arrayElements, type Edit, findMember, type Member, objectMembers } from '../../../json/index.ts';
import type { FetchedMedia } from '../../dialect.ts';
import type { Preset } from './presets.ts';

type Message = ChatRequest['outline']['messages'][number];

/** Some calls in the history came without the reasoning behind them, which the client has dropped. */
export const lacksReasoning = (messages: readonly Message[]): boolean =>
  messages.some((message) => {
    if (message.role !== 'assistant' || !message.tool_calls || message.tool_calls.length === 0) return false;
    return REASONING.every((key) => reasoningText(message[key]) === '');
  });

/** Fields that say an earlier answer's reasoning, in the order in which they are believed. */
const REASONING = ['reasoning_content', 'reasoning', 'reasoning_details'] as const;

/** How messages have to change for a provider, beside what no provider takes. */
export class HistoryRules {
  readonly preset: Preset;
  readonly #media: FetchedMedia;

  constructor(preset: Preset, media: FetchedMedia) {
    this.preset = preset;
    this.#media = media;
  }

  touches(message: Message): boolean {
    const { developer, shortCallIds, imageUrls } = this.preset;
    if (!developer && message.role === 'developer') return true;
    if (shortCallIds && (message.role === 'tool' || (message.role === 'assistant' && message.tool_calls))) return true;
    return !imageUrls && Array.isArray(message.content) && message.content.some(({ type }) => type === 'image_url');
  }

  /** Fields of an answer that go back to this provider as they are. */
  keeps(key: string): boolean {
    return this.preset.history === 'as it came' && (key === 'reasoning' || key === 'reasoning_details');
  }

  /** Edits of one message; `kept` are its members that need no dropping any more. */
  edit(source: Buffer, members: readonly Member[], edits: Edit[], kept: Set<string>): void {
    if (!this.preset.developer) editRole(source, members, edits);
    if (this.preset.shortCallIds) editCallIds(source, members, edits);
    if (this.preset.history === 'reasoning_content') {
      const key = editReasoning(source, members, edits);
      if (key !== null) kept.add(key);
    }
  }

  /** Puts an image's bytes in the place of its URL. */
  editImage(source: Buffer, image: Member, edits: Edit[]): void {
    if (this.preset.imageUrls) return;
    const url = findMember(objectMembers(source, image.valueStart), 'url');
    const fetched = url ? this.#media.get(String(parsed(source, url))) : undefined;
    if (!url || !fetched) return;
    const text = JSON.stringify(`data:${fetched.mediaType};base64,${fetched.data}`);
    edits.push({ start: url.valueStart, end: url.end, text });
  }
}

const parsed = (source: Buffer, member: { readonly valueStart: number; readonly end: number }): unknown =>
  JSON.parse(source.toString('utf8', member.valueStart, member.end)) as unknown;

function editRole(source: Buffer, members: readonly Member[], edits: Edit[]): void {
  const role = findMember(members, 'role');
  if (role && parsed(source, role) === 'developer') {
    edits.push({ start: role.valueStart, end: role.end, text: '"system"' });
  }
}

function editCallIds(source: Buffer, members: readonly Member[], edits: Edit[]): void {
  const ids: Member[] = [];
  const answered = findMember(members, 'tool_call_id');
  if (answered) ids.push(answered);
  const calls = findMember(members, 'tool_calls');
  for (const call of calls && source[calls.valueStart] === 0x5b ? arrayElements(source, calls.valueStart) : []) {
    const id = findMember(objectMembers(source, call.start), 'id');
    if (id) ids.push(id);
  }
  for (const member of ids) {
    const id = String(parsed(source, member));
    const short = shortCallId(id);
    if (short !== id) edits.push({ start: member.valueStart, end: member.end, text: JSON.stringify(short) });
  }
}

/** Nine letters or digits; the same id always becomes the same. */
export function shortCallId(id: string): string {
  if (/^[a-zA-Z0-9]{9}$/.test(id)) return id;
  const digest = createHash('sha256').update(id).digest();
  return BigInt(`0x${digest.toString('hex', 0, 8)}`)
    .toString(36)
    .padStart(9, '0')
    .slice(-9);
}

/** Says the reasoning under the provider's name for it; answers with the member that was used, which must not be dropped. */
function editReasoning(source: Buffer, members: readonly Member[], edits: Edit[]): string | null {
  for (const key of REASONING) {
    const member = findMember(members, key);
    const text = member ? reasoningText(parsed(source, member)) : '';
    if (!member || text === '') continue;
    if (key !== 'reasoning_content') {
      edits.push({ start: member.start, end: member.end, text: `"reasoning_content":${JSON.stringify(text)}` });
    }
    return key;
  }
  return null;
}

function reasoningText(value: unknown): string {
  if (typeof value === 'string') return value;
  if (!Array.isArray(value)) return '';
  return value
    .map((detail: { text?: unknown } | null) => detail?.text)
    .filter((text) => typeof text === 'string')
    .join('');
}
