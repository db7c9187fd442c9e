import { findMember, isAmbiguous, objectMembers, splice } from '../../json/index.ts';

export interface Head {
  /** Bytes of the provider's chunk that the replacement stands for. */
  readonly length: number;
  /** `data: ` and the rewritten head. */
  readonly replacement: Buffer;
}

/**
 * The head of a stream's chunks, up to and with `id` and `model`, is the same in all of them: it is found and rewritten
 * once, and after that only compared.
 */
export class ChunkHead {
  readonly #id: string;
  readonly #model: string;
  #seen: Buffer | null = null;
  #head: Head | null = null;

  constructor(id: string, model: string) {
    this.#id = JSON.stringify(id);
    this.#model = JSON.stringify(model);
  }

  /** The known head, when this chunk begins with it. */
  match(data: Buffer): Head | null {
    const seen = this.#seen;
    if (seen === null || data.length <= seen.length || seen.compare(data, 0, seen.length) !== 0) return null;
    return this.#head;
  }

  /** Learns the head from this chunk; null when the chunk lacks `id` or `model`, or has one of them after its choices. */
  learn(data: Buffer): Head | null {
    const members = objectMembers(data);
    const id = findMember(members, 'id');
    const model = findMember(members, 'model');
    const choices = findMember(members, 'choices');
    if (!id || !model || !choices || id.start > choices.start || model.start > choices.start) return null;
    if (isAmbiguous(members)) return null;
    const length = Math.max(id.end, model.end);
    const head = splice(data.subarray(0, length), [
      { start: id.valueStart, end: id.end, text: this.#id },
      { start: model.valueStart, end: model.end, text: this.#model },
    ]);
    this.#seen = Buffer.from(data.subarray(0, length));
    this.#head = { length, replacement: Buffer.concat([Buffer.from('data: '), head]) };
    return this.#head;
  }
}
