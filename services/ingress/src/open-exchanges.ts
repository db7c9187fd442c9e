import type { Exchange } from './exchange.ts';

/**
 * The exchanges that are open: an array in which each knows its place. A `Set` that is added to and deleted from with every
 * request gets a new table from V8 again and again.
 */
export class OpenExchanges {
  readonly #list: Exchange[] = [];

  get size(): number {
    return this.#list.length;
  }

  add(exchange: Exchange): void {
    exchange.place = this.#list.length;
    this.#list.push(exchange);
  }

  delete(exchange: Exchange): void {
    if (this.#list[exchange.place] !== exchange) return;
    const last = this.#list.pop();
    if (last === undefined || last === exchange) return;
    last.place = exchange.place;
    this.#list[exchange.place] = last;
  }

  /** Those open now. */
  all(): readonly Exchange[] {
    return [...this.#list];
  }
}
