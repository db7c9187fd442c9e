import { Code, ConnectError } from '@connectrpc/connect';

/** What is wrong with a request, all of it at once. */
export class Problems {
  readonly #found: string[] = [];

  /** `expected` reads on: "expected ...". Nothing of what was sent is repeated: it may be a key in the wrong place. */
  add(field: string, found: string, expected: string): void {
    this.#found.push(`${field}: found ${found}, expected ${expected}`);
  }

  throwIfAny(): void {
    if (this.#found.length > 0) throw new ConnectError(this.#found.join('; '), Code.InvalidArgument);
  }
}
