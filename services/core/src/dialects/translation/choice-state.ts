import type { FinishReason } from './answer-sink.ts';

export interface CallState {
  readonly index: number;
  readonly id: string;
  readonly name: string;
  readonly extra: Readonly<Record<string, unknown>> | null;
  arguments: string;
}

/** What both forms of an answer keep of one choice. */
export class ChoiceState {
  readonly index: number;
  readonly calls: CallState[] = [];
  finishReason: FinishReason | null = null;
  hasContent = false;

  constructor(index: number) {
    this.index = index;
  }

  openCall(id: string | null, name: string, extra: Readonly<Record<string, unknown>> | null): CallState {
    const index = this.calls.length;
    // Made up from what is the same in a stream and in a whole answer.
    const call: CallState = { index, id: id || `call_${this.index}_${index}_${name}`, name, extra, arguments: '' };
    this.calls.push(call);
    this.hasContent = true;
    return call;
  }

  /**
   * `tool_calls` whenever there are any, whatever the provider says (WIRE 2.19), and never without: a tool that carried a
   * structured answer is none of the client's. A cut-off answer stays a cut-off answer.
   */
  finalReason(): FinishReason {
    const reason = this.finishReason ?? 'stop';
    if (reason !== 'stop' && reason !== 'tool_calls') return reason;
    return this.calls.length > 0 ? 'tool_calls' : 'stop';
  }
}

/** Choices by index, made when first spoken of. */
export class Choices {
  readonly #byIndex = new Map<number, ChoiceState>();

  at(index: number): ChoiceState {
    let choice = this.#byIndex.get(index);
    if (!choice) {
      choice = new ChoiceState(index);
      this.#byIndex.set(index, choice);
    }
    return choice;
  }

  all(): ChoiceState[] {
    return [...this.#byIndex.values()].sort((a, b) => a.index - b.index);
  }

  get finished(): number {
    let count = 0;
    for (const choice of this.#byIndex.values()) if (choice.finishReason !== null) count++;
    return count;
  }

  get hasContent(): boolean {
    for (const choice of this.#byIndex.values()) if (choice.hasContent) return true;
    return false;
  }
}
