/** Lists of a JSON value by name, whose entries are made one by one while the value is written. */
export type LazyLists = Readonly<Record<string, Iterable<unknown>>>;

/**
 * The JSON text of `value` in pieces. In `value` each list stands as an empty array under its name, in the order of `lists`;
 * its entries are taken only when their turn comes, so that a large answer never is in memory as a whole.
 */
export function* jsonPieces(value: unknown, lists: LazyLists): Generator<string> {
  let rest = JSON.stringify(value);
  for (const [name, entries] of Object.entries(lists)) {
    // Quotes inside of strings are escaped: this can only be the name of a member.
    const empty = `${JSON.stringify(name)}:[]`;
    const start = rest.indexOf(empty);
    if (start < 0) throw new Error(`The answer has no empty list '${name}'.`);
    const end = start + empty.length - 1;
    yield rest.slice(0, end);
    rest = rest.slice(end);
    let comma = '';
    for (const entry of entries) {
      yield comma + JSON.stringify(entry);
      comma = ',';
    }
  }
  yield rest;
}
